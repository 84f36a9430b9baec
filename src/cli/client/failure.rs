//! Why a command failed.

use std::io;

use grpcio_credentials::{FileError, TokenError};
use grpcio_streams::{escaped, Status};

use super::input::InputError;
use crate::client::{ConfigError, SubscribeError};

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The call did not end with OK.
    #[error("{}", escaped(&.0.to_string()))]
    Call(#[from] Status),
    /// The flags do not go with each other, or name no server.
    #[error("{}", in_flags(.0))]
    Config(#[from] ConfigError),
    /// A file that a flag names cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// The environment has something else than a token.
    #[error("the environment's GREETER_TOKEN {0}")]
    Token(#[from] TokenError),
    /// The messages to send could not be read.
    #[error(transparent)]
    Input(InputError),
    /// The output could not be written. A closed pipe is no failure.
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
    /// Everything worked, but messages are lost.
    #[error("messages were lost; the last time: {0}")]
    Lost(String),
    /// Somebody typed Ctrl-C at a prompt.
    #[error("interrupted")]
    Interrupted,
}

impl From<SubscribeError> for Failure {
    fn from(e: SubscribeError) -> Self {
        match e {
            SubscribeError::Ended(status) => Self::Call(status),
            loss => Self::Lost(loss.to_string()),
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

/// The error, with the flag that mends it.
pub(super) fn in_flags(error: &ConfigError) -> String {
    match error {
        ConfigError::NameNeeded => format!("{error}; give it as --server-name"),
        ConfigError::TokenInPlaintext(_) => format!("{error} (--tls)"),
        _ => error.to_string(),
    }
}
