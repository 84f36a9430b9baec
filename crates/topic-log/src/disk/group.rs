//! What is written together: the batches of all publishers that wait, topic by topic.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use futures::channel::oneshot;

use super::record;
use super::topic::DiskTopic;
use crate::append::{Appended, Sequence};
use crate::error::Error;
use crate::limits::Limits;
use crate::message::Message;
use crate::name::ProducerName;
use crate::producers::Known;
use crate::retention::Retention;

/// A batch, and who waits for it.
#[derive(Debug)]
pub(super) struct Append {
    pub(super) log: Arc<DiskTopic>,
    pub(super) batch: Vec<Arc<str>>,
    pub(super) sequence: Option<Sequence>,
    pub(super) reply: Reply,
}

pub(super) type Reply = oneshot::Sender<Result<Appended, Error>>;

impl Append {
    /// Whoever has left is not told.
    pub(super) fn refuse(self, why: Error) {
        let _ = self.reply.send(Err(why));
    }

    pub(super) fn bytes(&self) -> u64 {
        self.batch
            .iter()
            .map(|text| Message::retained_bytes(text))
            .sum()
    }
}

/// What becomes of one topic.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) log: Arc<DiskTopic>,
    /// What it is afterwards.
    pub(super) record: record::Topic,
    pub(super) texts: Vec<Arc<str>>,
    pub(super) producers: Vec<(ProducerName, Known)>,
    /// Producers that the topic no longer remembers.
    pub(super) forgotten: Vec<ProducerName>,
}

/// Batches that are written in one step, or not at all.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) now: SystemTime,
    pub(super) changes: Vec<Change>,
    /// The place of each topic in `changes`.
    by_topic: HashMap<u64, usize>,
    pub(super) replies: Vec<(Reply, Appended)>,
}

impl Group {
    pub(super) fn new() -> Self {
        Self {
            now: SystemTime::now(),
            changes: Vec::new(),
            by_topic: HashMap::new(),
            replies: Vec::new(),
        }
    }

    /// What becomes of a topic; nothing yet, if it is new in the group.
    pub(super) fn change(&mut self, log: &Arc<DiskTopic>) -> &mut Change {
        let (now, changes) = (self.now, &mut self.changes);
        let place = *self.by_topic.entry(log.id()).or_insert_with(|| {
            let mut record = log.record(&log.state());
            record.latest_time = record.latest_time.max(now);
            changes.push(Change {
                log: log.clone(),
                record,
                texts: Vec::new(),
                producers: Vec::new(),
                forgotten: Vec::new(),
            });
            changes.len() - 1
        });
        &mut self.changes[place]
    }

    /// Takes in a batch, or refuses it. Gives it back when it has to wait for the next group,
    /// because another of its producer is in this one.
    ///
    /// `kept` is what all topics keep, counting the changes so far.
    pub(super) fn add(
        &mut self,
        append: Append,
        kept: &mut u64,
        retention: &Retention,
        limits: &Limits,
    ) -> Option<Append> {
        let change = self.change(&append.log);
        let producer = append.sequence.as_ref().map(|s| &s.producer);
        if producer.is_some_and(|p| change.producers.iter().any(|(other, _)| other == p)) {
            return Some(append);
        }
        match change.add(&append, kept, retention, limits) {
            Ok(appended) => self.replies.push((append.reply, appended)),
            Err(why) => append.refuse(why),
        }
        None
    }
}

impl Change {
    /// Whether there is anything to write.
    pub(super) fn is_one(&self) -> bool {
        !(self.texts.is_empty() && self.producers.is_empty() && self.forgotten.is_empty())
    }

    pub(super) fn forget(&mut self, producer: ProducerName, known: Known) {
        self.record.sequenced = self.record.sequenced.wrapping_sub(known.next);
        // If it has just come back it is known anew.
        if self.producers.iter().all(|(other, _)| *other != producer) {
            self.forgotten.push(producer);
        }
    }

    fn add(
        &mut self,
        append: &Append,
        kept: &mut u64,
        retention: &Retention,
        limits: &Limits,
    ) -> Result<Appended, Error> {
        let count = append.batch.len() as u64;
        let mut duplicates = 0;
        let mut known = None;
        if let Some(sequence) = &append.sequence {
            let producer = &sequence.producer;
            let producers = &append.log.state().producers;
            duplicates = producers.repeated(&self.record.name, sequence, count)?;
            let before = producers.get(producer).map_or(0, |known| known.next);
            known = Some((producer.clone(), producers.with(sequence, count), before));
        }
        // No more than `count`, which came from a length.
        let fresh = &append.batch[duplicates as usize..];
        let bytes = fresh
            .iter()
            .map(|text| Message::retained_bytes(text))
            .sum::<u64>();
        // What the topic itself gives up for the batch.
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
        if let Some((producer, known, before)) = known {
            let sequenced = known.next.wrapping_sub(before);
            self.record.sequenced = self.record.sequenced.wrapping_add(sequenced);
            self.producers.push((producer, known));
        }
        Ok(Appended {
            first: (stored > 0).then_some(first),
            stored,
            duplicates,
        })
    }
}
