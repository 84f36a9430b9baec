//! What a publisher says about a batch, and what it gets to know about it.

use crate::name::ProducerName;
use crate::offset::Offset;

/// The sequence number of a batch. It makes publishing exactly-once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequence {
    /// The producer that numbers its messages.
    pub producer: ProducerName,
    /// The number of the first message of the batch. Each following message has the next number.
    pub first: u64,
}

impl Sequence {
    /// The sequence number of the message `count` messages later. `None` when it would be greater
    /// than the largest number.
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
    /// The offset of the first message that was stored; `None` when none was.
    pub first: Option<Offset>,
    /// How many messages were stored. Their offsets follow each other without gaps.
    pub stored: u64,
    /// How many messages were not stored because the topic had them already.
    pub duplicates: u64,
    /// The sequence number that the topic expects next of the batch's producer; `None` for a batch
    /// without a sequence.
    pub expected: Option<u64>,
}
