//! Why a command failed.

use std::io;

use grpcio_credentials::{FileError, TokenError};
use grpcio_streams::{escaped, Status};

use super::input::InputError;
use crate::client::{ConfigError, LongMessage, SubscribeError};

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The call did not end with OK.
    #[error("{}", escaped(&.0.to_string()))]
    Call(#[from] Status),
    /// The flags contradict each other, or an address is wrong.
    #[error("{}", in_flags(.0))]
    Config(#[from] ConfigError),
    /// A file that a flag names cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// The environment variable does not have a token.
    #[error("the environment variable GREETER_TOKEN {0}")]
    Token(#[from] TokenError),
    /// A message of the topic is longer than the client takes.
    #[error(
        "{0}; --max-message-bytes {bytes} allows it, and --from {next} goes on after it",
        bytes = .0.bytes, next = .0.position.offset.saturating_add(1)
    )]
    TooLong(LongMessage),
    /// The messages to send could not be read.
    #[error(transparent)]
    Input(InputError),
    /// The output could not be written. A closed pipe is not an error.
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
    /// The command has ended, but messages were lost.
    #[error("messages were lost; the last loss: {0}")]
    Lost(String),
    /// The user typed Ctrl-C at a prompt.
    #[error("interrupted")]
    Interrupted,
}

impl From<SubscribeError> for Failure {
    fn from(e: SubscribeError) -> Self {
        match e {
            SubscribeError::Ended(status) => Self::Call(status),
            SubscribeError::TooLong(message) => Self::TooLong(message),
            SubscribeError::Lost(loss) => Self::Lost(loss.to_string()),
        }
    }
}

impl From<InputError> for Failure {
    fn from(e: InputError) -> Self {
        match e {
            InputError::Interrupted => Self::Interrupted,
            e => Self::Input(e),
        }
    }
}

/// The error, with the flag that solves it.
pub(super) fn in_flags(error: &ConfigError) -> String {
    match error {
        ConfigError::NameNeeded => format!("{error}; give it as --server-name"),
        ConfigError::MetadataBytes(_) => {
            error
                .to_string()
                .replacen("metadata_bytes", "--max-metadata-bytes", 1)
        }
        ConfigError::TokenInPlaintext(_) => format!("{error} (--tls)"),
        _ => error.to_string(),
    }
}
