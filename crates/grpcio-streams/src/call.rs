//! What is known about a call, and who is told when it starts and ends.

use std::any::Any;
use std::fmt;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use grpcio::{Deadline, Metadata, RpcContext};
use parking_lot::Mutex;

use crate::catch_panic::catch_panic;
use crate::peer::Peer;
use crate::status::Status;

/// One call as its handler sees it.
pub struct Call {
    method: &'static str,
    peer: Peer,
    identity: Option<String>,
    metadata: Metadata,
    deadline: Deadline,
    started: Instant,
    response_metadata: Mutex<Option<Metadata>>,
    drained: OnceLock<Box<Drained>>,
    /// Dropped with the call.
    kept: Vec<Box<dyn Any + Send + Sync>>,
}

/// What a handler says of a drain, given how many messages it has sent.
type Drained = dyn Fn(u64) -> Status + Send + Sync;

impl Call {
    pub(super) fn new(method: &'static str, ctx: &RpcContext<'_>) -> Self {
        Self {
            method,
            peer: Peer::of(ctx),
            identity: None,
            metadata: ctx.request_headers().clone(),
            deadline: ctx.deadline(),
            started: Instant::now(),
            response_metadata: Mutex::new(None),
            drained: OnceLock::new(),
            kept: Vec::new(),
        }
    }

    /// The full name of the method, such as `/Greeter/GetStream`.
    pub fn method(&self) -> &'static str {
        self.method
    }

    /// The client's address, such as `127.0.0.1:41234` or `[::1]:41234`.
    pub fn peer(&self) -> &str {
        &self.peer.address
    }

    /// Whether the connection is TLS.
    pub fn is_encrypted(&self) -> bool {
        self.peer.is_encrypted
    }

    /// The name in the certificate that the client has shown, where the server asks for one and
    /// has verified it: the first of its subject alternative names that is a URI, a DNS name, an
    /// e-mail address or an IP address; the subject's common name where there is none of these.
    pub fn certificate_name(&self) -> Option<&str> {
        self.peer.certificate_name.as_deref()
    }

    /// Who calls, if an [admission](crate::ServiceBuilder::admit) has found out.
    pub fn identity(&self) -> Option<&str> {
        self.identity.as_deref()
    }

    /// Says who calls; for admissions.
    pub fn identify(&mut self, name: impl Into<String>) {
        self.identity = Some(name.into());
    }

    /// Keeps `guard` until nothing of the call is left; for admissions that count what runs.
    pub fn keep(&mut self, guard: impl Any + Send + Sync) {
        self.kept.push(Box::new(guard));
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
        *self.response_metadata.lock() = Some(metadata);
    }

    pub(super) fn take_response_metadata(&self) -> Option<Metadata> {
        self.response_metadata.lock().take()
    }

    /// Ends the call with what `status` says when the server drains, instead of plain UNAVAILABLE:
    /// whoever knows where a client can go on tells it. It is given how many messages the handler
    /// has sent by then, all of which reach the client before the status. The first one counts.
    pub fn when_drained(&self, status: impl Fn(u64) -> Status + Send + Sync + 'static) {
        let _ = self.drained.set(Box::new(status));
    }

    /// How the call ends when its server drains.
    pub(super) fn drained(&self, sent: u64) -> Status {
        let Some(status) = self.drained.get() else {
            return Status::draining();
        };
        catch_panic(|| status(sent)).unwrap_or_else(|why| {
            log::error!("{}: what it says of a drain panicked: {why}", self.method);
            Status::draining()
        })
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
            .field("peer", &self.peer.address)
            .field("identity", &self.identity)
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
