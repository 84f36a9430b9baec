//! The thread that writes: it gathers what publishers have for it, writes that in one step, and
//! answers them all.
//!
//! While one group is being synced the next gathers, so that one sync serves whoever waits for it.
//! A message is visible, and its publisher answered, once it is as safe as [`Durability`] says; the
//! messages of a group and the sequence numbers of their producers become durable together or not
//! at all.
//!
//! When writing fails the engine is closed, because what it holds of the failed group is unknown.
//! Publishers are refused until it has been opened anew, which is tried every second; then the
//! topics are what the engine says, which is at least what was acknowledged.

mod maintenance;
mod recovery;

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::engine::{Engine, Failure};
use super::group::{Append, Change, Group};
use super::hub::Hub;
use super::memory_budget::MemoryBudget;
use super::reclaim::Reclaim;
use super::retention::Oldest;
use super::stored::Stored;
use super::topic::DiskTopic;
use super::Durability;
use crate::message::Message;
use crate::name::ProducerName;
use crate::offset::Offset;
use crate::producers::Known;
use crate::registry::Registry;

/// A group is closed once it has so much, counted as retention counts it.
const GROUP_BYTES: u64 = 4 * 1024 * 1024;

/// How often the topics are looked at: for messages that are too old, and for blocks that are no
/// longer kept; and how often it is tried again after a failure.
const MAINTAIN_EVERY: Duration = Duration::from_secs(1);

/// What the writer is asked for.
#[derive(Debug)]
pub(super) enum Work {
    Append(Append),
    /// This topic is no more; topics begin with this epoch from now on.
    Remove(Arc<DiskTopic>, u64),
    /// Nothing comes after this.
    Stop,
}

/// A producer that is stored, and that its topic no longer remembers.
pub(super) type Forgotten = (Arc<DiskTopic>, ProducerName, Known);

pub(super) struct Writer {
    hub: Arc<Hub>,
    work: Receiver<Work>,
    topics: Weak<Mutex<Registry<DiskTopic>>>,
    durability: Durability,
    /// Why there is none, where nothing can be written.
    engine: Result<Arc<Engine>, Failure>,
    /// What all topics keep.
    kept: u64,
    /// The last number that a producer got for being seen.
    seen: u64,
    memory: MemoryBudget,
    oldest: Oldest,
    reclaim: Reclaim,
    /// Batches for the next group.
    held: Vec<Append>,
    /// Topics that are no more, and the epoch after them.
    removed: Vec<u64>,
    epoch: Option<u64>,
    forgotten: Vec<Forgotten>,
    /// The bound from which on a topic has another block to remove.
    trim_at: HashMap<u64, Offset>,
    maintain_from: usize,
    /// When the first message was written that is not synced.
    unsynced: Option<Instant>,
    maintained: Instant,
}

impl Writer {
    /// A writer of the topics that `stored` was loaded for, which keep so many bytes.
    pub(super) fn new(
        hub: Arc<Hub>,
        work: Receiver<Work>,
        topics: Weak<Mutex<Registry<DiskTopic>>>,
        durability: Durability,
        stored: &Stored,
        forgotten: Vec<Forgotten>,
    ) -> Self {
        Self {
            engine: hub.engine(),
            hub,
            work,
            topics,
            durability,
            kept: stored.kept(),
            seen: stored.seen,
            memory: MemoryBudget::default(),
            oldest: Oldest::default(),
            reclaim: Reclaim::default(),
            held: Vec::new(),
            removed: Vec::new(),
            epoch: None,
            forgotten,
            trim_at: HashMap::new(),
            maintain_from: 0,
            unsynced: None,
            maintained: Instant::now(),
        }
    }

    /// Works until it is told to stop, or nobody can tell it any more.
    pub(super) fn run(mut self) {
        let mut going_on = true;
        while going_on || !self.held.is_empty() {
            let mut appends = std::mem::take(&mut self.held);
            going_on &= self.gather(&mut appends);
            self.write(appends);
            self.sync_in_time(!going_on);
            self.maintain();
        }
    }

