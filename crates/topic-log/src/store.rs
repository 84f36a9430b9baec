//! The interface of every store.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::BoxFuture;

use crate::append::{Appended, Sequence};
use crate::error::Error;
use crate::message::Message;
use crate::name::{Name, ProducerName};
use crate::offset::{Bounds, Epoch, Offset};
use crate::start_at::StartAt;

/// A set of topics.
pub trait Store: Send + Sync + 'static {
    /// The topic of this name. It is created if it does not exist.
    ///
    /// The future is there for stores that have to ask another machine. The stores of this crate
    /// resolve at once.
    ///
    /// # Errors
    ///
    /// [`Error::Limit`] when there are too many topics, [`Error::Closed`].
    fn topic(&self, name: &Name) -> BoxFuture<'static, Result<Arc<dyn Topic>, Error>>;

    /// Ends all subscriptions with [`Error::Closed`] and accepts no more messages.
    ///
    /// Batches that were handed over before are stored first, as durably as the store can. This may
    /// block the thread. Closing again does nothing.
    fn close(&self);
}

/// One incarnation of a topic.
pub trait Topic: Send + Sync + 'static {
    /// Which incarnation this is.
    fn epoch(&self) -> Epoch;

    /// The offsets that the topic keeps now.
    fn bounds(&self) -> Bounds;

    /// Appends a batch of messages, all or none of them.
    ///
    /// The batch is handed over by the call itself; the future may be dropped. It resolves once the
    /// messages are as durable as the store makes them.
    ///
    /// # Errors
    ///
    /// [`Error::Gap`] when the sequence number is too high, [`Error::Forgotten`] when it is too low,
    /// [`Error::Reused`] when a message is not the one that the topic keeps under its number,
    /// [`Error::Limit`], [`Error::Closed`]. After [`Error::Storage`] it is unknown whether the batch
    /// will be there; with a sequence number it can be sent again.
    fn append(
        &self,
        batch: Vec<Arc<str>>,
        sequence: Option<Sequence>,
    ) -> BoxFuture<'static, Result<Appended, Error>>;

    /// The sequence number that the topic expects next of this producer. It is 0 for a producer that
    /// the topic does not know. Batches that were handed over and are not answered do not count.
    ///
    /// The future is there for stores that have to ask another machine, as [`Store::topic`] may. The
    /// stores of this crate resolve at once.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`].
    fn expected(&self, producer: &ProducerName) -> BoxFuture<'static, Result<u64, Error>>;

    /// A cursor that starts at `start`.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] or [`Error::OtherEpoch`] when `start` is an offset that the topic does
    /// not have. [`Error::Storage`] or [`Error::Damaged`] when `start` is a time, and messages that
    /// have to be searched cannot be read.
    fn subscribe(
        self: Arc<Self>,
        start: StartAt,
    ) -> BoxFuture<'static, Result<Box<dyn Cursor>, Error>>;
}

/// A subscriber's position in a topic.
pub trait Cursor: Send + Unpin {
    /// The offset of the message that [`poll_next`](Self::poll_next) returns next.
    fn offset(&self) -> Offset;

    /// The next message. Pending at the end of the log; the task is woken when there is more.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] when the message is no longer kept, [`Error::Closed`],
    /// [`Error::Storage`], [`Error::Damaged`]. Polling again returns the error again as long as its
    /// cause lasts.
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Message, Error>>;

    /// Whether the topic has the next message already.
    fn is_behind(&self) -> bool;
}
