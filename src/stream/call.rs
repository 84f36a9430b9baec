//! What is known about a call, and who is told when it starts and ends.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use grpcio::{Deadline, Metadata, RpcContext};

use super::Status;

/// One call as its handler sees it.
pub struct Call {
    method: &'static str,
    peer: String,
    metadata: Metadata,
    deadline: Deadline,
    started: Instant,
    response_metadata: Mutex<Option<Metadata>>,
}

impl Call {
    pub(super) fn new(method: &'static str, ctx: &RpcContext<'_>) -> Self {
        Self {
            method,
            peer: readable(&ctx.peer()),
            metadata: ctx.request_headers().clone(),
            deadline: ctx.deadline(),
            started: Instant::now(),
            response_metadata: Mutex::new(None),
        }
    }

    /// The full name of the method, such as `/Greeter/GetStream`.
    pub fn method(&self) -> &'static str {
        self.method
    }

    /// The client's address, such as `127.0.0.1:41234` or `[::1]:41234`.
    pub fn peer(&self) -> &str {
        &self.peer
    }

    /// The request metadata.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Sends `metadata` to the client ahead of the first response; has no effect after that.
    ///
    /// The binding sends response metadata together with a message only: a call that ends without
    /// a response sends none.
    pub fn respond_with(&self, metadata: Metadata) {
        *self.response_metadata() = Some(metadata);
    }

    pub(super) fn take_response_metadata(&self) -> Option<Metadata> {
        self.response_metadata().take()
    }

    fn response_metadata(&self) -> MutexGuard<'_, Option<Metadata>> {
        self.response_metadata
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the time that the client gave the call has passed.
    pub fn deadline_exceeded(&self) -> bool {
        self.deadline.exceeded()
    }

    /// How long the call has been running.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("method", &self.method)
            .field("peer", &self.peer)
            .field("elapsed", &self.elapsed())
            .finish_non_exhaustive()
    }
}

/// How a call ended, known only once the C core has confirmed it.
///
/// OK means that the handler finished and that the client's connection took the status. A call
/// that ended before is never reported as OK: its client left, or cancelled.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// The status that the client was sent; CANCELLED or DEADLINE_EXCEEDED where the call was over
    /// before.
    pub status: Status,
    /// How many messages the handler took from the client.
    pub received: u64,
    /// How many messages the handler gave to the client.
    pub sent: u64,
}

/// Is told about every call that an adapter serves; for logs and metrics.
///
/// Its methods run on the completion-queue threads: they must not block.
pub trait Observer: Send + Sync {
    /// The call's headers have arrived.
    fn started(&self, call: &Call) {
        let _ = call;
    }

    /// The call is over and nothing of it is left running.
    fn ended(&self, call: &Call, outcome: &Outcome) {
        let _ = (call, outcome);
    }
}

/// An observer that is told and does nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {}

/// The C core names peers as URIs: `ipv4:127.0.0.1:80`, `ipv6:%5B::1%5D:80`, `unix:/path`.
fn readable(peer: &str) -> String {
    match peer.split_once(':') {
        Some(("ipv4" | "ipv6", address)) => address.replace("%5B", "[").replace("%5D", "]"),
        _ => peer.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::readable;

    #[test]
    fn peers_are_shown_as_people_write_them() {
        for (uri, shown) in [
            ("ipv4:127.0.0.1:41234", "127.0.0.1:41234"),
            ("ipv6:%5B::1%5D:41234", "[::1]:41234"),
            ("unix:/run/greeter", "unix:/run/greeter"),
            ("", ""),
        ] {
            assert_eq!(readable(uri), shown);
        }
    }
}
