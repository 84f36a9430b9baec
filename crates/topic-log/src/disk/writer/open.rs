//! The engine while it can be written, and what the writer knows only as long as it can.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::disk::engine::Engine;
use crate::disk::entry::Forgotten;
use crate::disk::failure::Failure;
use crate::disk::group::{Change, Group};
use crate::disk::loaded::Loaded;
use crate::disk::oldest::Oldest;
use crate::disk::settings::{Durability, Settings};
use crate::offset::Offset;

/// The engine while it can be written, and what the writer knows only as long as it can.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) engine: Arc<Engine>,
    /// The bytes that all topics keep.
    pub(super) kept: u64,
    /// The highest [`seen`](crate::disk::record::Producer::seen) of all producers.
    seen: u64,
    pub(super) oldest: Oldest,
    /// For each topic the earliest offset from which on it has another block to remove.
    pub(super) trim_at: HashMap<u64, Offset>,
    /// Producers that the next group removes.
    pub(super) forgotten: Vec<Forgotten>,
    /// When the first message was written that is not synced yet.
    unsynced: Option<Instant>,
}

/// Topics that were dropped and are still stored.
#[derive(Debug, Default)]
pub(super) struct Removed {
    pub(super) topics: Vec<u64>,
    /// The epoch of topics that are created after them.
    pub(super) epoch: Option<u64>,
}

impl Open {
    pub(super) fn new(engine: Arc<Engine>, loaded: &Loaded, forgotten: Vec<Forgotten>) -> Self {
        Self {
            engine,
            kept: loaded.kept(),
            seen: loaded.seen,
            oldest: Oldest::default(),
            trim_at: HashMap::new(),
            forgotten,
            unsynced: None,
        }
    }

    /// Writes a group and removes topics, in one step. Both are as durable as the settings say
    /// afterwards.
    pub(super) fn write(
        &mut self,
        group: &mut Group,
        removed: &mut Removed,
        settings: &Settings,
    ) -> Result<(), Failure> {
        for forgotten in &self.forgotten {
            if !removed.topics.contains(&forgotten.entry.id()) {
                group.change(&forgotten.entry).forget(forgotten);
            }
        }
        group.changes.retain(|change| !change.is_empty());
        if group.changes.is_empty() && removed.topics.is_empty() {
            return Ok(());
        }
        let mut batch = self.engine.batch();
        for change in &mut group.changes {
            let Change {
                entry,
                record,
                texts,
                ..
            } = change;
            let (retention, now) = (&settings.retention, group.now.time);
            self.oldest
                .retain(&self.engine, retention, now, entry, record, texts);
            batch.append(entry.id(), record, texts);
            for (producer, known) in &change.producers {
                self.seen += 1;
                batch.producer(entry.id(), producer, known, self.seen);
            }
            for producer in &change.forgotten {
                batch.forget_producer(entry.id(), producer);
            }
        }
        removed.topics.retain(|topic| match batch.remove(*topic) {
            Ok(()) => true,
            Err(why) => {
                log::error!("a topic that was dropped stays on disk: {why}");
                false
            }
        });
        if let Some(epoch) = removed.epoch {
            batch.epoch(epoch);
        }
        self.engine.commit(batch)?;
        match settings.durability {
            Durability::Synced => self.engine.sync()?,
            Durability::Within(_) => {
                self.unsynced.get_or_insert_with(Instant::now);
            }
        }
        self.forgotten.clear();
        for topic in removed.topics.drain(..) {
            self.oldest.forget(topic);
            self.trim_at.remove(&topic);
        }
        removed.epoch = None;
        Ok(())
    }

    /// When what was written has to be synced at the latest.
    pub(super) fn sync_due(&self, durability: Durability) -> Option<Instant> {
        match durability {
            Durability::Synced => None,
            Durability::Within(time) => self.unsynced?.checked_add(time),
        }
    }

    /// Syncs what has waited long enough, or everything that waits when it is the `last` time.
    pub(super) fn sync_in_time(&mut self, within: Duration, last: bool) -> Result<(), Failure> {
        let Some(since) = self.unsynced else {
            return Ok(());
        };
        if last || since.elapsed() >= within {
            self.engine.sync()?;
            self.unsynced = None;
        }
        Ok(())
    }
}