    /// Takes what there is to do, waiting for it where there is nothing. False once nothing comes
    /// after it.
    fn gather(&mut self, appends: &mut Vec<Append>) -> bool {
        let mut bytes: u64 = appends.iter().map(Append::bytes).sum();
        let mut wait = match appends.is_empty() {
            true => self.until_something_is_due(),
            false => Duration::ZERO,
        };
        while bytes < GROUP_BYTES {
            match self.work.recv_timeout(std::mem::take(&mut wait)) {
                Ok(Work::Append(append)) => {
                    bytes += append.bytes();
                    appends.push(append);
                }
                Ok(Work::Remove(log, epoch)) => {
                    self.removed.push(log.id());
                    self.epoch = Some(epoch);
                }
                Err(RecvTimeoutError::Timeout) => break,
                Ok(Work::Stop) | Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
        true
    }

    fn until_something_is_due(&self) -> Duration {
        let due = self.maintained + MAINTAIN_EVERY;
        let due = match (self.durability, self.unsynced) {
            (Durability::Within(time), Some(since)) => since
                .checked_add(time)
                .map_or(due, |synced| due.min(synced)),
            _ => due,
        };
        due.saturating_duration_since(Instant::now())
    }

    /// Writes one group, and answers whoever waits for it.
    fn write(&mut self, appends: Vec<Append>) {
        let engine = match &self.engine {
            Ok(engine) => engine.clone(),
            Err(why) => {
                let refusal = self.hub.unusable(why);
                appends.into_iter().for_each(|a| a.refuse(refusal.clone()));
                return;
            }
        };
        let mut group = Group::new();
        let mut kept = self.kept;
        for append in appends {
            let (retention, limits) = (&self.hub.retention, &self.hub.limits);
            self.held
                .extend(group.add(append, &mut kept, retention, limits));
        }
        match self.write_group(&engine, &mut group) {
            Ok(()) => self.written(group),
            Err(why) => {
                let refusal = self.hub.unusable(&why);
                for (reply, _) in group.replies {
                    let _ = reply.send(Err(refusal.clone()));
                }
                self.fail(why);
            }
        }
    }

    fn write_group(&mut self, engine: &Engine, group: &mut Group) -> Result<(), Failure> {
        for (log, producer, known) in &self.forgotten {
            if !self.removed.contains(&log.id()) {
                group.change(log).forget(producer.clone(), *known);
            }
        }
        group.changes.retain(Change::is_one);
        if group.changes.is_empty() && self.removed.is_empty() {
            return Ok(());
        }
        let mut batch = engine.batch();
        for change in &mut group.changes {
            let Change { log, record, .. } = change;
            let (retention, texts) = (&self.hub.retention, &change.texts);
            self.oldest
                .retain(engine, retention, group.now, log, record, texts);
            batch.append(log.id(), record, texts);
            for (producer, known) in &change.producers {
                self.seen += 1;
                batch.producer(log.id(), producer, *known, self.seen);
            }
            for producer in &change.forgotten {
                batch.forget_producer(log.id(), producer);
            }
        }
        self.removed.retain(|topic| match batch.remove(*topic) {
            Ok(()) => true,
            Err(why) => {
                log::error!("a topic that nobody uses stays on disk: {why}");
                false
            }
        });
        if let Some(epoch) = self.epoch {
            batch.epoch(epoch);
        }
        engine.commit(batch)?;
        match self.durability {
            Durability::Synced => engine.sync()?,
            Durability::Within(_) => {
                self.unsynced.get_or_insert_with(Instant::now);
            }
        }
        self.forgotten.clear();
        for topic in self.removed.drain(..) {
            self.oldest.forget(topic);
            self.trim_at.remove(&topic);
        }
        self.epoch = None;
        Ok(())
    }

    /// Tells everyone what is durable now.
    fn written(&mut self, group: Group) {
        let quiet = group.changes.len() == 1;
        for change in group.changes {
            let Change {
                log,
                record,
                texts,
                producers,
                ..
            } = change;
            let bytes = texts.iter().map(|text| Message::retained_bytes(text)).sum();
            let before = log.appended(&record, texts, quiet);
            self.kept = self.kept + record.bytes - before;
            self.reclaim.count(bytes, before + bytes - record.bytes);
            for (producer, known) in producers {
                let forgotten = log.remember(producer, known);
                let forgotten = forgotten.map(|(name, known)| (log.clone(), name, known));
                self.forgotten.extend(forgotten);
            }
            if bytes > 0 {
                self.memory.add(&log, record.bounds.next, bytes);
            }
        }
        for (reply, appended) in group.replies {
            let _ = reply.send(Ok(appended));
        }
    }

    /// Syncs what has waited long enough for it; everything when it is the `last` time.
    fn sync_in_time(&mut self, last: bool) {
        let (Ok(engine), Durability::Within(time), Some(since)) =
            (&self.engine, self.durability, self.unsynced)
        else {
            return;
        };
        if !last && since.elapsed() < time {
            return;
        }
        match engine.sync() {
            Ok(()) => self.unsynced = None,
            Err(why) => self.fail(why),
        }
    }
}
