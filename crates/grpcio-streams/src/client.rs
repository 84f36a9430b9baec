//! The client's side of the three streaming modes.
//!
//! What these functions return is polled by whoever likes, without a runtime. It is fastest inside
//! [`run`], on the completion queue's own thread: polled elsewhere, each message wakes another
//! thread, which made a call of small messages about 20 times slower where we measured it
//! (`put` and `get` of the command line, 16 bytes a message, two cores).

use std::fmt;
use std::future::Future;
use std::panic::{resume_unwind, AssertUnwindSafe};
use std::pin::Pin;
use std::sync::mpsc;
use std::task::{ready, Context, Poll};

use futures::future::{self, BoxFuture, Either};
use futures::stream::FusedStream;
use futures::{FutureExt, SinkExt, Stream, StreamExt, TryStream, TryStreamExt};
use grpcio::{
    CallOption, Client, ClientDuplexReceiver, ClientDuplexSender, ClientSStreamReceiver, Metadata,
    MetadataBuilder, RpcStatusCode,
};
use protobuf::Message;

use crate::codec::{method, protobuf};
use crate::forward::{Forward, Forwarded};
use crate::status::Status;

/// Runs a future on the thread of the client's completion queue, and waits for it.
///
/// The binding polls it for the first time on the caller's thread. Where it blocks, it holds up
/// what else runs on that queue.
///
/// # Panics
///
/// When the future panics; the queue lives on.
///
/// Never call it on a completion queue's thread: it would wait for itself.
pub fn run<F>(client: &Client, future: F) -> F::Output
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    let (sender, receiver) = mpsc::sync_channel(1);
    client.spawn(async move {
        let output = AssertUnwindSafe(future).catch_unwind().await;
        // The receiver waits below.
        let _ = sender.send(output);
    });
    match receiver.recv() {
        Ok(Ok(output)) => output,
        Ok(Err(panic)) => resume_unwind(panic),
        Err(_) => unreachable!("the queue ended, although `client` keeps it"),
    }
}

/// Calls a server-streaming method: one request, a stream of responses.
///
/// # Errors
///
/// Where the call cannot even be started: a request too large to encode, a channel that is shut
/// down. All else comes through the stream.
pub fn server_streaming<Req: Message, Resp: Message>(
    client: &Client,
    path: &'static str,
    request: &Req,
    options: CallOption,
) -> Result<Responses<Resp>, Status> {
    let receiver =
        client.server_streaming(&method(path, protobuf(), protobuf()), request, options)?;
    Ok(Responses::new(client, Receiver::Single(receiver)))
}

/// Calls a client-streaming method: sends all of `requests`, then waits for the one response.
///
/// The call ends early when the server answers early, and is cancelled when `requests` fails or
/// the future is dropped; what was sent until then may have been acted upon.
///
/// # Errors
///
/// The error of `requests`, or the status of the call. An OK without a response is
/// UNIMPLEMENTED, as gRPC's table of statuses has it.
pub async fn client_streaming<Req, Resp, S>(
    client: &Client,
    path: &'static str,
    requests: S,
    options: CallOption,
) -> Result<Resp, S::Error>
where
    Req: Message,
    Resp: Message,
    S: TryStream<Ok = Req>,
    S::Error: From<Status>,
{
    // As a bidirectional call: the binding's client-streaming receiver panics when a server says
    // OK without a response, and the original Go server does.
    let (mut sink, receiver) = client
        .duplex_streaming(&method(path, protobuf(), protobuf()), options)
        .map_err(Status::from)?;
    let mut responses = Responses::new(client, Receiver::Duplex(receiver));
    let answer = the_only(&mut responses);
    let sending = send(&mut sink, requests);
    futures::pin_mut!(answer, sending);
    match future::select(answer, sending).await {
        Either::Left((answer, _)) => Ok(answer?),
        Either::Right((Ok(()), answer)) => Ok(answer.await?),
        Either::Right((Err(e), _)) => Err(e),
    }
}

/// Calls a bidirectional method: sends `requests` while the responses are read.
///
/// The stream that comes back does both, so requests go out only while it is polled. At the end
/// of `requests` the call is half-closed.
///
/// # Errors
///
/// Where the call cannot even be started. All else, the error of `requests` included, comes
/// through the stream and ends it.
pub fn duplex<Req, Resp, S>(
    client: &Client,
    path: &'static str,
    requests: S,
    options: CallOption,
) -> Result<Conversation<Resp, S::Error>, Status>
where
    Req: Message,
    Resp: Message,
    S: TryStream<Ok = Req> + Send + 'static,
    S::Error: From<Status> + Send,
{
    let (mut sink, receiver) =
        client.duplex_streaming(&method(path, protobuf(), protobuf()), options)?;
    let sending = async move { send(&mut sink, requests).await };
    Ok(Conversation {
        responses: Responses::new(client, Receiver::Duplex(receiver)),
        sending: Some(Box::pin(sending)),
    })
}

