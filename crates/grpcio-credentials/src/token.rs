//! Bearer tokens, which are never shown.

use std::fmt;
use std::path::Path;

use crate::{read, FileError};

/// The scheme in the metadata `authorization`, before the token ([RFC 6750, section
/// 2.1](https://www.rfc-editor.org/rfc/rfc6750#section-2.1)).
const SCHEME: &str = "Bearer ";

/// A bearer token. A server identifies a caller by it, so it must stay secret.
///
/// Its `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

/// The text is not a token: it is empty, or it has characters that a bearer token cannot have ([RFC
/// 6750, section 2.1](https://www.rfc-editor.org/rfc/rfc6750#section-2.1)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a token; a token consists of A-Z a-z 0-9 - . _ ~ + /, with = only at its end")]
pub struct TokenError(());

impl Token {
    /// Makes a token of a text.
    ///
    /// # Errors
    ///
    /// See [`TokenError`].
    pub fn new(text: &str) -> Result<Self, TokenError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-._~+/".contains(c);
        let body = text.trim_end_matches('=');
        if body.is_empty() || !body.chars().all(allowed) {
            return Err(TokenError(()));
        }
        Ok(Self(text.to_owned()))
    }

    /// Reads a token from a file. White space around the token is ignored. Blocks.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or its text is not a token.
    pub fn from_file(path: &Path) -> Result<Self, FileError> {
        let bytes = read(path)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| TokenError(()));
        text.and_then(|text| Self::new(text.trim()))
            .map_err(|e| FileError::new(path, e.to_string()))
    }

    /// The value of the metadata `authorization`: `Bearer` and the token.
    pub fn credentials(&self) -> String {
        format!("{SCHEME}{}", self.0)
    }
}

/// Reads the token from the value of the metadata `authorization`. Returns None if it has no bearer
/// token. The scheme may be in upper or lower case (RFC 9110, section 11.1).
pub fn bearer_token(credentials: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = credentials.split_at_checked(SCHEME.len())?;
    let token = token.trim_ascii();
    let is_bearer = scheme.eq_ignore_ascii_case(SCHEME.as_bytes());
    (is_bearer && !token.is_empty()).then_some(token)
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_checked_and_never_shown() {
        for good in ["a", "0123456789abcdef", "YW5u+/==", "a-b.c_d~"] {
            let token = Token::new(good).unwrap();
            let credentials = token.credentials();
            assert_eq!(credentials, format!("Bearer {good}"));
            assert_eq!(bearer_token(credentials.as_bytes()), Some(good.as_bytes()));
            assert_eq!(format!("{token:?}"), "Token(…)");
        }
        for bad in ["", "=", "a b", "a\n", "a=b", "ß", "a,b"] {
            let said = Token::new(bad).unwrap_err().to_string();
            assert!(said.starts_with("is not a token; "), "{said}");
        }
    }

    #[test]
    fn credentials_without_a_token_have_none() {
        assert_eq!(bearer_token(b"bearer  t "), Some(&b"t"[..]));
        for none in [&b"Bearer"[..], b"Bearer ", b"Bearer  ", b"Basic t", b""] {
            assert_eq!(bearer_token(none), None);
        }
    }
}
