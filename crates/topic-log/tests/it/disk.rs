//! The store on disk promises what every store does, however durable its messages are.

use std::time::Duration;

use tempfile::TempDir;
use topic_log::conformance::Harness;
use topic_log::{Disk, Durability, Retention, Store, StoreLimits};

fn open(
    dir: &TempDir,
    durability: Durability,
    retention: Retention,
    limits: StoreLimits,
) -> Box<dyn Store> {
    Box::new(Disk::open(dir.path(), durability, retention, limits).expect("a store"))
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

    fn open(&self, retention: Retention, limits: StoreLimits) -> Box<dyn Store> {
        open(&self.0, Durability::Synced, retention, limits)
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

    fn open(&self, retention: Retention, limits: StoreLimits) -> Box<dyn Store> {
        let durability = Durability::Within(Duration::from_millis(100));
        open(&self.0, durability, retention, limits)
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
