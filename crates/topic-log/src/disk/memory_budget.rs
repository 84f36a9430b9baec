//! How much of all topics stays in memory: the most recent messages, whichever topic's they are.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use super::topic::DiskTopic;
use crate::Offset;

/// So many bytes, counted as retention counts them.
pub(super) const RECENT_BYTES: u64 = 64 * 1024 * 1024;

/// What is in memory, the oldest first.
#[derive(Debug, Default)]
pub(super) struct MemoryBudget {
    messages: VecDeque<Messages>,
    bytes: u64,
}

#[derive(Debug)]
struct Messages {
    log: Weak<DiskTopic>,
    /// Of the first message after them.
    next: Offset,
    bytes: u64,
}

impl MemoryBudget {
    /// Messages before `next` have come into memory; the oldest of all topics go for them.
    pub(super) fn add(&mut self, log: &Arc<DiskTopic>, next: Offset, bytes: u64) {
        let log = Arc::downgrade(log);
        self.messages.push_back(Messages { log, next, bytes });
        self.bytes += bytes;
        while self.bytes > RECENT_BYTES {
            let Some(oldest) = self.messages.pop_front() else {
                return;
            };
            self.bytes -= oldest.bytes;
            if let Some(log) = oldest.log.upgrade() {
                log.forget_before(oldest.next);
            }
        }
    }
}
