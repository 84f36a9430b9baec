//! Changes that the engine makes together.

use std::sync::Arc;

use fjall::OwnedWriteBatch;

use super::{guarded, key, place_of, Engine, EPOCH};
use crate::disk::block::{self, BlockKey};
use crate::disk::failure::Failure;
use crate::disk::record;
use crate::name::ProducerName;
use crate::offset::{Bounds, Offset};
use crate::producers::Known;

/// So many blocks of a topic are removed together.
const TRIM_BLOCKS: usize = 10_000;

/// Changes that take effect together.
pub(in crate::disk) struct Batch<'e> {
    pub(super) engine: &'e Engine,
    pub(super) batch: OwnedWriteBatch,
}

impl Batch<'_> {
    /// A topic is what `record` says from now on, and its last messages are `texts`.
    pub(in crate::disk) fn append(
        &mut self,
        topic: u64,
        record: &record::Topic,
        texts: &[Arc<str>],
    ) {
        let mut first = record.bounds.next - texts.len() as u64;
        for texts in block::split(texts) {
            let place = BlockKey { topic, first };
            let block = block::encode(place, record.latest_time, texts);
            self.batch.insert(&self.engine.tree, place.key(), block);
            first += texts.len() as u64;
        }
        let key = record::Topic::key(topic);
        let value = record.encode(&key);
        self.batch.insert(&self.engine.tree, key, value);
    }

    pub(in crate::disk) fn producer(
        &mut self,
        topic: u64,
        name: &ProducerName,
        known: Known,
        seen: u64,
    ) {
        let key = record::Producer::key(topic, name);
        let value = record::Producer { known, seen }.encode(&key);
        self.batch.insert(&self.engine.tree, key, value);
    }

    pub(in crate::disk) fn forget_producer(&mut self, topic: u64, name: &ProducerName) {
        let key = record::Producer::key(topic, name);
        self.batch.remove(&self.engine.tree, key);
    }

    pub(in crate::disk) fn epoch(&mut self, epoch: u64) {
        let value = record::encode_epoch(EPOCH, epoch);
        self.batch.insert(&self.engine.tree, EPOCH, value);
    }

    /// Removes the blocks of a topic that end before its earliest message, and says so in `record`.
    /// Returns the offset at which there is another to remove.
    pub(in crate::disk) fn trim(
        &mut self,
        topic: u64,
        record: &mut record::Topic,
    ) -> Result<Offset, Failure> {
        let Bounds { earliest, next } = record.bounds;
        let mut stored_from = record.stored_from;
        let places = self.places(topic, stored_from, earliest, TRIM_BLOCKS)?;
        let due = match places.len() < TRIM_BLOCKS {
            true => {
                let behind = self.places(topic, earliest.saturating_add(1), Offset::MAX, 1)?;
                Some(behind.first().map_or(next, |place| place.first))
            }
            // There may be more: then it is due again at once.
            false => None,
        };
        let mut held = None;
        for place in places {
            // The one before it ends where this begins.
            if let Some(before) = held.replace(place) {
                self.batch.remove(&self.engine.tree, BlockKey::key(before));
                stored_from = place.first;
            }
        }
        if let (Some(last), Some(end)) = (held, due.filter(|end| earliest >= *end)) {
            self.batch.remove(&self.engine.tree, last.key());
            stored_from = end;
        }
        record.stored_from = stored_from;
        self.append(topic, record, &[]);
        Ok(due.unwrap_or(stored_from))
    }

    /// Removes a topic and everything of it.
    pub(in crate::disk) fn remove(&mut self, topic: u64) -> Result<(), Failure> {
        let places = self.places(topic, 0, Offset::MAX, usize::MAX)?;
        let producers = self.engine.tree.prefix(record::Producer::prefix(topic));
        let producers = guarded(|| producers.map(|entry| Ok(entry.key()?)).collect());
        let producers: Vec<fjall::Slice> = producers?;
        for place in places {
            self.batch.remove(&self.engine.tree, place.key());
        }
        for key in producers {
            self.batch.remove(&self.engine.tree, key);
        }
        self.batch
            .remove(&self.engine.tree, record::Topic::key(topic));
        Ok(())
    }

    /// Where blocks of a topic lie that begin at these offsets; at most so many.
    fn places(
        &self,
        topic: u64,
        from: Offset,
        to: Offset,
        most: usize,
    ) -> Result<Vec<BlockKey>, Failure> {
        guarded(|| {
            let keys = self.engine.tree.range(key(topic, from)..=key(topic, to));
            let places = keys.take(most).map(|entry| place_of(&entry.key()?));
            places.collect()
        })
    }
}
