//! The store in memory promises what every store does.

use topic_log::conformance::{Clock, Harness};
use topic_log::{Memory, Retention, Store, StoreLimits};

#[derive(Default)]
struct InMemory;

impl Harness for InMemory {
    const SURVIVES_REOPENING: bool = false;
    const HISTORIES: u32 = 2_000;

    fn open_with_clock(
        &self,
        clock: Clock,
        retention: Retention,
        limits: StoreLimits,
    ) -> Box<dyn Store> {
        Box::new(Memory::with_clock(clock, retention, limits))
    }
}

topic_log::conformance_tests!(InMemory);
