//! Serves handlers that are plain functions between futures and streams.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::{self, Either};
use futures::{stream, Future, FutureExt, Sink, SinkExt, Stream, StreamExt};
use futures::{TryFutureExt, TryStreamExt};
use futures_timer::Delay;
use grpcio::{DuplexSink, MessageReader, RequestStream, RpcContext, RpcStatusCode, WriteFlags};
use protobuf::Message;

use crate::call::{Call, Observer, Outcome, Silent};
use crate::catch_panic::{catch_panic, panic_message, CatchPanic};
use crate::codec::{method, protobuf, unparsed};
use crate::drain::{Drain, Draining};
use crate::forward::{Forward, Forwarded};
use crate::requests::Requests;
use crate::status::Status;

/// The longest message that a server accepts unless told otherwise, in bytes as encoded: gRPC's own
/// default.
pub const MAX_MESSAGE_BYTES: usize = 4 * 1024 * 1024;

/// Builds a [`grpcio::Service`] out of functions.
///
/// Each method names its path, `/package.Service/Method` as in the proto file, and gives a
/// function that is called once a call. The function runs on the completion-queue thread that
/// serves the call, and so does what it returns: neither may block. What it returns is dropped
/// as soon as the client has left or the deadline has passed.
///
/// Every call ends with a status: the handler's error, OK at the end of its stream, INTERNAL if
/// it panics, UNAVAILABLE when the server drains.
///
/// All modes are registered with the binding as bidirectional. On the wire this is the same. In
/// the binding a method with a single request occupies one of 1,024 slots from the call's headers
/// to its message, and clients that never send the message lock out all others.
pub struct ServiceBuilder {
    builder: grpcio::ServiceBuilder,
    options: Arc<Options>,
}

#[derive(Clone)]
struct Options {
    request_within: Duration,
    max_message_bytes: usize,
    draining: Draining,
    observer: Arc<dyn Observer>,
    admissions: Vec<Arc<Admission>>,
}

/// What is asked before a call.
type Admission = dyn Fn(&mut Call) -> Result<(), Status> + Send + Sync;

impl ServiceBuilder {
    /// A service without methods, whose calls end when `drain` begins or is dropped: it must live
    /// as long as the server.
    pub fn new(drain: &Drain) -> Self {
        Self {
            builder: grpcio::ServiceBuilder::new(),
            options: Arc::new(Options {
                request_within: Duration::from_secs(5),
                max_message_bytes: MAX_MESSAGE_BYTES,
                draining: drain.draining(),
                observer: Arc::new(Silent),
                admissions: Vec::new(),
            }),
        }
    }

