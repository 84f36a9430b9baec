//! Changes that the engine makes in one step.

use std::sync::Arc;

use fjall::{Database, Keyspace, OwnedWriteBatch, PersistMode, Slice};

use super::blocks;
use super::faults::guarded;
use crate::disk::block::{self, BlockKey};
use crate::disk::failure::Failure;
use crate::disk::record;
use crate::name::ProducerName;
use crate::offset::{Bounds, Offset};
use crate::producers::Known;

/// The largest number of blocks of a topic that are removed together.
const TRIM_BLOCKS: usize = 10_000;

/// A key that is written only to have something to write.
const MARK: &[u8] = b"s/reclaimed";

/// Changes that the engine makes in one step.
pub(in crate::disk) struct Batch<'e> {
    tree: &'e Keyspace,
    batch: OwnedWriteBatch,
}

impl<'e> Batch<'e> {
    pub(super) fn new(database: &Database, tree: &'e Keyspace) -> Self {
        Self {
            tree,
            // Nothing stays in this process.
            batch: database.batch().durability(Some(PersistMode::Buffer)),
        }
    }

    pub(super) fn commit(self) -> fjall::Result<()> {
        self.batch.commit()
    }

    /// Writes something that means nothing.
    pub(super) fn mark(&mut self) {
        self.batch.insert(self.tree, MARK, b"");
    }

    /// Replaces the record of a topic, and appends `texts`, which the record counts already.
    pub(in crate::disk) fn append(
        &mut self,
        topic: u64,
        record: &record::Topic,
        texts: &[Arc<str>],
    ) {
        let mut first = record.bounds.next - texts.len() as u64;
        for texts in block::split(texts) {
            let key = BlockKey { topic, first };
            let block = block::encode(key, record.times.latest, texts);
            self.batch.insert(self.tree, key.encode(), block);
            first += texts.len() as u64;
        }
        let key = record::Topic::key(topic);
        let value = record.encode(&key);
        self.batch.insert(self.tree, key, value);
        if !record.times.turns.is_empty() {
            let key = record::Turns::key(topic);
            let value = record::Turns::encode(record.epoch, &record.times.turns, &key);
            self.batch.insert(self.tree, key, value);
        }
    }

    /// Replaces the record of a producer.
    pub(in crate::disk) fn producer(
        &mut self,
        topic: u64,
        name: &ProducerName,
        known: &Known,
        seen: u64,
    ) {
        let key = record::Producer::key(topic, name);
        let known = known.clone();
        let value = record::Producer { known, seen }.encode(&key);
        self.batch.insert(self.tree, key, value);
    }

    /// Removes the record of a producer.
    pub(in crate::disk) fn forget_producer(&mut self, topic: u64, name: &ProducerName) {
        let key = record::Producer::key(topic, name);
        self.batch.remove(self.tree, key);
    }

    /// Replaces the epoch of new topics.
    pub(in crate::disk) fn epoch(&mut self, epoch: u64) {
        let value = record::encode_epoch(epoch);
        self.batch.insert(self.tree, record::EPOCH, value);
    }

    /// Removes the blocks of a topic that end before its earliest message, and notes that in
    /// `record`. Returns the earliest offset from which on there is another block to remove.
    pub(in crate::disk) fn trim(
        &mut self,
        topic: u64,
        record: &mut record::Topic,
    ) -> Result<Offset, Failure> {
        let Bounds { earliest, next } = record.bounds;
        let mut stored_from = record.stored_from;
        let keys = blocks::keys(self.tree, topic, stored_from, earliest, TRIM_BLOCKS)?;
        let due = if keys.len() < TRIM_BLOCKS {
            let behind = earliest.saturating_add(1);
            let behind = blocks::keys(self.tree, topic, behind, Offset::MAX, 1)?;
            Some(behind.first().map_or(next, |key| key.first))
        } else {
            // There may be more. Then the next one is due at once.
            None
        };
        let mut held = None;
        for key in keys {
            // The block before this one ends where this one begins.
            if let Some(before) = held.replace(key) {
                self.batch.remove(self.tree, BlockKey::encode(before));
                stored_from = key.first;
            }
        }
        if let (Some(last), Some(end)) = (held, due.filter(|end| earliest >= *end)) {
            self.batch.remove(self.tree, last.encode());
            stored_from = end;
        }
        record.stored_from = stored_from;
        if record.times.turns.is_empty() {
            self.batch.remove(self.tree, record::Turns::key(topic));
        }
        self.append(topic, record, &[]);
        Ok(due.unwrap_or(stored_from))
    }

    /// Removes a topic with its blocks and producers.
    pub(in crate::disk) fn remove(&mut self, topic: u64) -> Result<(), Failure> {
        let blocks = blocks::keys(self.tree, topic, 0, Offset::MAX, usize::MAX)?;
        let producers = self.tree.prefix(record::Producer::prefix(topic));
        let producers = guarded(|| producers.map(|entry| Ok(entry.key()?)).collect());
        let producers: Vec<Slice> = producers?;
        for key in blocks {
            self.batch.remove(self.tree, key.encode());
        }
        for key in producers {
            self.batch.remove(self.tree, key);
        }
        self.batch.remove(self.tree, record::Turns::key(topic));
        self.batch.remove(self.tree, record::Topic::key(topic));
        Ok(())
    }
}
