//! The token file: the callers and their rights.
//!
//! ```text
//! # name    known by                                                          rights
//! ann       9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08  read:stocks/* write:chat
//! desk      60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752  read:* write:*
//! sensor-7  cert                                                              write:telemetry/7
//! ```
//!
//! A line has the name of a caller, the way in which the server recognises the caller, and the
//! caller's rights. White space separates the words. A word that begins with `#` begins a comment.
//!
//! - The name appears in the log. A caller with a client certificate has this name in the
//!   certificate.
//! - The second word is the SHA-256 of the caller's token, in 64 hexadecimal digits. Or it is
//!   `cert`, for a caller with a certificate of the client CA. Several lines may have the same
//!   name, so that a caller can change from one token to another. No two lines may have the same
//!   token, or `cert` with the same name.
//! - A right is an action, a colon and a resource, such as `read:stocks`. A `*` at its end stands
//!   for all resources whose names begin with the text before it. The services define the rights
//!   ([`Rights`](crate::Rights)). A caller without rights may make the calls that need none.
//!
//! The hash is not salted, so a token must be too random to be guessed: `openssl rand -hex 32`.

use std::collections::HashMap;
use std::path::Path;

use grpcio_credentials::FileError;
use grpcio_streams::is_invisible;
use openssl::memcmp;
use openssl::sha::sha256;

use crate::rights::{Need, Vocabulary};

/// All callers in a token file.
pub(super) struct TokenFile(Vec<Caller>);

/// A caller that the server knows.
pub(super) struct Caller {
    pub(super) name: String,
    known_by: KnownBy,
    rights: Vec<Right>,
}

#[derive(PartialEq, Eq)]
enum KnownBy {
    /// The SHA-256 of its token.
    Token([u8; 32]),
    /// The caller's name.
    Certificate,
}

/// The right to do `action` to a resource.
struct Right {
    action: &'static str,
    resource: Pattern,
}

enum Pattern {
    Exactly(String),
    BeginsWith(String),
}

impl TokenFile {
    /// Reads the text of a token file. `has_client_ca` is true if clients can show certificates.
    ///
    /// Errors do not show the text of a line, because it may contain a token.
    pub(super) fn parse(
        path: &Path,
        text: &[u8],
        vocabulary: &Vocabulary,
        has_client_ca: bool,
    ) -> Result<Self, FileError> {
        let (mut callers, mut lines) = (Vec::new(), HashMap::new());
        for (n, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let n = n + 1;
            let refuse = |why: String| FileError::new(path, format!("line {n}: {why}"));
            let Some(caller) = Caller::parse(line, vocabulary).map_err(refuse)? else {
                continue;
            };
            let (what, known_as) = match &caller.known_by {
                KnownBy::Token(hash) => ("the token", hash.to_vec()),
                KnownBy::Certificate if !has_client_ca => {
                    let why = "the caller needs a certificate, and this server has no client \
                               CA to check certificates with; set a client CA, or give the \
                               caller a token";
                    return Err(refuse(why.to_owned()));
                }
                KnownBy::Certificate => ("the certificate's name", caller.name.clone().into()),
            };
            if let Some(other) = lines.insert((what, known_as), n) {
                let why = format!("{what} is the same as in line {other}; remove one of the lines");
                return Err(refuse(why));
            }
            callers.push(caller);
        }
        if callers.is_empty() {
            let why =
                "names no caller; a line is NAME, the SHA-256 of a token or `cert`, and rights";
            return Err(FileError::new(path, why));
        }
        Ok(Self(callers))
    }

    /// The caller with this token. The search takes the same time for every token, so its duration
    /// reveals nothing about the file.
    pub(super) fn with_token(&self, token: &[u8]) -> Option<&Caller> {
        let shown = sha256(token);
        self.0
            .iter()
            .fold(None, |found, caller| match &caller.known_by {
                KnownBy::Token(hash) if memcmp::eq(hash, &shown) => Some(caller),
                _ => found,
            })
    }

    /// The caller whose certificate has this name.
    pub(super) fn with_certificate(&self, name: &str) -> Option<&Caller> {
        let is_it =
            |caller: &&Caller| caller.known_by == KnownBy::Certificate && caller.name == name;
        self.0.iter().find(is_it)
    }
}

impl Caller {
    /// Whether the caller has all the rights that a call needs.
    pub(super) fn may(&self, need: &Need) -> bool {
        need.actions.iter().all(|action| {
            let allows =
                |right: &Right| right.action == *action && right.resource.matches(&need.resource);
            self.rights.iter().any(allows)
        })
    }

    /// The caller in a line; None for a line without words.
    fn parse(line: &[u8], vocabulary: &Vocabulary) -> Result<Option<Self>, String> {
        let line = std::str::from_utf8(line).map_err(|_| "is not UTF-8".to_owned())?;
        let mut words = line
            .split_whitespace()
            .take_while(|word| !word.starts_with('#'));
        let Some(name) = words.next() else {
            return Ok(None);
        };
        if let Some(c) = name.chars().find(|c| is_invisible(*c)) {
            return Err(format!(
                "the caller's name has the invisible character {}, which a byte order mark within a \
                 file is, too; remove it",
                c.escape_unicode()
            ));
        }
        let known_by = match words.next() {
            Some("cert") => Some(KnownBy::Certificate),
            Some(word) => hash(word).map(KnownBy::Token),
            None => None,
        };
        let known_by = known_by.ok_or(
            "the second word is neither the SHA-256 of a token, in 64 hexadecimal digits, nor \
             `cert`",
        )?;
        let rights = words
            .enumerate()
            .map(|(n, word)| Right::parse(n + 3, word, vocabulary))
            .collect::<Result<_, _>>()?;
        Ok(Some(Self {
            name: name.to_owned(),
            known_by,
            rights,
        }))
    }
}

impl Right {
    /// The right in the `n`th word of a line.
    fn parse(n: usize, word: &str, vocabulary: &Vocabulary) -> Result<Self, String> {
        let parts = word.split_once(':');
        let known = parts.and_then(|(action, resource)| {
            let (action, known_by) = vocabulary.action(action)?;
            Some((action, known_by, resource))
        });
        let Some((action, known_by, resource)) = known else {
            return Err(format!(
                "word {n} is not a right; a right is {}; a * at the end stands for every \
                 continuation",
                vocabulary.forms()
            ));
        };
        let pattern = match resource.strip_suffix('*') {
            None => Pattern::Exactly(resource.to_owned()),
            Some(beginning) => Pattern::BeginsWith(beginning.to_owned()),
        };
        for rights in known_by {
            if !pattern.is_possible(|name| rights.is_resource(name)) {
                return Err(format!(
                    "word {n} names no {what}; a {what} is {}; a * at the end stands for \
                     every continuation",
                    rights.resource_names(),
                    what = rights.resource(),
                ));
            }
        }
        Ok(Self {
            action,
            resource: pattern,
        })
    }
}

impl Pattern {
    fn is_possible(&self, is_resource: impl Fn(&str) -> bool) -> bool {
        match self {
            Self::Exactly(name) => is_resource(name),
            // The beginning of a resource's name is itself a possible name, unless it is empty.
            Self::BeginsWith(beginning) => beginning.is_empty() || is_resource(beginning),
        }
    }

    fn matches(&self, resource: &str) -> bool {
        match self {
            Self::Exactly(name) => name == resource,
            Self::BeginsWith(beginning) => resource.starts_with(beginning),
        }
    }
}

/// The hash in 64 hexadecimal digits.
fn hash(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let mut hash = [0; 32];
    for (n, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * n..2 * n + 2)?, 16).ok()?;
    }
    Some(hash)
}
