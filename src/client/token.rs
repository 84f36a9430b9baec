//! A bearer token, which nothing here shows.

use std::error::Error;
use std::fmt;
use std::path::Path;

use crate::file::{self, FileError};

/// A token: who has it is whom it was given to.
///
/// Its `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

/// A text is no token: it is empty, or has other characters than a bearer token may have
/// ([RFC 6750, section 2.1](https://www.rfc-editor.org/rfc/rfc6750#section-2.1)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenError(());

impl Token {
    /// Checks a token.
    ///
    /// # Errors
    ///
    /// See [`TokenError`].
    pub fn new(text: &str) -> Result<Self, TokenError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-._~+/".contains(c);
        let body = text.trim_end_matches('=');
        match !body.is_empty() && body.chars().all(allowed) {
            true => Ok(Self(text.to_owned())),
            false => Err(TokenError(())),
        }
    }

    /// Reads a file that has a token and nothing else but blanks and line ends around it.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or has no token.
    pub fn from_file(path: &Path) -> Result<Self, FileError> {
        let bytes = file::read(path)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| TokenError(()));
        text.and_then(|text| Self::new(text.trim()))
            .map_err(|e| FileError::new(path, e.to_string()))
    }

    /// The value of the metadata `authorization`.
    pub(super) fn credentials(&self) -> String {
        format!("Bearer {}", self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("is no token; a token is of A-Z a-z 0-9 - . _ ~ + /, with = at its end only")
    }
}

impl Error for TokenError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_checked_and_never_shown() {
        for good in ["a", "0123456789abcdef", "YW5u+/==", "a-b.c_d~"] {
            let token = Token::new(good).unwrap();
            assert_eq!(token.credentials(), format!("Bearer {good}"));
            assert_eq!(format!("{token:?}"), "Token(…)");
        }
        for bad in ["", "=", "a b", "a\n", "a=b", "ß", "a,b"] {
            let said = Token::new(bad).unwrap_err().to_string();
            assert!(said.starts_with("is no token; "), "{said}");
        }
    }
}
