//! What can be set about the service.

use std::time::Duration;

/// How calls without a topic behave.
#[derive(Clone, Debug)]
pub struct Config {
    /// The time between two messages of GetStream and of AllStream; zero for as fast as the client
    /// reads.
    pub tick_interval: Duration,
    /// How many messages a GetStream sends; zero for no end.
    pub ticks: u64,
}

impl Default for Config {
    /// As the original Go server: 11 messages, one a second.
    fn default() -> Self {
        Self {
            tick_interval: Duration::from_secs(1),
            ticks: 11,
        }
    }
}
