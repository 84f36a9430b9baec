//! What the writer does once a second.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Writer, TIDY_EVERY};
use crate::topic::disk::engine::{Engine, Failure};
use crate::topic::disk::group::Group;
use crate::topic::disk::log::Log;
use crate::topic::registry::lock;

/// How long a round of removing blocks may take.
const TRIM_WITHIN: Duration = Duration::from_millis(50);

impl Writer {
    /// What is due once a second.
    pub(super) fn tidy(&mut self) {
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
}
