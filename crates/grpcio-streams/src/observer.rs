//! Reports of the calls that a service serves.

use crate::call::Call;
use crate::status::Status;

/// How a call ended, as confirmed by the C core.
///
/// OK means that the handler finished and that the client's connection took the status. A call
/// that ended before that, because its client left or cancelled, is never reported as OK.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// The status that the client was sent. It is CANCELLED or DEADLINE_EXCEEDED if the call was
    /// over before a status could be sent.
    pub status: Status,
    /// How many messages the handler received from the client.
    pub received: u64,
    /// How many messages of the handler the client's connection has taken. A client that leaves may
    /// not have read all of them. What a handler answered after its client had left does not count.
    pub sent: u64,
}

/// Receives a report of every call that a service serves, for logs and metrics.
///
/// Its methods run on the completion-queue threads, so they must not block. A panic in one of them
/// is logged and has no effect on the call.
pub trait Observer: Send + Sync {
    /// The headers of a call have arrived and the call has been admitted or refused.
    fn started(&self, call: &Call) {
        let _ = call;
    }

    /// A call is over, and its handler has been dropped.
    fn ended(&self, call: &Call, outcome: &Outcome) {
        let _ = (call, outcome);
    }
}

/// An observer that does nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {}
