//! How much all topics of a store may keep together.

use std::num::NonZeroUsize;
use std::time::Duration;

/// How much all topics of a store may keep together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreLimits {
    /// The largest number of topics.
    pub topics: usize,
    /// The largest number of bytes that all topics keep, counted as in
    /// [`Retention::bytes`](crate::Retention::bytes).
    pub bytes: u64,
    /// The largest number of producers that each topic remembers.
    pub producers: NonZeroUsize,
    /// How long an empty topic that nobody uses is kept at least. A client that is between two
    /// calls finds the epoch that it knows.
    pub idle: Duration,
}

impl Default for StoreLimits {
    /// 10,000 topics, 1 GiB, 1,000 producers in each topic, 10 seconds.
    fn default() -> Self {
        Self {
            topics: 10_000,
            bytes: 1024 * 1024 * 1024,
            producers: const { NonZeroUsize::new(1_000).unwrap() },
            idle: Duration::from_secs(10),
        }
    }
}
