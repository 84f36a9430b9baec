//! Why this side has refused a message.

/// A message that is longer than this side accepts or sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong {
    /// The length of the message, in bytes as encoded.
    pub bytes: usize,
    /// The longest message that this side accepts or sends, in bytes as encoded.
    pub limit: usize,
}
