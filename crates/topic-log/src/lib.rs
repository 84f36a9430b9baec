//! Topics: append-only logs that many subscribers follow, in memory or on disk.
//!
//! # Example
//!
//! ```
//! use std::pin::Pin;
//!
//! use futures::executor::block_on;
//! use futures::future::poll_fn;
//! use topic_log::{StoreLimits, Memory, Name, Retention, StartAt, Store};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # block_on(async {
//! let store = Memory::new(Retention::default(), StoreLimits::default());
//! let topic = store.topic(&Name::new("stocks/aaa")?).await?;
//! let appended = topic.append(vec!["1".into(), "2".into()], None).await?;
//! assert_eq!(appended.first, Some(0));
//!
//! // A subscriber reads one message and leaves. It notes where it was.
//! let mut cursor = topic.clone().subscribe(StartAt::Earliest).await?;
//! let message = poll_fn(|cx| Pin::new(&mut *cursor).poll_next(cx)).await?;
//! assert_eq!(&*message.data, "1");
//! let (offset, epoch) = (cursor.offset(), topic.epoch());
//! drop(cursor);
//!
//! // Later it resumes there.
//! let start = StartAt::Offset(offset, Some(epoch));
//! let mut cursor = topic.subscribe(start).await?;
//! let message = poll_fn(|cx| Pin::new(&mut *cursor).poll_next(cx)).await?;
//! assert_eq!(&*message.data, "2");
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! # Topics
//!
//! A topic is a log of messages. Each message has an **offset**: 0 for the first, then 1, 2 and so
//! on, without gaps. **[`Retention`]** bounds how many messages, how many bytes and how old messages
//! a topic keeps. It drops messages from the front of the log. The offsets of the others do not
//! change. [`Bounds`] are the offset of the earliest message that is kept, and the offset that the
//! next one gets.
//!
//! A topic is created when it is first named. Each incarnation of it has another **[`Epoch`]**. An
//! empty topic that nobody has used for a while may be dropped to make room for another. When it is
//! created again, its offsets start at 0 in another epoch. An offset therefore means something only
//! together with its epoch.
//!
//! # Subscribers
//!
//! A subscriber is a **[`Cursor`]**, not a queue. Messages are stored once for all subscribers, and
//! a slow subscriber costs no memory. A cursor delivers every message from its start on, each once
//! and in order:
//!
//! - at the end of the log it waits;
//! - when its next message is no longer kept, because it was too slow, it ends with
//!   [`Error::OutOfRange`]: it never skips a message;
//! - when the store closes, it ends with [`Error::Closed`].
//!
//! A start at an offset that the topic does not have is [`Error::OutOfRange`] as well.
//!
//! # Publishers
//!
//! A publisher hands a batch over and may wait for the answer. It does not wait for subscribers to
//! be woken: another thread does that, except for one or two of them on a quiet topic.
//!
//! With a **[`Sequence`]**, which is the name of a producer and a number, a message is stored once
//! however often it is sent. The topic knows which number it expects next of each producer. Lower
//! numbers are duplicates: they are acknowledged and not stored again. A higher number is
//! [`Error::Gap`]. A producer that the topic does not know may begin at any number. Numbers before
//! the first one are [`Error::Forgotten`] later, because the topic cannot know whether it ever had
//! them. A topic remembers a bounded number of producers, and forgets the least recently seen first.
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `disk` | `Disk`, the store that keeps topics in a folder (Unix only) |
//! | `conformance` | `conformance`, what every store promises as checks, for the tests of a store |
//!
//! Neither is on by default.

mod append;
#[cfg(feature = "disk")]
mod catch_panic;
mod clock;
#[cfg(feature = "conformance")]
pub mod conformance;
#[cfg(feature = "disk")]
mod disk;
mod error;
mod identity;
mod limit_watch;
mod limits;
mod memory;
mod message;
mod name;
mod notifier;
mod offset;
mod places;
mod producers;
mod registry;
mod retention;
mod start_at;
mod store;
mod tail;
mod tail_cursor;
mod times;

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
