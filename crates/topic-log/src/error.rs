//! Why a topic refuses a request.

use std::path::PathBuf;

use thiserror::Error;

use crate::name::{Name, ProducerName};
use crate::offset::{Bounds, Epoch, Offset};

/// Why a topic did not do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no message at this offset: it is before the earliest message that is kept, or
    /// beyond the end.
    #[error(
        "topic {topic} has no offset {wanted}: its earliest is {} and its next {}",
        .bounds.earliest, .bounds.next
    )]
    OutOfRange {
        /// The topic.
        topic: Name,
        /// Its epoch.
        epoch: Epoch,
        /// The offset that was asked for.
        wanted: Offset,
        /// The offsets that the topic has.
        bounds: Bounds,
    },
    /// The offset belongs to another incarnation of the topic.
    #[error(
        "topic {topic} is in epoch {now} and not in {wanted}, whose offsets mean nothing now: its \
         earliest is {} and its next {}",
        .bounds.earliest, .bounds.next
    )]
    OtherEpoch {
        /// The topic.
        topic: Name,
        /// The epoch that was asked for.
        wanted: Epoch,
        /// The epoch of the topic.
        now: Epoch,
        /// The offsets that the topic has.
        bounds: Bounds,
    },
    /// A producer left out sequence numbers.
    #[error(
        "topic {topic} expects sequence {expected} of producer {producer}, not {got}: send what is \
         missing first"
    )]
    Gap {
        /// The topic.
        topic: Name,
        /// The producer.
        producer: ProducerName,
        /// The number that the topic expects next.
        expected: u64,
        /// The number that was sent.
        got: u64,
    },
    /// A producer repeats sequence numbers from before the topic knew it.
    #[error(
        "topic {topic} knows producer {producer} from sequence {first} on, and not whether it has \
         {got}: publish that message under another producer name"
    )]
    Forgotten {
        /// The topic.
        topic: Name,
        /// The producer.
        producer: ProducerName,
        /// The first number that the topic knows of this producer.
        first: u64,
        /// The number that was sent.
        got: u64,
    },
    /// A producer gives the sequence number of a message that the topic keeps to another message.
    #[error(
        "topic {topic} has another message as sequence {number} of producer {producer}, at offset \
         {offset}: give a new message a new number"
    )]
    Reused {
        /// The topic.
        topic: Name,
        /// The producer.
        producer: ProducerName,
        /// The sequence number of the message that differs.
        number: u64,
        /// The offset of the message that the topic keeps.
        offset: Offset,
    },
    /// One of the store's [`StoreLimits`](crate::StoreLimits) is reached.
    #[error("the store's limit of {limit} {of} is reached: raise it, or make room")]
    Limit {
        /// What is limited: `topics` or `bytes in all topics`.
        of: &'static str,
        /// The limit.
        limit: u64,
    },
    /// The store cannot read or write now. It tries again by itself.
    #[error(
        "the topics in {} cannot be used: {why}; try again later, as the store does every second",
        .dir.display()
    )]
    Storage {
        /// The folder of the store.
        dir: PathBuf,
        /// What failed.
        why: String,
    },
    /// A stored message is missing, or is not the message that was published.
    #[error(
        "topic {topic} is damaged at offset {offset}: read from a later offset, or put back a copy \
         of {}",
        .dir.display()
    )]
    Damaged {
        /// The topic.
        topic: Name,
        /// The offset of the message.
        offset: Offset,
        /// The folder of the store.
        dir: PathBuf,
    },
    /// The store is closed.
    #[error("the topics are closed")]
    Closed,
}
