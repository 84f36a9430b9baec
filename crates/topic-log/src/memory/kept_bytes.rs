//! The bytes that all topics in memory keep together.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::error::Error;

/// The bytes that all topics keep together, and their limit.
#[derive(Debug)]
pub(super) struct KeptBytes {
    limit: u64,
    bytes: AtomicU64,
    /// Whether there was no room for a batch.
    refused: AtomicBool,
}

impl KeptBytes {
    pub(super) fn new(limit: u64) -> Self {
        Self {
            limit,
            bytes: AtomicU64::new(0),
            refused: AtomicBool::new(false),
        }
    }

    /// Counts `bytes` of a batch, for which its topic is about to drop `freed` bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Limit`]. Then nothing is counted.
    pub(super) fn reserve(&self, bytes: u64, freed: u64) -> Result<(), Error> {
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        if before + bytes > self.limit.saturating_add(freed) {
            self.release(bytes);
            self.refused.store(true, Ordering::Relaxed);
            return Err(Error::Limit {
                of: "bytes in all topics",
                limit: self.limit,
            });
        }
        Ok(())
    }

    /// Counts `bytes` less, which were dropped.
    pub(super) fn release(&self, bytes: u64) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Whether there was no room for a batch since this was asked last.
    pub(super) fn take_refused(&self) -> bool {
        self.refused.swap(false, Ordering::Relaxed)
    }
}
