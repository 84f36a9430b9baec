//! Why messages cannot be read.

use std::error::Error;
use std::fmt;
use std::io;

use crate::cli::client::field::FieldError;
use crate::cli::client::form::FormError;

/// Why the messages to send could not be read. Nothing after the error is sent.
#[derive(Debug)]
#[non_exhaustive]
pub enum InputError {
    /// A file, or standard input, could not be opened or read.
    Io {
        /// The file's path, or `standard input`.
        name: String,
        /// The error of the operating system.
        source: io::Error,
    },
    /// A line cannot be sent.
    Line {
        /// The file's path, or `standard input`.
        name: String,
        /// The number of the line, from 1.
        line: u64,
        /// What is wrong with the line.
        why: LineError,
    },
    /// The user typed Ctrl-C.
    Interrupted,
}

/// Why a line cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LineError {
    /// It is not UTF-8, which a protobuf string must be. The value is the number of bytes at its
    /// start that are UTF-8.
    #[error("is not UTF-8 from its byte {} on", .0 + 1)]
    NotUtf8(usize),
    /// It is longer than a line with a message may be. The value is the longest that fits, in
    /// bytes.
    #[error("is longer than {0} bytes, the most that fits a message")]
    TooLong(u64),
    /// Its message is too long.
    #[error("has a message of {bytes} bytes, and the most that fits is {limit}")]
    MessageTooLong {
        /// The length of the message, in bytes.
        bytes: u64,
        /// The longest text that fits a message, in bytes.
        limit: u64,
    },
    /// It does not have the form of a message.
    #[error(transparent)]
    Form(#[from] FormError),
    /// It does not name its topic.
    #[error(transparent)]
    Field(#[from] FieldError),
}

impl LineError {
    fn remedy(&self) -> &'static str {
        match self {
            Self::NotUtf8(_) => {
                "`put --lossy` replaces what is not UTF-8, and `put --skip-invalid` leaves such \
                 lines out"
            }
            Self::TooLong(_) | Self::MessageTooLong { .. } => {
                "--max-message-bytes allows longer messages, if the server does as well, and `put \
                 --skip-invalid` leaves such lines out"
            }
            _ => "`put --skip-invalid` leaves such lines out",
        }
    }
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { name, source } => write!(f, "cannot read {name}: {source}"),
            Self::Line { name, line, why } => write!(
                f,
                "line {line} of {name} {why}; nothing from this line on was sent; {}",
                why.remedy()
            ),
            Self::Interrupted => f.write_str("interrupted"),
        }
    }
}

impl Error for InputError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Line { why, .. } => Some(why),
            Self::Interrupted => None,
        }
    }
}
