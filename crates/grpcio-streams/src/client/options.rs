//! The options of a call.

use std::fmt;
use std::time::Instant;

use grpcio::CallOption;

use crate::status::Status;

/// The options of a call: those of the binding, and the length of messages.
pub struct Options {
    pub(super) call: CallOption,
    pub(super) max_message_bytes: usize,
}

/// What a call that starts now may receive, and until when.
pub(super) struct Bounds {
    /// The length of the longest message.
    pub(super) message_bytes: usize,
    /// The end of the timeout. None if there is no timeout, or one that never ends.
    pub(super) deadline: Option<Instant>,
}

impl Options {
    /// # Errors
    ///
    /// DEADLINE_EXCEEDED for a timeout of 0. Newer cores notice it late or not at all.
    pub(super) fn bounds(&self) -> Result<Bounds, Status> {
        let timeout = self.call.get_timeout();
        if timeout.is_some_and(|timeout| timeout.is_zero()) {
            return Err(Status::deadline_exceeded("the timeout of the call is 0"));
        }
        Ok(Bounds {
            message_bytes: self.max_message_bytes,
            deadline: timeout.and_then(|timeout| Instant::now().checked_add(timeout)),
        })
    }

    /// Sets the length of the longest message that the server may send, in bytes as encoded. A call
    /// with a longer message ends with RESOURCE_EXHAUSTED and [`Status::too_long`].
    ///
    /// The C core has a limit of its own, which applies as well: 4 MiB, unless the channel's
    /// `max_receive_message_len` says otherwise. -1 removes it. It costs time for each message, and
    /// its status does not say how long the message is.
    ///
    /// [`Status::too_long`]: crate::Status::too_long
    #[must_use]
    pub fn max_message_bytes(self, limit: usize) -> Self {
        Self {
            max_message_bytes: limit,
            ..self
        }
    }
}

/// The options of the binding, with the limit of messages that the channel has.
impl From<CallOption> for Options {
    fn from(call: CallOption) -> Self {
        Self {
            call,
            max_message_bytes: usize::MAX,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("max_message_bytes", &self.max_message_bytes)
            .finish_non_exhaustive()
    }
}
