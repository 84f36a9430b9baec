//! The store in memory promises what every store does.

use topic_log::conformance::Harness;
use topic_log::{Memory, Retention, Store, StoreLimits};

#[derive(Default)]
struct InMemory;

impl Harness for InMemory {
    const SURVIVES_REOPENING: bool = false;
    const HISTORIES: u32 = 2_000;

    fn open(&self, retention: Retention, limits: StoreLimits) -> Box<dyn Store> {
        Box::new(Memory::new(retention, limits))
    }
}

topic_log::conformance_tests!(InMemory);
