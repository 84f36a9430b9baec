//! The configuration of the service.

use std::time::Duration;

/// The behaviour of calls without a topic.
#[derive(Clone, Debug)]
pub struct Config {
    /// The time between two messages of GetStream and of AllStream. With zero they send as fast as
    /// the client reads.
    pub tick_interval: Duration,
    /// How many messages a GetStream sends. With zero it sends without end.
    pub ticks: u64,
}

impl Default for Config {
    /// The same as the original Go server: 11 messages, one per second.
    fn default() -> Self {
        Self {
            tick_interval: Duration::from_secs(1),
            ticks: 11,
        }
    }
}
