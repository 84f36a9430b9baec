//! How much one topic keeps.

use std::time::{Duration, SystemTime};

/// How much each topic keeps. The bounds hold independently of each other, and each may be 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// The largest number of messages.
    pub messages: u64,
    /// The largest number of bytes, counted by
    /// [`Message::retained_bytes`](crate::Message::retained_bytes).
    pub bytes: u64,
    /// The greatest age of a message, counted from when the topic received it; `None` for any age.
    /// A store on disk looks for messages that are too old once a second.
    pub age: Option<Duration>,
}

impl Retention {
    /// Whether a message that was received at this time is too old `now`.
    pub(crate) fn is_too_old(&self, received: SystemTime, now: SystemTime) -> bool {
        let is = now.duration_since(received).unwrap_or_default();
        self.age.is_some_and(|age| is > age)
    }
}

impl Default for Retention {
    /// 100,000 messages, 64 MiB, any age.
    fn default() -> Self {
        Self {
            messages: 100_000,
            bytes: 64 * 1024 * 1024,
            age: None,
        }
    }
}