    /// Tells `observer` about the calls of all methods that are added from now on.
    #[must_use]
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        Arc::make_mut(&mut self.options).observer = observer;
        self
    }

    /// Asks `admission` about each call of the methods that are added from now on: before the
    /// observer is told of it, before its handler is called, and before any message is read. What
    /// it refuses ends with its status. It may [say who calls](Call::identify).
    ///
    /// Several are asked in the order in which they are added, until one refuses. They run on the
    /// completion-queue threads: they must not block.
    #[must_use]
    pub fn admit<A>(mut self, admission: A) -> Self
    where
        A: Fn(&mut Call) -> Result<(), Status> + Send + Sync + 'static,
    {
        let admissions = &mut Arc::make_mut(&mut self.options).admissions;
        admissions.push(Arc::new(admission));
        self
    }

    /// How long a client may take to send the one request of a unary or server-streaming call, from
    /// its headers on; 5 seconds unless set. Then the call ends with DEADLINE_EXCEEDED. For all
    /// methods that are added from now on.
    #[must_use]
    pub fn request_within(mut self, limit: Duration) -> Self {
        Arc::make_mut(&mut self.options).request_within = limit;
        self
    }

    /// The longest message that a client may send, in bytes as encoded; 4 MiB unless set. A call
    /// with a longer one ends with RESOURCE_EXHAUSTED. For all methods that are added from now on.
    ///
    /// It is the adapter that looks. The C core's own limit (`max_receive_message_len`) holds as
    /// well, and costs time for each message, received or sent (see BENCHMARKS.md): set it to -1.
    /// Neither of the two refuses a message before all of it is in memory.
    #[must_use]
    pub fn max_message_bytes(mut self, limit: usize) -> Self {
        Arc::make_mut(&mut self.options).max_message_bytes = limit;
        self
    }

    /// One request, one response.
    ///
    /// The request is as in [`server_streaming`](Self::server_streaming).
    #[must_use]
    pub fn unary<Req, Resp, H, F>(self, path: &'static str, handler: H) -> Self
    where
        Req: Message,
        Resp: Message,
        H: Fn(Arc<Call>, Req) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Resp, Status>> + Send + 'static,
    {
        self.server_streaming(path, move |call, request| {
            handler(call, request).into_stream()
        })
    }

    /// One request, a stream of responses.
    ///
    /// The handler is called when the request is there and complete. No request, or more than
    /// one, is UNIMPLEMENTED, as gRPC's table of statuses has it.
    #[must_use]
    pub fn server_streaming<Req, Resp, H, S>(self, path: &'static str, handler: H) -> Self
    where
        Req: Message,
        Resp: Message,
        H: Fn(Arc<Call>, Req) -> S + Send + Sync + 'static,
        S: Stream<Item = Result<Resp, Status>> + Send + 'static,
    {
        let limit = self.options.request_within;
        let handler = Arc::new(handler);
        self.duplex(path, move |call, requests| {
            let handler = handler.clone();
            the_only(requests, limit)
                .map_ok(move |request| handler(call, request))
                .try_flatten_stream()
        })
    }

    /// A stream of requests, one response.
    ///
    /// The handler may answer before it has read all requests; the rest is then discarded.
    #[must_use]
    pub fn client_streaming<Req, Resp, H, F>(self, path: &'static str, handler: H) -> Self
    where
        Req: Message,
        Resp: Message,
        H: Fn(Arc<Call>, Requests<Req>) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Resp, Status>> + Send + 'static,
    {
        self.duplex(path, move |call, requests| {
            handler(call, requests).into_stream()
        })
    }

    /// A stream of requests, a stream of responses.
    ///
    /// Both belong to the stream that the handler returns, and so both are polled only while the
    /// call has room for a response: a client that sends without reading is held back in time.
    #[must_use]
    pub fn duplex<Req, Resp, H, S>(mut self, path: &'static str, handler: H) -> Self
    where
        Req: Message,
        Resp: Message,
        H: Fn(Arc<Call>, Requests<Req>) -> S + Send + Sync + 'static,
        S: Stream<Item = Result<Resp, Status>> + Send + 'static,
    {
        let handler = Arc::new(handler);
        let options = self.options.clone();
        let accept = move |ctx: RpcContext<'_>, requests, sink| {
            let call = Call::new(path, &ctx);
            let served = serve(call, requests, sink, handler.clone(), options.clone());
            // What is left is not the handler's: a codec, the binding. It cancels the call.
            ctx.spawn(AssertUnwindSafe(served).catch_unwind().map(move |served| {
                if let Err(payload) = served {
                    log::error!(
                        "{path}: serving a call panicked: {}",
                        panic_message(payload)
                    );
                }
            }));
        };
        let method = method(path, unparsed(), protobuf::<Resp>());
        self.builder = self.builder.add_duplex_streaming_handler(&method, accept);
        self
    }

    /// The service, to be registered with a [`grpcio::ServerBuilder`].
    pub fn build(self) -> grpcio::Service {
        self.builder.build()
    }
}

impl Options {
    fn ask(&self, call: &mut Call) -> Result<(), Status> {
        let method = call.method();
        let all = || self.admissions.iter().try_for_each(|admit| admit(call));
        catch_panic(all).unwrap_or_else(|why| {
            log::error!("{method}: the admission of this call panicked: {why}");
            let status = Status::internal("the admission of this call panicked");
            Err(status)
        })
    }
}

/// Waits for the one request of a call and for the half-close behind it.
async fn the_only<T: Message>(mut requests: Requests<T>, limit: Duration) -> Result<T, Status> {
    let exactly_one = async {
        let violation = |sent| {
            let why = format!("this method takes exactly one request, and the client sent {sent}");
            Err(Status::new(RpcStatusCode::UNIMPLEMENTED, why))
        };
        let Some(request) = requests.try_next().await? else {
            return violation("none");
        };
        match requests.try_next().await? {
            Some(_) => violation("more"),
            None => Ok(request),
        }
    };
    futures::pin_mut!(exactly_one);
    match future::select(exactly_one, Delay::new(limit)).await {
        Either::Left((result, _)) => result,
        Either::Right(_) => Err(Status::new(
            RpcStatusCode::DEADLINE_EXCEEDED,
            format!("the request was not complete within {limit:?}"),
        )),
    }
}

/// One call, from its headers to its end.
async fn serve<Req, Resp, H, S>(
    mut call: Call,
    requests: RequestStream<MessageReader>,
    sink: DuplexSink<Resp>,
    handler: Arc<H>,
    options: Arc<Options>,
) where
    H: Fn(Arc<Call>, Requests<Req>) -> S,
    S: Stream<Item = Result<Resp, Status>>,
{
    let admitted = options.ask(&mut call);
    let call = Arc::new(call);
    tell(&call, || options.observer.started(&call));
    let (requests, received) = Requests::new(requests, options.max_message_bytes);
    // The handler is called inside its stream, where a panic is caught.
    let source = future::lazy({
        let call = call.clone();
        move |_| match admitted {
            Ok(()) => handler(call, requests).left_stream(),
            Err(status) => stream::iter([Err(status)]).right_stream(),
        }
    });
    let source = CatchPanic::new(call.method(), source.flatten_stream());
    let draining = options.draining.clone();
    let mut source = draining.end(source, |sent| call.drained(sent));

    let mut outgoing = Outgoing::new(sink, call.clone());
    let (forwarded, sent) = {
        let mut forward = Forward::new(&mut outgoing, Pin::new(&mut source)).by_turns();
        ((&mut forward).await, forward.sent())
    };
    let mut sink = outgoing.sink;
    // The status may be stuck behind a full flow-control window; the handler need not be.
    drop(source);

    let (status, delivered) = match forwarded {
        Forwarded::Finished => (Status::ok(), sink.close().await.is_ok()),
        Forwarded::Failed(status) => {
            let status = status.fitted();
            (status.clone(), sink.fail(status.into()).await.is_ok())
        }
        Forwarded::Departed => (Status::departed(), false),
    };
    let status = match delivered {
        true => status,
        false if call.deadline_exceeded() => Status::new(
            RpcStatusCode::DEADLINE_EXCEEDED,
            "the client's deadline passed",
        ),
        false => Status::departed(),
    };
    let outcome = Outcome {
        status,
        received: received.count(),
        sent,
    };
    tell(&call, || options.observer.ended(&call, &outcome));
}

/// The binding's sink, which sends the metadata that the handler has set by its first message.
struct Outgoing<T> {
    sink: DuplexSink<T>,
    call: Arc<Call>,
    started: bool,
}

impl<T> Outgoing<T> {
    fn new(mut sink: DuplexSink<T>, call: Arc<Call>) -> Self {
        sink.enhance_batch(true);
        Self {
            sink,
            call,
            started: false,
        }
    }
}

impl<T> Sink<(T, WriteFlags)> for Outgoing<T> {
    type Error = grpcio::Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<grpcio::Result<()>> {
        self.sink.poll_ready_unpin(cx)
    }

    fn start_send(mut self: Pin<&mut Self>, message: (T, WriteFlags)) -> grpcio::Result<()> {
        if !self.started {
            self.started = true;
            if let Some(metadata) = self.call.take_response_metadata() {
                self.sink.set_headers(metadata);
            }
        }
        self.sink.start_send_unpin(message)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<grpcio::Result<()>> {
        self.sink.poll_flush_unpin(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<grpcio::Result<()>> {
        self.sink.poll_close_unpin(cx)
    }
}

fn tell(call: &Call, observe: impl FnOnce()) {
    if let Err(why) = catch_panic(observe) {
        log::error!(
            "{}: the observer of this call panicked: {why}",
            call.method()
        );
    }
}