/// Sends everything and half-closes. When the call ends first it is still OK: its status is with
/// the responses. On an error the sink is left open, and cancels the call when it is dropped.
async fn send<Req, S>(sink: &mut ClientDuplexSender<Req>, requests: S) -> Result<(), S::Error>
where
    S: TryStream<Ok = Req>,
    S::Error: From<Status>,
{
    futures::pin_mut!(requests);
    sink.enhance_batch(true);
    match Forward::new(sink, requests).await {
        Forwarded::All => {
            let _ = sink.close().await;
            Ok(())
        }
        Forwarded::CallOver => Ok(()),
        Forwarded::Failed(e) => Err(e),
    }
}

async fn the_only<Resp>(responses: &mut Responses<Resp>) -> Result<Resp, Status> {
    let violation = |sent| {
        let why = format!("the server ended the call with OK but sent {sent}");
        Status::new(RpcStatusCode::UNIMPLEMENTED, why)
    };
    let first = responses.try_next().await?;
    if responses.try_next().await?.is_some() {
        return Err(violation("more than one response"));
    }
    first.ok_or_else(|| violation("no response"))
}

/// The responses of a call, in order; then nothing where the status was OK, or the status.
///
/// Dropping it before its end cancels the call.
pub struct Responses<T> {
    /// None once the end has been told.
    receiver: Option<Receiver<T>>,
    /// A status that arrived while there may still be messages before it.
    failure: Option<Status>,
    /// Keeps the connection, and the thread that serves it, for as long as the call runs.
    _client: Client,
}

enum Receiver<T> {
    Single(ClientSStreamReceiver<T>),
    Duplex(ClientDuplexReceiver<T>),
}

impl<T> Receiver<T> {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<grpcio::Result<T>>> {
        match self {
            Self::Single(receiver) => receiver.poll_next_unpin(cx),
            Self::Duplex(receiver) => receiver.poll_next_unpin(cx),
        }
    }
}

impl<T> Responses<T> {
    fn new(client: &Client, receiver: Receiver<T>) -> Self {
        Self {
            receiver: Some(receiver),
            failure: None,
            _client: client.clone(),
        }
    }
}

impl<T> Responses<T> {
    /// The response metadata, which comes ahead of the first message; empty where the call ended
    /// without one, or has ended.
    ///
    /// # Errors
    ///
    /// The status of a call that failed before.
    pub async fn metadata(&mut self) -> Result<Metadata, Status> {
        Ok(match &mut self.receiver {
            Some(Receiver::Single(receiver)) => receiver.headers().await?.clone(),
            Some(Receiver::Duplex(receiver)) => receiver.headers().await?.clone(),
            None => MetadataBuilder::new().build(),
        })
    }
}

impl<T> Stream for Responses<T> {
    type Item = Result<T, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            let Some(receiver) = &mut this.receiver else {
                return Poll::Ready(None);
            };
            match ready!(receiver.poll_next(cx)) {
                Some(Ok(message)) => return Poll::Ready(Some(Ok(message))),
                Some(Err(grpcio::Error::Codec(e))) => {
                    this.receiver = None;
                    let why = format!("a response cannot be parsed: {e}");
                    return Poll::Ready(Some(Err(Status::internal(why))));
                }
                // The binding reports a failed call even before a message that has arrived
                // already; it gives the message when asked again.
                Some(Err(e)) if this.failure.is_none() => this.failure = Some(e.into()),
                Some(Err(_)) | None => {
                    this.receiver = None;
                    return Poll::Ready(this.failure.take().map(Err));
                }
            }
        }
    }
}

impl<T> FusedStream for Responses<T> {
    fn is_terminated(&self) -> bool {
        self.receiver.is_none()
    }
}

impl<T> fmt::Debug for Responses<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Responses")
            .field("ended", &self.receiver.is_none())
            .finish_non_exhaustive()
    }
}

/// A bidirectional call: the responses, and the sending of the requests beside it.
///
/// Dropping it before its end cancels the call.
pub struct Conversation<T, E> {
    responses: Responses<T>,
    /// None once everything has been sent.
    sending: Option<BoxFuture<'static, Result<(), E>>>,
}

impl<T, E: From<Status>> Stream for Conversation<T, E> {
    type Item = Result<T, E>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(sending) = &mut self.sending {
            match sending.as_mut().poll(cx) {
                Poll::Pending => {}
                Poll::Ready(Ok(())) => self.sending = None,
                Poll::Ready(Err(e)) => {
                    self.sending = None;
                    self.responses.receiver = None;
                    return Poll::Ready(Some(Err(e)));
                }
            }
        }
        self.responses.poll_next_unpin(cx).map_err(E::from)
    }
}

impl<T, E> fmt::Debug for Conversation<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conversation")
            .field("responses", &self.responses)
            .field("all_sent", &self.sending.is_none())
            .finish()
    }
}
