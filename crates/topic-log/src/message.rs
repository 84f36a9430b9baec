//! Messages, and how many bytes each counts for.

use std::sync::Arc;
use std::time::SystemTime;

/// A message that a topic keeps. A clone shares the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// When the topic received it, by the clock of the machine.
    ///
    /// The times in a topic never go back at the moment at which they are read. When the clock goes
    /// back, messages with a later time count as received then. So a subscriber that has read a
    /// message before sees an earlier time next.
    pub time: SystemTime,
    /// The text that was published.
    pub data: Arc<str>,
}

/// The bytes that a stored message counts for beside its text: an estimate of what it costs.
pub const MESSAGE_OVERHEAD: u64 = 64;

impl Message {
    /// The bytes that a message with this text counts for, wherever bytes of messages are counted:
    /// the length of the text and [`MESSAGE_OVERHEAD`].
    ///
    /// ```
    /// assert_eq!(topic_log::Message::retained_bytes("four"), 68);
    /// ```
    pub fn retained_bytes(text: &str) -> u64 {
        text.len() as u64 + MESSAGE_OVERHEAD
    }
}
