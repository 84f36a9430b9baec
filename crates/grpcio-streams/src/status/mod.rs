//! The status with which a call ends.

mod codes;
mod limits;
mod too_long;

use std::error::Error;
use std::fmt;

use grpcio::{RpcStatus, RpcStatusCode};

pub use too_long::TooLong;

/// The status with which a call ended or is to end: a code, a message for people, and optionally
/// details for programs.
///
/// Handlers return it as their error, and clients get it as theirs. It is displayed as
/// `NAME: message`, without the debug text that the C core attaches to its own statuses.
///
/// ```
/// use grpcio_streams::Status;
///
/// let status = Status::not_found("no stock has the code `aaa`");
/// assert_eq!(status.to_string(), "NOT_FOUND: no stock has the code `aaa`");
/// ```
///
/// # Limits
///
/// The code, the message and the details of a status travel in one block of HTTP/2 headers. A peer
/// that finds the block too long replaces all of it, so that even the code is lost. Therefore a
/// status is shortened when it is sent:
///
/// - A message of more than 2 KiB is cut at the end of a character and ends with `…`. Its length is
///   counted as gRPC encodes it: one byte for each printable ASCII character except the percent
///   sign, three for each byte of any other character.
/// - Details that do not fit are not sent, and a warning is logged. They have 7 KiB minus the
///   message, and are counted as base64: 3.75 KiB of details always fit, and 5.25 KiB fit beside a
///   message that is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    code: RpcStatusCode,
    message: String,
    details: Vec<u8>,
    too_long: Option<TooLong>,
}

impl Status {
    /// A status with a code. The message should say what was wrong and what to do about it.
    pub fn new(code: RpcStatusCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            details: Vec::new(),
            too_long: None,
        }
    }

    /// The same status with another message. The details stay as they are.
    #[must_use]
    pub fn with_message(self, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            ..self
        }
    }

    /// Adds details for programs, which are sent as `grpc-status-details-bin`. Clients expect an
    /// encoded `google.rpc.Status` there, which repeats the code and the message.
    #[must_use]
    pub fn with_details(self, details: Vec<u8>) -> Self {
        Self { details, ..self }
    }

    /// The gRPC status code.
    pub fn code(&self) -> RpcStatusCode {
        self.code
    }

    /// The message, which may be empty.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The details, which are empty if there are none.
    pub fn details(&self) -> &[u8] {
        &self.details
    }

    /// The message that this side has refused to receive or to send because of its length, if that
    /// ended the call. None for a status that the other side has sent.
    pub fn too_long(&self) -> Option<TooLong> {
        self.too_long
    }

    /// Adds the message that this side refuses. It is not sent to the other side.
    #[must_use]
    pub fn with_too_long(self, message: TooLong) -> Self {
        Self {
            too_long: Some(message),
            ..self
        }
    }

    /// The name of the code as the gRPC documents spell it, such as `UNAVAILABLE`.
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

    /// CANCELLED for a call that was over before it was given a status, so that only this side sees
    /// it. The C core does not say why: the client may have left, or the core may have refused a
    /// message that is too long.
    pub(crate) fn departed() -> Self {
        Self::cancelled("the client is gone, or the gRPC core has ended the call")
    }

    /// The status as it can be sent. Its code always arrives.
    #[must_use]
    pub(crate) fn fitted(mut self) -> Self {
        limits::cut(&mut self.message);
        let (length, limit) = (self.details.len(), limits::details_beside(&self.message));
        if length > limit {
            let name = self.name();
            log::warn!(
                "the details of a status {name} are not sent: they have {length} bytes, and at \
                 most {limit} fit beside its message"
            );
            self.details = Vec::new();
        }
        self
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
        let message = unwrapped(status.message());
        Self::new(status.code(), message).with_details(status.details().to_vec())
    }
}

/// What happened, without what newer cores say around it: `Stream removed (RST_STREAM (what))`.
fn unwrapped(message: &str) -> &str {
    let unwrap = |said, around| {
        let inner = str::strip_prefix(said, around).and_then(|said| said.strip_suffix(')'));
        inner.unwrap_or(said)
    };
    unwrap(unwrap(message, "Stream removed ("), "RST_STREAM (")
}

/// The status as it is sent: see the [limits](Status#limits).
impl From<Status> for RpcStatus {
    fn from(status: Status) -> Self {
        let status = status.fitted();
        RpcStatus::with_details(status.code, status.message, status.details)
    }
}

impl From<grpcio::Error> for Status {
    fn from(error: grpcio::Error) -> Self {
        use grpcio::Error as E;
        match error {
            E::RpcFailure(status) | E::RpcFinished(Some(status)) => status.into(),
            // gRPC's table of statuses: a message that cannot be parsed is INTERNAL.
            E::Codec(e) => Self::internal(format!("a message cannot be encoded or parsed: {e}")),
            E::RpcFinished(None) | E::RemoteStopped => {
                Self::cancelled("the call ended while it was still in use")
            }
            E::InvalidMetadata(why) => Self::invalid_argument(why),
            E::QueueShutdown => Self::unavailable("this side of the connection is shutting down"),
            other => Self::internal(format!("the gRPC core failed: {other}")),
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
    fn messages_of_newer_cores_are_as_those_of_older_ones() {
        for (said, shown) in [
            (
                "Stream removed (RST_STREAM (Received RST_STREAM with error code 8))",
                "Received RST_STREAM with error code 8",
            ),
            ("Stream removed (Deadline Exceeded)", "Deadline Exceeded"),
            (
                "Stream removed (Socket closed",
                "Stream removed (Socket closed",
            ),
            ("no stock (aaa)", "no stock (aaa)"),
            ("", ""),
        ] {
            let status = RpcStatus::with_message(RpcStatusCode::ABORTED, said.to_owned());
            assert_eq!(Status::from(status).message(), shown);
        }
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

    #[test]
    fn details_that_do_not_fit_are_dropped_and_the_rest_stays() {
        for (message, limit) in [("", 5_376), ("a".repeat(3_000).as_str(), 3_840)] {
            let status = |length| Status::not_found(message).with_details(vec![1; length]);
            let fits = status(limit).fitted();
            assert_eq!(fits.details().len(), limit);
            let too_long = status(limit + 1).fitted();
            assert_eq!(too_long, fits.with_details(Vec::new()));
        }
    }
}
