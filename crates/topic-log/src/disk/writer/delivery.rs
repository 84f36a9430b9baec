//! What follows a write: subscribers see the messages, and publishers are answered.

use super::open::Open;
use crate::disk::group::{Change, Group};
use crate::disk::memory_budget::MemoryBudget;
use crate::disk::reclaim::Reclaim;

/// Delivers what was written, and counts it. The counts outlast a failure of the engine.
#[derive(Debug, Default)]
pub(super) struct Delivery {
    memory: MemoryBudget,
    pub(super) reclaim: Reclaim,
}

impl Delivery {
    /// Delivers the messages of a group that is durable, and answers its publishers.
    pub(super) fn deliver(&mut self, group: Group, open: &mut Open) {
        let quiet = group.changes.len() == 1;
        for change in group.changes {
            let bytes = change.bytes();
            let Change {
                entry,
                record,
                texts,
                producers,
                ..
            } = change;
            let before = entry.appended(&record, texts, quiet);
            open.kept = open.kept + record.bytes - before;
            self.reclaim.count(bytes, before + bytes - record.bytes);
            for (producer, known) in producers {
                open.forgotten.extend(entry.remember(producer, known));
            }
            if bytes > 0 {
                self.memory.add(&entry, record.bounds.next, bytes);
            }
        }
        for (reply, appended) in group.replies {
            let _ = reply.send(Ok(appended));
        }
    }
}
