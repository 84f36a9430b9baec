//! What can go wrong with a topic.

use std::fmt;
use std::path::PathBuf;

use crate::name::{Name, ProducerName};
use crate::offset::{Bounds, Epoch, Offset};

/// Why a topic did not do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// There is no message at this offset: it is before the retained tail or beyond the end.
    OutOfRange {
        /// The topic.
        topic: Name,
        /// Which life it lives.
        epoch: Epoch,
        /// The offset that was wanted.
        wanted: Offset,
        /// What the topic has.
        bounds: Bounds,
    },
    /// The offset belongs to another life of the topic.
    OtherEpoch {
        /// The topic.
        topic: Name,
        /// The life that was wanted.
        wanted: Epoch,
        /// The life that the topic lives now.
        now: Epoch,
        /// What the topic has.
        bounds: Bounds,
    },
    /// A producer left out sequence numbers.
    Gap {
        /// The topic.
        topic: Name,
        /// The producer.
        producer: ProducerName,
        /// The number that comes next.
        expected: u64,
        /// The number that came.
        got: u64,
    },
    /// A producer repeats numbers from before the topic knew it.
    Forgotten {
        /// The topic.
        topic: Name,
        /// The producer.
        producer: ProducerName,
        /// The first number that the topic knows.
        first: u64,
        /// The number that came.
        got: u64,
    },
    /// A limit of the whole store is reached.
    Limit {
        /// Of what there is too much, such as `topics`.
        of: &'static str,
        /// How much there may be.
        limit: u64,
    },
    /// The store cannot read or write now; it tries again by itself.
    Storage {
        /// Where it keeps the topics.
        dir: PathBuf,
        /// What failed.
        why: String,
    },
    /// A message that was stored is there no more, or is not what was published.
    Damaged {
        /// The topic.
        topic: Name,
        /// The message.
        offset: Offset,
        /// Where the topics are kept.
        dir: PathBuf,
    },
    /// The store is closed.
    Closed,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfRange {
                topic,
                wanted,
                bounds,
                ..
            } => write!(
                f,
                "topic {topic} has no offset {wanted}: its earliest is {} and its next {}",
                bounds.earliest, bounds.next
            ),
            Self::OtherEpoch {
                topic,
                wanted,
                now,
                bounds,
            } => write!(
                f,
                "topic {topic} lives its epoch {now}, not {wanted}: offsets of then mean nothing \
                 now; its earliest is {} and its next {}",
                bounds.earliest, bounds.next
            ),
            Self::Gap {
                topic,
                producer,
                expected,
                got,
            } => write!(
                f,
                "topic {topic} expects sequence {expected} of producer {producer}, not {got}: \
                 send what is missing first"
            ),
            Self::Forgotten {
                topic,
                producer,
                first,
                got,
            } => write!(
                f,
                "topic {topic} knows producer {producer} from sequence {first} on, and not \
                 whether it has {got}: publish that under another producer's name"
            ),
            Self::Limit { of, limit } => write!(f, "the server's limit of {limit} {of} is reached"),
            Self::Storage { dir, why } => write!(
                f,
                "the topics in {} cannot be used: {why}; try again, as the server does every second",
                dir.display()
            ),
            Self::Damaged { topic, offset, dir } => write!(
                f,
                "topic {topic} is damaged at offset {offset}: read from a later one, or have a copy \
                 of {} put back",
                dir.display()
            ),
            Self::Closed => f.write_str("the topics are closed: the server is shutting down"),
        }
    }
}

impl std::error::Error for Error {}
