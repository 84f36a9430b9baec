//! How much there may be in all topics together.

use std::num::NonZeroUsize;
use std::time::Duration;

/// How much there may be in all topics together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Topics.
    pub topics: usize,
    /// Bytes that all topics keep, counted as in [`Retention::bytes`](super::Retention::bytes).
    pub bytes: u64,
    /// Producers that each topic remembers.
    pub producers: NonZeroUsize,
    /// How long an empty topic that nobody uses is kept at least: whoever is between two calls
    /// finds the life that it knows.
    pub idle: Duration,
}

impl Default for Limits {
    /// 10,000 topics, 1 GiB, 1,000 producers a topic, 10 seconds.
    fn default() -> Self {
        Self {
            topics: 10_000,
            bytes: 1024 * 1024 * 1024,
            producers: const { NonZeroUsize::new(1_000).unwrap() },
            idle: Duration::from_secs(10),
        }
    }
}
