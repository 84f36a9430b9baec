//! Why a subscription ends, or leaves messages out.

use std::fmt;

use grpcio_streams::Status;
use topic_log::{Epoch, Name, Offset};

use crate::protocol::Position;

/// An error of a subscription, which goes on only after [`Lost`](Self::Lost).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// The subscription has ended with this status.
    #[error(transparent)]
    Ended(Status),
    /// The next message is longer than the client takes, and the subscription has ended before it.
    #[error("{0}")]
    TooLong(LongMessage),
    /// Messages are lost. The subscription goes on after them.
    #[error("{0}")]
    Lost(Loss),
}

/// A message that is longer than [`Config::message_bytes`](super::Config::message_bytes).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LongMessage {
    /// The topic.
    pub topic: Name,
    /// The position of the message. A subscription that starts at the offset after it leaves the
    /// message out.
    pub position: Position,
    /// The length of the message, in bytes as encoded.
    pub bytes: usize,
    /// The longest message that the client takes, in bytes as encoded.
    pub limit: usize,
}

impl fmt::Display for LongMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { epoch, offset } = self.position;
        write!(
            f,
            "topic {}: the message at offset {offset} of epoch {epoch} has {} bytes, and this \
             client accepts at most {}",
            self.topic, self.bytes, self.limit
        )
    }
}

/// A loss of messages. Usually these are messages that the subscriber has not received. If `next`
/// is before `from` in the same epoch, they are messages that it has received and the topic has
/// lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The topic.
    pub topic: Name,
    /// The epoch in which the messages are lost.
    pub epoch: Epoch,
    /// The offset of the first lost message. If the epoch has changed, it is not known whether
    /// there was a message at this offset.
    pub from: Offset,
    /// The present epoch of the topic.
    pub now: Epoch,
    /// The offset in the present epoch at which the subscription goes on.
    pub next: Offset,
}

/// The messages from one offset to before another, in words.
fn messages(from: Offset, end: Offset) -> String {
    match end.saturating_sub(1) {
        last if last == from => format!("message {from}"),
        last => format!("messages {from} to {last}"),
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            topic,
            epoch,
            from,
            now,
            next,
        } = self;
        if epoch == now && next < from {
            write!(
                f,
                "topic {topic}: the server has lost {}, received before; going on at {next}",
                messages(*next, *from)
            )
        } else if epoch == now {
            write!(
                f,
                "topic {topic}: lost {}: the server has dropped what was not read yet; going on \
                 at {next}",
                messages(*from, *next)
            )
        } else {
            write!(
                f,
                "topic {topic}: all messages from offset {from} of epoch {epoch} on are lost: the \
                 topic has a new epoch; going on at offset {next} of epoch {now}"
            )
        }
    }
}
