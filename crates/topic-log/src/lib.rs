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

mod append;
#[cfg(feature = "disk")]
mod catch_panic;
#[cfg(feature = "conformance")]
pub mod conformance;
#[cfg(feature = "disk")]
mod disk;
mod error;
mod identity;
mod limits;
mod memory;
mod message;
mod name;
mod notifier;
mod offset;
mod producers;
mod registry;
mod retention;
mod start_at;
mod store;
mod tail;
mod tail_cursor;

pub use append::{Appended, Sequence};
#[cfg(feature = "disk")]
pub use disk::{Disk, Durability, OpenError, TopicSummary};
pub use error::Error;
pub use limits::StoreLimits;
pub use memory::Memory;
pub use message::{Message, MESSAGE_OVERHEAD};
pub use name::{Name, NameError, ProducerName};
pub use offset::{Bounds, Epoch, Offset};
pub use retention::Retention;
pub use start_at::{decimal, StartAt, StartAtError};
pub use store::{Cursor, Store, Topic};
