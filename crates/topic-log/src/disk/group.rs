//! What is written together: the batches of all publishers that wait, topic by topic.
//!
//! A group decides which batches are accepted and which offsets they get. It does not write: it
//! knows nothing of the engine.

use std::collections::HashMap;
use std::sync::Arc;

use futures::channel::oneshot;

use super::entry::{Entry, Forgotten};
use super::record;
use crate::append::{Appended, Sequence};
use crate::clock::Moment;
use crate::error::Error;
use crate::limits::StoreLimits;
use crate::message::Message;
use crate::name::ProducerName;
use crate::producers::Known;
use crate::retention::Retention;
use crate::tail::HasTail;

/// A batch, and the publisher that waits for it.
#[derive(Debug)]
pub(super) struct Append {
    pub(super) entry: Arc<Entry>,
    pub(super) batch: Vec<Arc<str>>,
    pub(super) sequence: Option<Sequence>,
    pub(super) reply: Reply,
}

/// Where a publisher gets its answer. It may have left.
pub(super) type Reply = oneshot::Sender<Result<Appended, Error>>;

impl Append {
    pub(super) fn refuse(self, why: Error) {
        let _ = self.reply.send(Err(why));
    }

    /// The bytes of the batch, as retention counts them.
    pub(super) fn bytes(&self) -> u64 {
        bytes(&self.batch)
    }
}

fn bytes(texts: &[Arc<str>]) -> u64 {
    texts.iter().map(|text| Message::retained_bytes(text)).sum()
}

/// What a group changes in one topic.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) entry: Arc<Entry>,
    /// What is stored of the topic afterwards.
    pub(super) record: record::Topic,
    /// The messages that are appended.
    pub(super) texts: Vec<Arc<str>>,
    /// What the topic has of the producers that published.
    pub(super) producers: Vec<(ProducerName, Known)>,
    /// Producers that the topic no longer remembers.
    pub(super) forgotten: Vec<ProducerName>,
}

/// Batches that are written in one step, all or none.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) now: Moment,
    pub(super) changes: Vec<Change>,
    /// The index of each topic in `changes`.
    by_topic: HashMap<u64, usize>,
    pub(super) replies: Vec<(Reply, Appended)>,
    /// Whether there was no room for a batch.
    pub(super) refused: bool,
}

impl Group {
    pub(super) fn new(now: Moment) -> Self {
        Self {
            now,
            changes: Vec::new(),
            by_topic: HashMap::new(),
            replies: Vec::new(),
            refused: false,
        }
    }

    /// The change of a topic, which is empty if the topic is new in the group.
    pub(super) fn change(&mut self, entry: &Arc<Entry>) -> &mut Change {
        let (now, changes) = (self.now, &mut self.changes);
        let index = *self.by_topic.entry(entry.id()).or_insert_with(|| {
            let mut record = entry.record();
            record.times.observe(now, record.bounds);
            changes.push(Change {
                entry: entry.clone(),
                record,
                texts: Vec::new(),
                producers: Vec::new(),
                forgotten: Vec::new(),
            });
            changes.len() - 1
        });
        &mut self.changes[index]
    }

    /// Adds a batch, or refuses it. Returns the batch when it has to wait for the next group,
    /// because another one of its producer is in this group.
    ///
    /// `kept` is the number of bytes that all topics keep, including the changes so far.
    pub(super) fn add(
        &mut self,
        append: Append,
        kept: &mut u64,
        retention: &Retention,
        limits: &StoreLimits,
    ) -> Option<Append> {
        let now = self.now;
        let change = self.change(&append.entry);
        let producer = append.sequence.as_ref().map(|s| &s.producer);
        if producer.is_some_and(|p| change.producers.iter().any(|(other, _)| other == p)) {
            return Some(append);
        }
        match change.add(&append, kept, retention, limits) {
            Ok(appended) => {
                if appended.stored > 0 {
                    change.record.times.receive(now);
                }
                self.replies.push((append.reply, appended));
            }
            Err(why) => {
                self.refused |= matches!(why, Error::Limit { .. });
                append.refuse(why);
            }
        }
        None
    }
}

impl Change {
    /// Whether there is nothing to write.
    pub(super) fn is_empty(&self) -> bool {
        self.texts.is_empty() && self.producers.is_empty() && self.forgotten.is_empty()
    }

    /// The bytes of the messages that are appended, as retention counts them.
    pub(super) fn bytes(&self) -> u64 {
        bytes(&self.texts)
    }

    /// Removes a producer that the topic no longer remembers.
    pub(super) fn forget(&mut self, forgotten: &Forgotten) {
        let Forgotten {
            producer, known, ..
        } = forgotten;
        self.record.sequenced = self.record.sequenced.wrapping_sub(known.next);
        // A producer that has published again in this group is stored again.
        if self.producers.iter().all(|(other, _)| other != producer) {
            self.forgotten.push(producer.clone());
        }
    }

    fn add(
        &mut self,
        append: &Append,
        kept: &mut u64,
        retention: &Retention,
        limits: &StoreLimits,
    ) -> Result<Appended, Error> {
        let count = append.batch.len() as u64;
        let mut duplicates = 0;
        let mut expected = None;
        let mut published = None;
        if let Some(sequence) = &append.sequence {
            let producers = &append.entry.tail().lock().producers;
            let (name, bounds) = (&self.record.name, self.record.bounds);
            let checked = producers.check(name, sequence, count, bounds)?;
            let before = producers.expected(&sequence.producer);
            duplicates = checked.duplicates;
            expected = Some(checked.known.next);
            published = Some((sequence.producer.clone(), checked.known, before));
        }
        // Not more than `count`, which is a length.
        let fresh = &append.batch[duplicates as usize..];
        let bytes = bytes(fresh);
        // What the topic drops for the batch.
        let beyond = |kept: u64| kept.saturating_sub(retention.bytes);
        let freed = beyond(self.record.bytes + bytes) - beyond(self.record.bytes);
        if *kept + bytes > limits.bytes.saturating_add(freed) {
            return Err(Error::Limit {
                of: "bytes in all topics",
                limit: limits.bytes,
            });
        }
        *kept = (*kept + bytes).saturating_sub(freed);
        let first = self.record.bounds.next;
        let stored = fresh.len() as u64;
        self.record.bounds.next += stored;
        self.record.bytes += bytes;
        self.texts.extend_from_slice(fresh);
        if let Some((producer, known, before)) = published {
            let added = known.next.wrapping_sub(before);
            self.record.sequenced = self.record.sequenced.wrapping_add(added);
            self.producers.push((producer, known));
        }
        Ok(Appended {
            first: (stored > 0).then_some(first),
            stored,
            duplicates,
            expected,
        })
    }
}
