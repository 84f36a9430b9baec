//! Positions in a topic.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

/// The position of a message in a topic: 0 for the first message, then 1, 2 and so on, without
/// gaps.
///
/// An offset means something only together with the topic's [`Epoch`].
pub type Offset = u64;

/// One incarnation of a topic.
///
/// A topic that is dropped and created again has another epoch, and its offsets start at 0 again.
/// Epochs are written as 16 hexadecimal digits, and compared for equality only: their order says
/// nothing.
///
/// ```
/// use topic_log::Epoch;
///
/// assert_eq!(Epoch(255).to_string(), "00000000000000ff");
/// assert_eq!("ff".parse(), Ok(Epoch(255)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Epoch(pub u64);

/// The range of offsets that a topic keeps. In an empty topic the two are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The offset of the oldest message that is kept.
    pub earliest: Offset,
    /// The offset that the next appended message gets.
    pub next: Offset,
}

impl Bounds {
    /// How many messages the topic keeps.
    pub(crate) fn count(self) -> u64 {
        self.next - self.earliest
    }

    /// Whether the topic keeps no message.
    pub(crate) fn is_empty(self) -> bool {
        self.earliest == self.next
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for Epoch {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u64::from_str_radix(text, 16).map(Self)
    }
}
