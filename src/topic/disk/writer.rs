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

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use super::engine::{Engine, Failure};
use super::folder::probe;
use super::group::{Append, Change, Group};
use super::hub::Hub;
use super::log::{cost, Log};
use super::recent::Recent;
use super::reclaim::Reclaim;
use super::retention::Oldest;
use super::stored::Stored;
use super::Durability;
use crate::topic::producers::Known;
use crate::topic::registry::{lock, Registry};
use crate::topic::{Offset, ProducerName};

/// A group is closed once it has so much, counted as retention counts it.
const GROUP_BYTES: u64 = 4 * 1024 * 1024;

/// How often the topics are looked at: for messages that are too old, and for blocks that are no
/// longer kept; and how often it is tried again after a failure.
const TIDY_EVERY: Duration = Duration::from_secs(1);

/// How long a round of removing blocks may take.
const TRIM_WITHIN: Duration = Duration::from_millis(50);

/// What the writer is asked for.
#[derive(Debug)]
pub(super) enum Work {
    Append(Append),
    /// This topic is no more; topics begin with this epoch from now on.
    Remove(Arc<Log>, u64),
    /// Nothing comes after this.
    Stop,
}

/// A producer that is stored, and that its topic no longer remembers.
pub(super) type Forgotten = (Arc<Log>, ProducerName, Known);

pub(super) struct Writer {
    hub: Arc<Hub>,
    work: Receiver<Work>,
    topics: Weak<Mutex<Registry<Log>>>,
    durability: Durability,
    /// Why there is none, where nothing can be written.
    engine: Result<Arc<Engine>, Failure>,
    /// What all topics keep.
    kept: u64,
    /// The last number that a producer got for being seen.
    seen: u64,
    recent: Recent,
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
    trim_from: usize,
    /// When the first message was written that is not synced.
    unsynced: Option<Instant>,
    tidied: Instant,
}

impl Writer {
    /// A writer of the topics that `stored` was loaded for, which keep so many bytes.
    pub(super) fn new(
        hub: Arc<Hub>,
        work: Receiver<Work>,
        topics: Weak<Mutex<Registry<Log>>>,
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
            recent: Recent::default(),
            oldest: Oldest::default(),
            reclaim: Reclaim::default(),
            held: Vec::new(),
            removed: Vec::new(),
            epoch: None,
            forgotten,
            trim_at: HashMap::new(),
            trim_from: 0,
            unsynced: None,
            tidied: Instant::now(),
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
            self.tidy();
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
        let due = self.tidied + TIDY_EVERY;
        let due = match (self.durability, self.unsynced) {
            (Durability::Within(time), Some(since)) => due.min(since + time),
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
        for topic in &self.removed {
            batch.remove(*topic)?;
        }
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
            let bytes = texts.iter().map(cost).sum();
            let before = log.appended(&record, texts, quiet);
            self.kept = self.kept + record.bytes - before;
            self.reclaim.count(bytes, before + bytes - record.bytes);
            for (producer, known) in producers {
                let forgotten = log.remember(producer, known);
                let forgotten = forgotten.map(|(name, known)| (log.clone(), name, known));
                self.forgotten.extend(forgotten);
            }
            if bytes > 0 {
                self.recent.add(&log, record.bounds.next, bytes);
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

    /// What is due once a second.
    fn tidy(&mut self) {
        if self.tidied.elapsed() < TIDY_EVERY {
            return;
        }
        let Some(topics) = self.topics.upgrade() else {
            return;
        };
        let logs: Vec<_> = lock(&topics).all().cloned().collect();
        drop(topics);
        let done = match self.engine.clone() {
            Ok(engine) => self
                .expire(&engine, &logs)
                .and_then(|()| self.trim(&engine, &logs))
                .map(|()| self.reclaim.look(&engine, self.kept)),
            Err(_) => {
                self.try_again(&logs);
                Ok(())
            }
        };
        if let Err(why) = done {
            self.fail(why);
        }
        self.tidied = Instant::now();
    }

    /// Moves the bounds of topics whose oldest messages are too old; or too many, since the server
    /// was started with less retention than before.
    fn expire(&mut self, engine: &Engine, logs: &[Arc<Log>]) -> Result<(), Failure> {
        let mut group = Group::new();
        for log in logs {
            let (now, record) = (group.now, &mut group.change(log).record);
            let before = record.bounds;
            self.oldest
                .retain(engine, &self.hub.retention, now, log, record, &[]);
            if record.bounds == before {
                group.undo_last();
            }
        }
        if group.changes.is_empty() {
            return Ok(());
        }
        let mut batch = engine.batch();
        for change in &group.changes {
            batch.append(change.log.id(), &change.record, &[]);
        }
        engine.commit(batch)?;
        self.written(group);
        Ok(())
    }

    /// Removes the blocks that no bounds reach any more.
    fn trim(&mut self, engine: &Engine, logs: &[Arc<Log>]) -> Result<(), Failure> {
        let started = Instant::now();
        // Where the last round ended.
        let begin = self.trim_from % logs.len().max(1);
        let (before, after) = logs.split_at(begin);
        for (n, log) in after.iter().chain(before).enumerate() {
            let mut record = log.record(&log.state());
            let due = self.trim_at.get(&log.id());
            if record.bounds.earliest < due.copied().unwrap_or(record.stored_from + 1) {
                continue;
            }
            let mut batch = engine.batch();
            let next_block = batch.trim(log.id(), &mut record)?;
            engine.commit(batch)?;
            log.retained(&record);
            self.trim_at.insert(log.id(), next_block);
            if started.elapsed() >= TRIM_WITHIN {
                self.trim_from = begin + n + 1;
                break;
            }
        }
        Ok(())
    }

    /// From now on publishers are refused.
    fn fail(&mut self, why: Failure) {
        log::error!(
            "topics in {} cannot be written: {why}. Publishers are refused with UNAVAILABLE, and \
             what is in memory can still be read; tried again every second",
            self.hub.dir.display()
        );
        self.hub.set_engine(Err(why.clone()));
        self.engine = Err(why);
        self.oldest.forget_all();
        self.trim_at.clear();
        self.unsynced = None;
        // What is stored of them is loaded again.
        self.forgotten.clear();
    }

    /// Opens the engine anew, and goes on where that has what was acknowledged.
    fn try_again(&mut self, logs: &[Arc<Log>]) {
        match self.reopen(logs) {
            Ok(engine) => {
                log::info!("topics in {} can be written again", self.hub.dir.display());
                self.hub.set_engine(Ok(engine.clone()));
                self.engine = Ok(engine);
            }
            Err(why) => {
                if self.engine.as_ref().err() != Some(&why) {
                    let dir = self.hub.dir.display();
                    log::error!("topics in {dir} still cannot be written: {why}");
                }
                self.hub.set_engine(Err(why.clone()));
                self.engine = Err(why);
            }
        }
    }

    fn reopen(&mut self, logs: &[Arc<Log>]) -> Result<Arc<Engine>, Failure> {
        probe(&self.hub.store)?;
        // Files are locked until the last read is over.
        let engine = Engine::open(&self.hub.store)?;
        // What the engine has read of the failed group may never have reached the disk.
        engine.write_anew()?;
        let stored = Stored::load(&engine)?;
        for log in logs {
            stored.check(log)?;
        }
        self.kept = stored.kept();
        self.seen = stored.seen;
        for log in logs {
            self.forgotten.extend(stored.restore(log));
        }
        Ok(Arc::new(engine))
    }
}
