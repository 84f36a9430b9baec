//! The names of topics and producers.

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

/// The longest name, in bytes.
const MAX_BYTES: usize = 255;

const RULE: &str = "a name is 1 to 255 of A-Z a-z 0-9 . _ / -";

/// The name of a topic: 1 to 255 of the characters `A-Z a-z 0-9 . _ / -`.
///
/// ```
/// use topic_log::{Name, NameError};
///
/// assert_eq!(Name::new("stocks/AAPL").map(|name| name.to_string()).as_deref(), Ok("stocks/AAPL"));
/// assert_eq!(Name::new("a b"), Err(NameError::Character(' ', 1)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(Arc<str>);

/// The name of a producer. It consists of the same characters as the [`Name`] of a topic.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProducerName(Arc<str>);

/// Why a text is not a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NameError {
    /// It is empty.
    #[error("is empty; {RULE}")]
    Empty,
    /// It is longer than 255 bytes. The value is its length in bytes.
    #[error("has {0} bytes; {RULE}")]
    TooLong(usize),
    /// It contains a character that is not allowed. The values are the character and its position,
    /// in bytes from 0.
    #[error("has {0:?} at byte {1}; {RULE}")]
    Character(char, usize),
}

fn check(text: &str) -> Result<Arc<str>, NameError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '/' | '-');
    match text.char_indices().find(|(_, c)| !allowed(*c)) {
        _ if text.is_empty() => Err(NameError::Empty),
        _ if text.len() > MAX_BYTES => Err(NameError::TooLong(text.len())),
        Some((at, c)) => Err(NameError::Character(c, at)),
        None => Ok(text.into()),
    }
}

impl Name {
    /// Checks a name.
    ///
    /// # Errors
    ///
    /// See [`NameError`].
    pub fn new(text: &str) -> Result<Self, NameError> {
        check(text).map(Self)
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<u128> for ProducerName {
    /// The number as a name of 32 hexadecimal digits. A random number makes a unique name for a new
    /// producer.
    fn from(number: u128) -> Self {
        Self(format!("{number:032x}").into())
    }
}

impl ProducerName {
    /// Checks a name.
    ///
    /// # Errors
    ///
    /// See [`NameError`].
    pub fn new(text: &str) -> Result<Self, NameError> {
        check(text).map(Self)
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ProducerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        for good in ["a", "stocks/AAPL", "A-z_0.9", &"x".repeat(255)] {
            assert_eq!(
                Name::new(good).map(|name| name.to_string()).as_deref(),
                Ok(good)
            );
        }
        for (bad, why) in [
            ("", NameError::Empty),
            ("a b", NameError::Character(' ', 1)),
            ("aß", NameError::Character('ß', 1)),
            ("a\n", NameError::Character('\n', 1)),
            (&"x".repeat(256), NameError::TooLong(256)),
        ] {
            assert_eq!(Name::new(bad), Err(why));
            assert_eq!(ProducerName::new(bad), Err(why));
        }
    }
}
