//! Topics: append-only logs that many subscribers follow.
//!
//! # Semantics
//!
//! A topic is a log of messages. Each has an **offset**: 0 for the first, then 1, 2, … without
//! gaps. **Retention** bounds what a topic keeps: old messages are dropped from its front, by
//! number, bytes and age, and the offsets of the others stay what they were. [`Bounds`] are the
//! offset of the oldest message that is kept (*earliest*) and of the next to come (*next*); of an
//! empty topic they are equal.
//!
//! A topic comes into being when it is first named, and lives one life, its [`Epoch`]. An
//! empty topic that nobody has used for a while is dropped; the next of the same name is another life, whose offsets start at 0
//! again. An offset means something only together with its epoch.
//!
//! A **subscriber is a cursor**, not a queue: an offset into the log. Messages are stored once,
//! for all. A subscriber sees every message from its cursor on, each once and in order:
//!
//! - at the end of the log it waits;
//! - before the retained tail, because it started there or was too slow, it ends with
//!   [`Error::OutOfRange`]: nothing is ever skipped;
//! - beyond the end it never is: a start there is [`Error::OutOfRange`] as well;
//! - when the hub closes, it ends with [`Error::Closed`].
//!
//! A **publisher** appends and goes on; waking the subscribers is another thread's work, but for
//! one or two of them on a quiet topic. With a
//! **producer** name and a sequence number a message is appended once however often it is sent:
//! the topic knows the next number it expects of each producer, takes what has a lower one for a
//! repetition and refuses what has a higher one. Of a producer that it does not know it takes any
//! number, and later refuses those before it: whether it ever had them it cannot know. The
//! producers of a topic that are remembered are bounded too; the least recently seen are forgotten
//! first, and may begin anew at any number.

#[cfg(feature = "disk")]
mod catch_panic;
#[cfg(feature = "disk")]
mod disk;
mod error;
mod identity;
mod limits;
mod memory;
mod name;
mod notifier;
mod producers;
mod registry;
mod start_at;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use futures::future::BoxFuture;

#[cfg(feature = "disk")]
pub use disk::{list, Disk, Durability, OpenError, TopicSummary};
pub use error::Error;
pub use limits::Limits;
pub use memory::Memory;
pub use name::{Name, NameError, ProducerName};
pub use start_at::{decimal, StartAt, StartAtError};

/// The place of a message in its topic's life.
pub type Offset = u64;

/// Names one life of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Epoch(pub u64);

/// A message as a topic keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// When the topic received it.
    pub time: SystemTime,
    /// What was published.
    pub data: Arc<str>,
}

/// The offsets that a topic has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The oldest message that is kept.
    pub earliest: Offset,
    /// The message that is appended next.
    pub next: Offset,
}

/// What makes publishing exactly-once: who sends, and the number of the first message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequence {
    /// The sender.
    pub producer: ProducerName,
    /// The number of the first message of the batch; the next has one more.
    pub first: u64,
}

impl Sequence {
    /// The sequence of what comes `count` messages later; None beyond the last number.
    pub fn after(&self, count: u64) -> Option<Self> {
        Some(Self {
            producer: self.producer.clone(),
            first: self.first.checked_add(count)?,
        })
    }
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The offset of the first message that was stored, if any was.
    pub first: Option<Offset>,
    /// How many messages were stored, at offsets without gaps.
    pub stored: u64,
    /// How many the topic had already.
    pub duplicates: u64,
}

/// How much a topic keeps. Each bound holds by itself; a topic keeps at least nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// At most so many messages.
    pub messages: u64,
    /// At most so many bytes, counted as text plus [`MESSAGE_OVERHEAD`] each.
    pub bytes: u64,
    /// Nothing that was received longer ago.
    pub age: Option<Duration>,
}

/// What a stored message costs beside its text, in bytes, about.
pub const MESSAGE_OVERHEAD: u64 = 64;

/// What a message with this text counts for, wherever bytes of messages are counted.
pub fn cost(text: &str) -> u64 {
    text.len() as u64 + MESSAGE_OVERHEAD
}

impl Default for Retention {
    /// 100,000 messages, 64 MiB, any age.
    fn default() -> Self {
        Self {
            messages: 100_000,
            bytes: 64 * 1024 * 1024,
            age: None,
        }
    }
}

/// All topics of a server.
pub trait Store: Send + Sync + 'static {
    /// The topic of this name, which comes into being if there is none.
    ///
    /// # Errors
    ///
    /// [`Error::Limit`] when there are too many topics, [`Error::Closed`].
    fn topic(&self, name: &Name) -> Result<Arc<dyn Topic>, Error>;

    /// Ends all subscriptions with [`Error::Closed`] and takes no more messages. Returns once what
    /// publishers have handed over is as safe as it gets; may block.
    fn close(&self);
}

/// One life of one topic.
pub trait Topic: Send + Sync + 'static {
    /// Which life.
    fn epoch(&self) -> Epoch;

    /// What it has now.
    fn bounds(&self) -> Bounds;

    /// Appends messages, all or none; resolves once they are as safe as the store makes them.
    ///
    /// # Errors
    ///
    /// [`Error::Gap`] for a sequence number that is too high, [`Error::Forgotten`] for one that is
    /// too low, [`Error::Limit`], [`Error::Closed`]. With [`Error::Storage`] it is not known whether
    /// the batch will be there; with a sequence it can be sent again.
    fn append(
        &self,
        batch: Vec<Arc<str>>,
        sequence: Option<Sequence>,
    ) -> BoxFuture<'static, Result<Appended, Error>>;

    /// A cursor at `start`.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] or [`Error::OtherEpoch`] when `start` is an offset that the topic has not;
    /// [`Error::Storage`] and [`Error::Damaged`] where a time has to be looked for on disk.
    fn subscribe(
        self: Arc<Self>,
        start: StartAt,
    ) -> BoxFuture<'static, Result<Box<dyn Cursor>, Error>>;
}

/// A subscriber's place in a topic.
pub trait Cursor: Send + Unpin {
    /// The offset of the message that [`poll_next`](Self::poll_next) gives next.
    fn offset(&self) -> Offset;

    /// The next message; pending at the end of the log.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] when the message is no longer kept, [`Error::Closed`],
    /// [`Error::Storage`], [`Error::Damaged`]. Each is given again however often it is asked, as long
    /// as its cause lasts.
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Message, Error>>;

    /// Whether the message that comes next is there.
    fn is_behind(&self) -> bool;
}
