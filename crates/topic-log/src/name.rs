//! The names of topics and producers.

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

/// The longest name, in bytes.
const MAX_BYTES: usize = 255;

/// What begins an escape in the name of a text.
const ESCAPE: char = '_';

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

fn is_allowed(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '/' | '-')
}

fn check(text: &str) -> Result<Arc<str>, NameError> {
    match text.char_indices().find(|(_, c)| !is_allowed(*c)) {
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

    /// The name that stands for any text: characters that a name may have stand for themselves,
    /// except the underscore. Each byte of the underscore, and of the UTF-8 of any other character,
    /// becomes an underscore and two upper-case hexadecimal digits. Different texts get different
    /// names.
    ///
    /// ```
    /// use topic_log::Name;
    ///
    /// let name = Name::escaped("^GSPC")?;
    /// assert_eq!(name.as_str(), "_5EGSPC");
    /// assert_eq!(name.unescaped().as_deref(), Some("^GSPC"));
    /// # Ok::<(), topic_log::NameError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`NameError::Empty`] for an empty text, and [`NameError::TooLong`] if the name would be
    /// longer than 255 bytes.
    pub fn escaped(text: &str) -> Result<Self, NameError> {
        let mut name = String::with_capacity(text.len());
        for c in text.chars() {
            if is_allowed(c) && c != ESCAPE {
                name.push(c);
            } else {
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    name.extend(format!("{ESCAPE}{byte:02X}").chars());
                }
            }
        }
        Self::new(&name)
    }

    /// The text that [`escaped`](Self::escaped) made this name of. None if it did not make it.
    pub fn unescaped(&self) -> Option<String> {
        let mut parts = self.0.split(ESCAPE);
        let mut text = parts.next()?.as_bytes().to_vec();
        for part in parts {
            let (digits, rest) = part.split_at_checked(2)?;
            text.push(u8::from_str_radix(digits, 16).ok()?);
            text.extend(rest.bytes());
        }
        let text = String::from_utf8(text).ok()?;
        // Some names could be read, but are not the one name of their text: `_41` or `_5e`.
        (Self::escaped(&text).as_ref() == Ok(self)).then_some(text)
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

    #[test]
    fn any_text_has_a_name() {
        for (text, name) in [
            ("AAPL", "AAPL"),
            ("BRK.B/x-1", "BRK.B/x-1"),
            ("^GSPC", "_5EGSPC"),
            ("BTC_USD", "BTC_5FUSD"),
            ("a b\0", "a_20b_00"),
            ("ß股", "_C3_9F_E8_82_A1"),
        ] {
            let made = Name::escaped(text).unwrap();
            assert_eq!(made.as_str(), name);
            assert_eq!(made.unescaped().as_deref(), Some(text));
        }
        assert_eq!(Name::escaped(""), Err(NameError::Empty));
        assert!(Name::escaped(&"^".repeat(85)).is_ok());
        assert_eq!(
            Name::escaped(&"^".repeat(86)),
            Err(NameError::TooLong(3 * 86))
        );
    }

    #[test]
    fn a_name_that_was_not_made_of_a_text_has_none() {
        for name in ["a_b", "_", "a_5", "_5e", "_41", "_C3", "_5E_", "__", "_-5"] {
            let name = Name::new(name).unwrap();
            assert_eq!(name.unescaped(), None, "{name}");
        }
    }
}
