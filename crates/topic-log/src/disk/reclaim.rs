//! Gives the disk space of messages that are no longer kept back to the file system.
//!
//! While messages are published, the engine does that by itself as it merges its files. While none
//! are, it merges nothing, and has to be asked. The merge runs on a thread of its own.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread;

use super::engine::Engine;

/// It is not worth merging everything for less than this.
const WORTH_BYTES: u64 = 32 * 1024 * 1024;

/// When more than this was appended since the last look, the engine merges enough by itself.
const QUIET_BYTES: u64 = 1024 * 1024;

#[derive(Debug, Default)]
pub(super) struct Reclaim {
    /// The bytes that were dropped since the last merge.
    dropped: u64,
    /// The bytes that were appended since the last look.
    appended: u64,
    running: Arc<AtomicBool>,
}

impl Reclaim {
    pub(super) fn count(&mut self, appended: u64, dropped: u64) {
        self.appended += appended;
        self.dropped += dropped;
    }

    /// Starts a merge when there is more to give back than the topics keep (`kept`, in bytes), and
    /// little else to do.
    pub(super) fn look(&mut self, engine: &Arc<Engine>, kept: u64) {
        let quiet = std::mem::take(&mut self.appended) < QUIET_BYTES;
        let worth = self.dropped >= WORTH_BYTES.max(kept);
        if !quiet || !worth || self.running.swap(true, Ordering::SeqCst) {
            return;
        }
        self.dropped = 0;
        let (engine, running) = (engine.clone(), self.running.clone());
        let started = thread::Builder::new()
            .name("topics-reclaim".to_owned())
            .spawn(move || {
                if let Err(why) = engine.reclaim() {
                    log::warn!("the disk space of old messages was not given back: {why}");
                }
                running.store(false, Ordering::SeqCst);
            });
        if let Err(e) = started {
            log::warn!("the disk space of old messages is not given back: no thread: {e}");
            self.running.store(false, Ordering::SeqCst);
        }
    }
}
