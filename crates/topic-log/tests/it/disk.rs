//! The store on disk promises what every store does, however durable its messages are.

use std::time::Duration;

use tempfile::TempDir;
use topic_log::conformance::{Clock, Harness};
use topic_log::{Disk, Durability, Retention, Store, StoreLimits};

fn open(
    dir: &TempDir,
    clock: Clock,
    durability: Durability,
    retention: Retention,
    limits: StoreLimits,
) -> Box<dyn Store> {
    let opened = Disk::open_with_clock(dir.path(), clock, durability, retention, limits);
    Box::new(opened.expect("a store"))
}

struct Synced(TempDir);

impl Default for Synced {
    fn default() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }
}

impl Harness for Synced {
    const SURVIVES_REOPENING: bool = true;
    const HISTORIES: u32 = 150;

    fn open_with_clock(
        &self,
        clock: Clock,
        retention: Retention,
        limits: StoreLimits,
    ) -> Box<dyn Store> {
        open(&self.0, clock, Durability::Synced, retention, limits)
    }
}

struct SyncedLater(TempDir);

impl Default for SyncedLater {
    fn default() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }
}

impl Harness for SyncedLater {
    const SURVIVES_REOPENING: bool = true;
    const HISTORIES: u32 = 20;

    fn open_with_clock(
        &self,
        clock: Clock,
        retention: Retention,
        limits: StoreLimits,
    ) -> Box<dyn Store> {
        let durability = Durability::Within(Duration::from_millis(100));
        open(&self.0, clock, durability, retention, limits)
    }
}

mod synced {
    use super::Synced;

    topic_log::conformance_tests!(Synced);
}

mod synced_later {
    use super::SyncedLater;

    topic_log::conformance_tests!(SyncedLater);
}
