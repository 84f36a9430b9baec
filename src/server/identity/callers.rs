//! The token file: who may call, and what they may do with which topics.
//!
//! ```text
//! # name    who it is                                                         rights
//! ann       9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08  read:stocks/* write:chat
//! desk      60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752  read:* write:*
//! sensor-7  cert                                                              write:telemetry/7
//! ```
//!
//! A line names a caller, says how it is known, and what it may do. Words are separated by blanks;
//! what follows a word that begins with `#` is a comment.
//!
//! - The name is for the log; a client's certificate has to have it.
//! - The caller is known by a token, whose SHA-256 is here in hexadecimal digits, or, where it says
//!   `cert`, by a certificate of the client CA with that name. The same name may be in several
//!   lines, so that a token can be changed for another; a token, or the name of a certificate, in
//!   one only.
//! - `read:TOPIC` lets it read a topic, `write:TOPIC` write to it; with `*` at its end TOPIC means
//!   all topics that begin so. Without rights it may make the calls that name no topic.
//!
//! A hash is not salted, so a token has to be one that nobody guesses: `openssl rand -hex 32`.

use std::collections::HashMap;
use std::path::Path;

use openssl::memcmp;
use openssl::sha::sha256;

use crate::file::FileError;
use crate::service::Access;
use topic_log::Name;

/// Everyone that a server knows.
pub(super) struct Callers(Vec<Caller>);

/// Somebody that a server knows.
pub(super) struct Caller {
    pub(super) name: String,
    known_by: KnownBy,
    reads: Vec<Pattern>,
    writes: Vec<Pattern>,
}

#[derive(PartialEq, Eq)]
enum KnownBy {
    /// The SHA-256 of its token.
    Token([u8; 32]),
    /// The caller's name.
    Certificate,
}

enum Pattern {
    Topic(Name),
    Beginning(String),
}

impl Callers {
    /// Reads a token file's text. Its errors show nothing of a line: a token may have got into it.
    pub(super) fn parse(path: &Path, text: &[u8]) -> Result<Self, FileError> {
        let (mut callers, mut lines) = (Vec::new(), HashMap::new());
        for (n, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let n = n + 1;
            let refuse = |why: String| FileError::new(path, format!("line {n}: {why}"));
            let Some(caller) = caller(line).map_err(refuse)? else {
                continue;
            };
            let (what, known_as) = match &caller.known_by {
                KnownBy::Token(hash) => ("the token", hash.to_vec()),
                KnownBy::Certificate => ("the certificate's name", caller.name.clone().into()),
            };
            if let Some(other) = lines.insert((what, known_as), n) {
                let why = format!("{what} is that of line {other}, too; remove one");
                return Err(refuse(why));
            }
            callers.push(caller);
        }
        if callers.is_empty() {
            let why = "names no caller; a line is NAME, the SHA-256 of a token or `cert`, and \
                       rights such as read:stocks/*";
            return Err(FileError::new(path, why));
        }
        Ok(Self(callers))
    }

    /// Whose token it is. How long that takes tells nothing about the tokens that there are.
    pub(super) fn with_token(&self, token: &[u8]) -> Option<&Caller> {
        let shown = sha256(token);
        self.0
            .iter()
            .fold(None, |found, caller| match &caller.known_by {
                KnownBy::Token(hash) if memcmp::eq(hash, &shown) => Some(caller),
                _ => found,
            })
    }

    /// Whose certificate it is that has this name.
    pub(super) fn with_certificate(&self, name: &str) -> Option<&Caller> {
        let is_it =
            |caller: &&Caller| caller.known_by == KnownBy::Certificate && caller.name == name;
        self.0.iter().find(is_it)
    }
}

impl Caller {
    /// Whether it has all the rights that a call needs.
    pub(super) fn may(&self, access: &Access) -> bool {
        let allows = |patterns: &[Pattern]| patterns.iter().any(|p| p.matches(&access.topic));
        (!access.reads || allows(&self.reads)) && (!access.writes || allows(&self.writes))
    }
}

impl Pattern {
    fn parse(text: &str) -> Result<Self, String> {
        let Some(beginning) = text.strip_suffix('*') else {
            return Name::new(text).map(Self::Topic).map_err(|e| e.to_string());
        };
        // The beginning of a name is a name, unless it is empty.
        if !beginning.is_empty() {
            Name::new(beginning).map_err(|e| e.to_string())?;
        }
        Ok(Self::Beginning(beginning.to_owned()))
    }

    fn matches(&self, topic: &Name) -> bool {
        match self {
            Self::Topic(name) => name == topic,
            Self::Beginning(beginning) => topic.as_str().starts_with(beginning),
        }
    }
}

/// What a line says; None where it says nothing.
fn caller(line: &[u8]) -> Result<Option<Caller>, String> {
    let line = std::str::from_utf8(line).map_err(|_| "is not UTF-8".to_owned())?;
    let mut words = line
        .split_whitespace()
        .take_while(|word| !word.starts_with('#'));
    let Some(name) = words.next() else {
        return Ok(None);
    };
    let known_by = match words.next() {
        Some("cert") => Some(KnownBy::Certificate),
        Some(word) => hash(word).map(KnownBy::Token),
        None => None,
    };
    let known_by = known_by.ok_or(
        "the second word is neither the SHA-256 of a token, in 64 hexadecimal digits, nor `cert`",
    )?;
    let (mut reads, mut writes) = (Vec::new(), Vec::new());
    for (n, word) in words.enumerate() {
        let n = n + 3;
        let (rights, topic) = match word.split_once(':') {
            Some(("read", topic)) => (&mut reads, topic),
            Some(("write", topic)) => (&mut writes, topic),
            _ => {
                return Err(format!(
                    "word {n} is no right; a right is read:TOPIC or write:TOPIC, and a * at the \
                     end of TOPIC means all that begin so"
                ))
            }
        };
        // Why it is no name would show what is there.
        let pattern = Pattern::parse(topic).map_err(|_| {
            format!(
                "the topic in word {n} is none; a topic is 1 to 255 of A-Z a-z 0-9 . _ / -, and a \
                 * at its end means all that begin so"
            )
        })?;
        rights.push(pattern);
    }
    Ok(Some(Caller {
        name: name.to_owned(),
        known_by,
        reads,
        writes,
    }))
}

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
