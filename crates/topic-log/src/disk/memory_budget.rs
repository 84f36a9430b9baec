//! How much of all topics on disk is in memory as well: their most recent messages.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use super::entry::Entry;
use crate::offset::Offset;

/// The bytes of the messages in memory, as retention counts them.
const BUDGET_BYTES: u64 = 64 * 1024 * 1024;

/// The messages in memory, the oldest first.
#[derive(Debug, Default)]
pub(super) struct MemoryBudget {
    messages: VecDeque<Messages>,
    bytes: u64,
}

#[derive(Debug)]
struct Messages {
    entry: Weak<Entry>,
    /// The offset behind the last of them.
    next: Offset,
    bytes: u64,
}

impl MemoryBudget {
    /// Counts messages before `next` that have come into memory. The oldest messages, of whichever
    /// topic, leave memory for them.
    pub(super) fn add(&mut self, entry: &Arc<Entry>, next: Offset, bytes: u64) {
        let entry = Arc::downgrade(entry);
        self.messages.push_back(Messages { entry, next, bytes });
        self.bytes += bytes;
        while self.bytes > BUDGET_BYTES {
            let Some(oldest) = self.messages.pop_front() else {
                return;
            };
            self.bytes -= oldest.bytes;
            if let Some(entry) = oldest.entry.upgrade() {
                entry.forget_before(oldest.next);
            }
        }
    }
}
