//! What is done about once a second: messages that are too old are dropped, and blocks that are no
//! longer kept are removed from disk.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::delivery::Delivery;
use super::open::Open;
use crate::clock::Clock;
use crate::disk::entry::Entry;
use crate::disk::failure::Failure;
use crate::disk::group::Group;
use crate::offset::Offset;
use crate::retention::Retention;

/// How long a round may take. The topics that are left come first in the next round.
const WITHIN: Duration = Duration::from_millis(50);

/// One round over the topics.
pub(super) struct Round<'w> {
    pub(super) open: &'w mut Open,
    pub(super) delivery: &'w mut Delivery,
    pub(super) retention: &'w Retention,
    pub(super) clock: &'w Clock,
}

impl Round<'_> {
    /// Maintains topics from the index `from` on, as many as there is time for. Returns the index
    /// at which the next round begins.
    pub(super) fn run(&mut self, topics: &[Weak<Entry>], from: usize) -> Result<usize, Failure> {
        let started = Instant::now();
        let count = topics.len();
        let begin = from % count.max(1);
        let mut next = begin;
        for topic in topics.iter().cycle().skip(begin).take(count) {
            if let Some(entry) = topic.upgrade() {
                self.expire(&entry)?;
                self.trim(&entry)?;
            }
            next += 1;
            if started.elapsed() >= WITHIN {
                break;
            }
        }
        self.delivery
            .reclaim
            .look(&self.open.engine, self.open.kept);
        Ok(next)
    }

    /// Moves the bounds of a topic whose oldest messages are too old; or too many, because the
    /// retention was lowered. Notes that the clock has gone back.
    fn expire(&mut self, entry: &Arc<Entry>) -> Result<(), Failure> {
        let mut group = Group::new(self.clock.now());
        let now = group.now.time;
        let record = &mut group.change(entry).record;
        let before = record.bounds;
        let Open { engine, oldest, .. } = &mut *self.open;
        oldest.retain(engine, self.retention, now, entry, record, &[]);
        if record.bounds == before && !record.times.unsaved {
            entry.retained(record);
            return Ok(());
        }
        let mut batch = engine.batch();
        batch.append(entry.id(), record, &[]);
        engine.commit(batch)?;
        self.delivery.deliver(group, self.open);
        Ok(())
    }

    /// Removes the blocks of a topic that are before its bounds.
    fn trim(&mut self, entry: &Entry) -> Result<(), Failure> {
        let mut record = entry.record();
        let due = self.open.trim_at.get(&entry.id());
        if record.bounds.earliest < due.copied().unwrap_or(record.stored_from + 1) {
            return Ok(());
        }
        let mut batch = self.open.engine.batch();
        let next_block = match batch.trim(entry.id(), &mut record) {
            Ok(next_block) => {
                self.open.engine.commit(batch)?;
                entry.retained(&record);
                next_block
            }
            Err(Failure::Damaged(why)) => {
                let name = &record.name;
                log::error!("topic {name}: old messages stay on disk, because of damage: {why}");
                Offset::MAX
            }
            Err(why) => return Err(why),
        };
        self.open.trim_at.insert(entry.id(), next_block);
        Ok(())
    }
}
