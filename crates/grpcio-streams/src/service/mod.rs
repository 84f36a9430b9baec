//! Builds a gRPC service from functions.

mod build_error;
mod options;
mod serve;
mod single_request;

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::{Future, FutureExt, Stream, TryFutureExt};
use grpcio::RpcContext;
use protobuf::Message;

use crate::call::Call;
use crate::catch_panic::panic_message;
use crate::codec::{method, protobuf, unparsed};
use crate::drain::Drain;
use crate::limits::MAX_MESSAGE_BYTES;
use crate::observer::{Observer, Silent};
use crate::requests::Requests;
use crate::status::Status;

pub use build_error::BuildError;
use options::Options;
use serve::serve;
use single_request::single_request;

/// Builds a [`grpcio::Service`] from functions.
///
/// Each method has a path, `/package.Service/Method` as in the proto file, and a handler: a
/// function that is called once for each call. The handler runs on the completion-queue thread that
/// serves the call, and so does the future or stream that it returns. Neither may block. The future
/// or stream is dropped as soon as the client has left or its deadline has passed.
///
/// Every call ends with a status: the handler's error, OK at the end of its stream, INTERNAL if it
/// panics, UNAVAILABLE if the server drains.
///
/// All four kinds of method are registered with the binding as bidirectional, which makes no
/// difference on the wire. A call that the binding knows to have a single request occupies one of
/// its 1,024 slots from the headers of the call to that request, so clients that never send the
/// request could keep all others out.
pub struct ServiceBuilder {
    builder: grpcio::ServiceBuilder,
    paths: Vec<&'static str>,
    options: Arc<Options>,
}

impl ServiceBuilder {
    /// A service without methods. Its calls end when `drain` begins or is dropped, so `drain` must
    /// live as long as the server.
    pub fn new(drain: &Drain) -> Self {
        Self {
            builder: grpcio::ServiceBuilder::new(),
            paths: Vec::new(),
            options: Arc::new(Options {
                request_within: Duration::from_secs(5),
                max_message_bytes: MAX_MESSAGE_BYTES,
                draining: drain.draining(),
                observer: Arc::new(Silent),
                admissions: Vec::new(),
            }),
        }
    }

    /// Reports the calls of all methods that are added from now on to `observer`.
    #[must_use]
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        Arc::make_mut(&mut self.options).observer = observer;
        self
    }

    /// Asks `admission` about each call of the methods that are added from now on: before the
    /// observer is notified, before the handler is called and before any message is read. A call
    /// that it refuses ends with the status that it returns. It may
    /// [name the caller](Call::identify).
    ///
    /// Several admissions are asked in the order in which they are added, until one refuses. They
    /// run on the completion-queue threads, so they must not block. If one panics, the call ends
    /// with INTERNAL.
    #[must_use]
    pub fn admit<A>(mut self, admission: A) -> Self
    where
        A: Fn(&mut Call) -> Result<(), Status> + Send + Sync + 'static,
    {
        let admissions = &mut Arc::make_mut(&mut self.options).admissions;
        admissions.push(Arc::new(admission));
        self
    }

    /// Sets how long a client may take to send the single request of a unary or server-streaming
    /// call, counted from the call's headers. The default is 5 seconds. A call that takes longer
    /// ends with DEADLINE_EXCEEDED. Applies to all methods that are added from now on.
    #[must_use]
    pub fn request_within(mut self, limit: Duration) -> Self {
        Arc::make_mut(&mut self.options).request_within = limit;
        self
    }

    /// Sets the length of the longest message that a client may send, in bytes as encoded. The
    /// default is [`MAX_MESSAGE_BYTES`]. A call with a longer message ends with RESOURCE_EXHAUSTED.
    /// Applies to all methods that are added from now on.
    ///
    /// The adapter checks the length. The C core has a limit of its own
    /// (`max_receive_message_len`), which applies as well unless it is set to -1. It costs time for
    /// each message that is received or sent. Neither limit refuses a message before all of it is
    /// in memory.
    #[must_use]
    pub fn max_message_bytes(mut self, limit: usize) -> Self {
        Arc::make_mut(&mut self.options).max_message_bytes = limit;
        self
    }

    /// Adds a method with one request and one response.
    ///
    /// The handler is called as in [`server_streaming`](Self::server_streaming).
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

    /// Adds a method with one request and a stream of responses.
    ///
    /// The handler is called when the request has arrived and the client has half-closed. A call
    /// with no request or with more than one ends with UNIMPLEMENTED, as gRPC's
    /// [table of statuses](https://grpc.github.io/grpc/core/md_doc_statuscodes.html) requires.
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
            single_request(requests, limit)
                .map_ok(move |request| handler(call, request))
                .try_flatten_stream()
        })
    }

    /// Adds a method with a stream of requests and one response.
    ///
    /// The handler may answer before it has read all requests. The remaining requests are then
    /// discarded.
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

    /// Adds a method with a stream of requests and a stream of responses.
    ///
    /// The stream that the handler returns reads the requests and produces the responses. It is
    /// polled only while the call has room for a response, so flow control also stops a client that
    /// sends without reading.
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
            // The handler's panics are caught inside. A panic that arrives here, such as one of a
            // message's encoding, cancels the call.
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
        self.paths.push(path);
        self
    }

    /// The paths of the methods so far, in the order in which they were added. A server with
    /// several services can compare their paths: the binding lets a service replace the methods of
    /// another one without an error.
    pub fn paths(&self) -> &[&'static str] {
        &self.paths
    }

    /// Builds the service, which is then registered with a [`grpcio::ServerBuilder`].
    ///
    /// # Errors
    ///
    /// When a path is malformed, or when two methods have the same path.
    pub fn build(self) -> Result<grpcio::Service, BuildError> {
        build_error::check(&self.paths)?;
        Ok(self.builder.build())
    }
}

impl fmt::Debug for ServiceBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceBuilder")
            .field("paths", &self.paths)
            .finish_non_exhaustive()
    }
}
