//! How a call ends when it does not end well.

use std::error::Error;
use std::fmt;

use grpcio::{RpcStatus, RpcStatusCode};

/// The status a call ended with, or is to end with: a code and a message for a person.
///
/// Handlers return it as their error and clients get it as theirs. It shows itself as
/// `NAME: message`, without the debug text that the C core attaches to its own statuses.
///
/// ```
/// use grpcio_streams::Status;
/// use grpcio::RpcStatusCode;
///
/// let status = Status::new(RpcStatusCode::NOT_FOUND, "no stock has the code `aaa`");
/// assert_eq!(status.to_string(), "NOT_FOUND: no stock has the code `aaa`");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    code: RpcStatusCode,
    message: String,
    details: Vec<u8>,
}

impl Status {
    /// A status of `code`, with a `message` that says what was wrong and what to do about it.
    ///
    /// The message travels in a response header, which peers limit to a few KiB.
    pub fn new(code: RpcStatusCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            details: Vec::new(),
        }
    }

    /// The same status with details for programs, sent as `grpc-status-details-bin`: an encoded
    /// `google.rpc.Status`, which is what clients look for there.
    #[must_use]
    pub fn with_details(self, details: Vec<u8>) -> Self {
        Self { details, ..self }
    }

    /// The details; empty where there are none.
    pub fn details(&self) -> &[u8] {
        &self.details
    }

    /// The status of a call that ended well.
    pub fn ok() -> Self {
        Self::new(RpcStatusCode::OK, "")
    }

    /// The gRPC status code.
    pub fn code(&self) -> RpcStatusCode {
        self.code
    }

    /// What the other side said about it; may be empty.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The code's name as the gRPC documents spell it, such as `UNAVAILABLE`.
    ///
    /// A code outside 0 to 16 is shown as `CODE_<n>`.
    pub fn name(&self) -> String {
        match i32::from(self.code) {
            // The binding prints `14-UNAVAILABLE`.
            0..=16 => format!("{:?}", self.code)
                .split_off(2)
                .trim_start_matches('-')
                .to_owned(),
            other => format!("CODE_{other}"),
        }
    }

    /// The server is shutting down: UNAVAILABLE, which tells clients to try again.
    pub fn draining() -> Self {
        let why = "the server is shutting down; try again, or try another server";
        Self::new(RpcStatusCode::UNAVAILABLE, why)
    }

    /// INTERNAL: a mistake of this side, which the other can do nothing about.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(RpcStatusCode::INTERNAL, message)
    }

    /// The call was over before it was given a status, so only this side sees this one. The C core
    /// does not say why: the client left, or the core itself refused a message that is too long.
    pub(crate) fn departed() -> Self {
        let why = "the client is gone, or the gRPC core has ended the call";
        Self::new(RpcStatusCode::CANCELLED, why)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())?;
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        Ok(())
    }
}

impl Error for Status {}

impl From<RpcStatus> for Status {
    fn from(status: RpcStatus) -> Self {
        Self::new(status.code(), status.message()).with_details(status.details().to_vec())
    }
}

impl From<Status> for RpcStatus {
    fn from(status: Status) -> Self {
        RpcStatus::with_details(status.code, status.message, status.details)
    }
}

impl From<grpcio::Error> for Status {
    fn from(error: grpcio::Error) -> Self {
        use grpcio::Error as E;
        match error {
            E::RpcFailure(status) | E::RpcFinished(Some(status)) => status.into(),
            // gRPC's table of statuses: a message that cannot be parsed is INTERNAL.
            E::Codec(e) => Self::internal(format!("malformed message: {e}")),
            E::RpcFinished(None) | E::RemoteStopped => Self::new(
                RpcStatusCode::CANCELLED,
                "the call ended while it was still in use",
            ),
            E::InvalidMetadata(why) => Self::new(RpcStatusCode::INVALID_ARGUMENT, why),
            E::QueueShutdown => Self::new(
                RpcStatusCode::UNAVAILABLE,
                "this side of the connection is shutting down",
            ),
            other => Self::internal(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_code_and_message_only() {
        let with_debug_text = RpcStatus::with_details_and_error_string(
            RpcStatusCode::UNAVAILABLE,
            "draining".into(),
            vec![1],
            "UNKNOWN:Error received from peer {file_line:1}".into(),
        );
        let status = Status::from(grpcio::Error::RpcFailure(with_debug_text));
        assert_eq!(status.to_string(), "UNAVAILABLE: draining");
        assert_eq!(Status::ok().to_string(), "OK");
    }

    #[test]
    fn names_codes_that_grpc_does_not_define() {
        for (code, name) in [
            (0, "OK"),
            (9, "FAILED_PRECONDITION"),
            (10, "ABORTED"),
            (16, "UNAUTHENTICATED"),
            (17, "CODE_17"),
            (-1, "CODE_-1"),
        ] {
            assert_eq!(Status::new(RpcStatusCode::from(code), "").name(), name);
        }
    }
}
