//! The requests of a call as a stream.

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::task::{ready, Context, Poll};

use futures::stream::FusedStream;
use futures::Stream;
use grpcio::{MessageReader, RequestStream};
use parking_lot::Mutex;
use protobuf::Message;

use crate::codec::parse;
use crate::fairness::NetworkPause;
use crate::limits::check_length;
use crate::status::Status;

/// The messages that a client sends in one call, in order.
///
/// The stream ends when the client half-closes. It fails once, and then ends, with
///
/// - INTERNAL if a message cannot be parsed, which is the code that gRPC's
///   [table of statuses](https://grpc.github.io/grpc/core/md_doc_statuscodes.html) requires;
/// - RESOURCE_EXHAUSTED if a message is [too long](crate::ServiceBuilder::max_message_bytes);
/// - CANCELLED if the client is known to have left before the end.
///
/// **The end of the stream does not mean that the client sent everything.** The C core reports a
/// connection that was cut as the end of the stream, and reports the end of the call a moment
/// later. Usually the handler is dropped then, but it may act on the end of the stream before.
/// Therefore a handler should act on each message by itself. Only
/// [`Observer::ended`](crate::Observer::ended) knows whether an upload was complete: a client that
/// has left cannot be sent a status.
///
/// The stream may be dropped before its end. The call continues until the handler's response has
/// been sent.
pub struct Requests<T> {
    /// None once the stream has ended or has been dropped. Then `shared` has the binding's stream.
    stream: Option<RequestStream<MessageReader>>,
    max_message_bytes: usize,
    pause: NetworkPause,
    shared: Arc<Shared>,
    message: PhantomData<fn() -> T>,
}

/// The part that the adapter keeps after the handler has been dropped.
struct Shared {
    received: AtomicU64,
    /// The binding cancels the call when its stream is dropped, and the status would be lost.
    /// Therefore the stream is kept here from its end until the call is over.
    done: Mutex<Option<RequestStream<MessageReader>>>,
}

/// Counts the requests of a call while the handler has the stream.
pub(crate) struct Received(Arc<Shared>);

impl<T> Requests<T> {
    pub(crate) fn new(
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
    /// How many messages the handler has received.
    pub(crate) fn count(&self) -> u64 {
        self.0.received.load(Ordering::Relaxed)
    }
}

impl<T: Message> Requests<T> {
    /// Parses a message, after a check of its length that the binding would not make.
    fn parse(&self, message: MessageReader) -> Result<T, Status> {
        let number = self.shared.received.load(Ordering::Relaxed) + 1;
        check_length("server", number, message.len(), self.max_message_bytes)?;
        let message = parse(message).map_err(|e| {
            Status::internal(format!(
                "message {number} of the call cannot be parsed: {e}"
            ))
        })?;
        self.shared.received.fetch_add(1, Ordering::Relaxed);
        Ok(message)
    }
}

impl<T: Message> Stream for Requests<T> {
    /// A message, or why there are no more messages.
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
