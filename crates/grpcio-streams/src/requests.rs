//! The messages of a client as a stream.

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::task::{ready, Context, Poll};

use futures::stream::FusedStream;
use futures::Stream;
use grpcio::{MessageReader, RequestStream, RpcStatusCode};
use parking_lot::Mutex;
use protobuf::Message;

use crate::codec::parse;
use crate::fairness::NetworkPause;
use crate::status::Status;

/// The messages that a client sends in one call, in order.
///
/// It ends when the client half-closes. It fails once, and then ends, with
///
/// - INTERNAL when a message cannot be parsed, which is the code that gRPC's
///   [table of statuses](https://grpc.github.io/grpc/core/md_doc_statuscodes.html) asks for;
/// - RESOURCE_EXHAUSTED when a message is [too long](crate::ServiceBuilder::max_message_bytes);
/// - CANCELLED when the client is known to have left in the middle.
///
/// **An end is not yet a success.** The C core reports a stream that was cut as one that ended, and
/// the end of the call a moment later: usually the handler is dropped then, but it may be quicker. So act message by message. Whether an upload was
/// complete only [`Observer::ended`](crate::Observer::ended) knows: a client that is gone cannot
/// be given a status.
///
/// Dropping it early is fine: the call goes on until the handler's answer has been sent.
pub struct Requests<T> {
    /// None once dropped or ended, when the binding's stream is in `shared`.
    stream: Option<RequestStream<MessageReader>>,
    max_message_bytes: usize,
    pause: NetworkPause,
    shared: Arc<Shared>,
    message: PhantomData<fn() -> T>,
}

/// The part that the adapter keeps, and that outlives the handler.
struct Shared {
    received: AtomicU64,
    /// The binding cancels the call when its stream is dropped, and the status would be lost;
    /// so a stream that the handler is done with waits here until the call is over.
    done: Mutex<Option<RequestStream<MessageReader>>>,
}

/// What is left of a call's requests once the handler has them.
pub(super) struct Received(Arc<Shared>);

impl<T> Requests<T> {
    pub(super) fn new(
        stream: RequestStream<MessageReader>,
        max_message_bytes: usize,
    ) -> (Self, Received) {
        let shared = Arc::new(Shared {
            received: AtomicU64::new(0),
            done: Mutex::new(None),
        });
        let requests = Self {
            stream: Some(stream),
            max_message_bytes,
            pause: NetworkPause::default(),
            shared: shared.clone(),
            message: PhantomData,
        };
        (requests, Received(shared))
    }

    fn end(&mut self) {
        *self.shared.done.lock() = self.stream.take();
    }
}

impl Received {
    /// How many messages the handler has taken.
    pub(super) fn count(&self) -> u64 {
        self.0.received.load(Ordering::Relaxed)
    }
}

impl<T: Message> Requests<T> {
    /// The binding would parse a message of any length.
    fn parse(&self, message: MessageReader) -> Result<T, Status> {
        let number = || self.shared.received.load(Ordering::Relaxed) + 1;
        let (bytes, limit) = (message.len(), self.max_message_bytes);
        if bytes > limit {
            let why = format!(
                "message {} of the call has {bytes} bytes, and this server takes at most {limit}",
                number()
            );
            return Err(Status::new(RpcStatusCode::RESOURCE_EXHAUSTED, why));
        }
        let message = parse(message).map_err(|e| {
            let why = format!("message {} of the call cannot be parsed: {e}", number());
            Status::internal(why)
        })?;
        self.shared.received.fetch_add(1, Ordering::Relaxed);
        Ok(message)
    }
}

impl<T: Message> Stream for Requests<T> {
    /// A message, or why there are no more.
    type Item = Result<T, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let Some(stream) = &mut this.stream else {
            return Poll::Ready(None);
        };
        ready!(this.pause.poll(cx));
        let item = match ready!(Pin::new(stream).poll_next(cx)) {
            Some(Ok(message)) => match this.parse(message) {
                Ok(message) => return Poll::Ready(Some(Ok(message))),
                refused => Some(refused),
            },
            Some(Err(_)) => Some(Err(Status::departed())),
            None => None,
        };
        self.end();
        Poll::Ready(item)
    }
}

impl<T: Message> FusedStream for Requests<T> {
    fn is_terminated(&self) -> bool {
        self.stream.is_none()
    }
}

impl<T> Drop for Requests<T> {
    fn drop(&mut self) {
        if self.stream.is_some() {
            self.end();
        }
    }
}

impl<T> fmt::Debug for Requests<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Requests")
            .field("received", &self.shared.received)
            .field("ended", &self.stream.is_none())
            .finish()
    }
}
