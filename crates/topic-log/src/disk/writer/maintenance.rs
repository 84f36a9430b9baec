//! What the writer does once a second.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::{Writer, MAINTAIN_EVERY};
use crate::disk::engine::{Engine, Failure};
use crate::disk::group::Group;
use crate::disk::topic::DiskTopic;
use crate::Offset;

/// How long a round may take. The topics that are left have their turn in the next.
const MAINTAIN_WITHIN: Duration = Duration::from_millis(50);

impl Writer {
    /// What is due once a second.
    pub(super) fn maintain(&mut self) {
        if self.maintained.elapsed() < MAINTAIN_EVERY {
            return;
        }
        let Some(topics) = self.topics.upgrade() else {
            return;
        };
        // Weak, so that nobody takes an idle topic for one that is used.
        let mut logs: Vec<_> = topics.lock().all().map(Arc::downgrade).collect();
        drop(topics);
        let done = match self.engine.clone() {
            Ok(engine) => {
                // Where the last round ended.
                let begin = self.maintain_from % logs.len().max(1);
                logs.rotate_left(begin);
                self.maintain_from = begin;
                self.maintain_all(&engine, &logs)
            }
            Err(_) => {
                let logs: Vec<_> = logs.iter().filter_map(Weak::upgrade).collect();
                self.try_again(&logs);
                Ok(())
            }
        };
        if let Err(why) = done {
            self.fail(why);
        }
        self.maintained = Instant::now();
    }

    fn maintain_all(
        &mut self,
        engine: &Arc<Engine>,
        logs: &[Weak<DiskTopic>],
    ) -> Result<(), Failure> {
        let started = Instant::now();
        self.hub.folder_is_there()?;
        for log in logs {
            if let Some(log) = log.upgrade() {
                self.expire(engine, &log)?;
                self.trim(engine, &log)?;
            }
            self.maintain_from += 1;
            if started.elapsed() >= MAINTAIN_WITHIN {
                break;
            }
        }
        self.reclaim.look(engine, self.kept);
        Ok(())
    }

    /// Moves the bounds of a topic whose oldest messages are too old; or too many, since the server
    /// was started with less retention than before.
    fn expire(&mut self, engine: &Engine, log: &Arc<DiskTopic>) -> Result<(), Failure> {
        let mut group = Group::new();
        let now = group.now;
        let change = group.change(log);
        let before = change.record.bounds;
        let retention = &self.hub.retention;
        self.oldest
            .retain(engine, retention, now, log, &mut change.record, &[]);
        if change.record.bounds == before {
            return Ok(());
        }
        let mut batch = engine.batch();
        batch.append(log.id(), &change.record, &[]);
        engine.commit(batch)?;
        self.written(group);
        Ok(())
    }

    /// Removes the blocks of a topic that its bounds do not reach any more.
    fn trim(&mut self, engine: &Engine, log: &Arc<DiskTopic>) -> Result<(), Failure> {
        let mut record = log.record(&log.state());
        let due = self.trim_at.get(&log.id());
        if record.bounds.earliest < due.copied().unwrap_or(record.stored_from + 1) {
            return Ok(());
        }
        let mut batch = engine.batch();
        let next_block = match batch.trim(log.id(), &mut record) {
            Ok(next_block) => {
                engine.commit(batch)?;
                log.retained(&record);
                next_block
            }
            Err(Failure::Damaged(why)) => {
                let name = &record.name;
                log::error!("topic {name}: old messages stay on disk, which are damaged: {why}");
                Offset::MAX
            }
            Err(why) => return Err(why),
        };
        self.trim_at.insert(log.id(), next_block);
        Ok(())
    }
}
