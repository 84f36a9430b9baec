//! One call as its handler sees it.

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
    /// Dropped together with the call.
    kept: Vec<Box<dyn Any + Send + Sync>>,
}

/// The status of a call that a drain ends, given the number of messages that were sent before.
type Drained = dyn Fn(u64) -> Status + Send + Sync;

impl Call {
    pub(crate) fn new(method: &'static str, ctx: &RpcContext<'_>) -> Self {
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

    /// The path of the method, such as `/Greeter/GetStream`.
    pub fn method(&self) -> &'static str {
        self.method
    }

    /// The client's address, such as `127.0.0.1:41234` or `[::1]:41234`.
    pub fn peer(&self) -> &str {
        &self.peer.address
    }

    /// Whether the connection uses TLS.
    pub fn is_encrypted(&self) -> bool {
        self.peer.is_encrypted
    }

    /// The name in the client's certificate, if the server has asked for a certificate and verified
    /// it. It is the first subject alternative name that is a URI, a DNS name, an e-mail address or
    /// an IP address, and the subject's common name if there is no such alternative name.
    pub fn certificate_name(&self) -> Option<&str> {
        self.peer.certificate_name.as_deref()
    }

    /// The name of the caller, if an [admission](crate::ServiceBuilder::admit) has set it.
    pub fn identity(&self) -> Option<&str> {
        self.identity.as_deref()
    }

    /// Sets the name of the caller. For admissions.
    pub fn identify(&mut self, name: impl Into<String>) {
        self.identity = Some(name.into());
    }

    /// Keeps `guard` until the call is over and its handler has been dropped. For admissions that
    /// count the running calls.
    pub fn keep(&mut self, guard: impl Any + Send + Sync) {
        self.kept.push(Box::new(guard));
    }

    /// The request metadata.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Sets the response metadata, which is sent before the first response. Has no effect after
    /// that.
    ///
    /// The binding sends response metadata only together with a message. So the client has to wait
    /// for them until the first response, and a call that ends without a response sends none.
    pub fn respond_with(&self, metadata: Metadata) {
        *self.response_metadata.lock() = Some(metadata);
    }

    pub(crate) fn take_response_metadata(&self) -> Option<Metadata> {
        self.response_metadata.lock().take()
    }

    /// Sets the status with which the call ends when the server drains, instead of plain
    /// UNAVAILABLE. A handler that knows where the client can continue can say so in it. `status`
    /// is given the number of messages that the handler has sent. All of them reach the client
    /// before the status. Only the first call of this function has an effect.
    pub fn when_drained(&self, status: impl Fn(u64) -> Status + Send + Sync + 'static) {
        let _ = self.drained.set(Box::new(status));
    }

    /// The status with which the call ends when the server drains.
    pub(crate) fn drain_status(&self, sent: u64) -> Status {
        let Some(status) = self.drained.get() else {
            return Status::draining();
        };
        catch_panic(|| status(sent)).unwrap_or_else(|why| {
            let method = self.method;
            log::error!("{method}: the function that makes the drain status panicked: {why}");
            Status::draining()
        })
    }

    /// Whether the client's deadline has passed. False if the client has set none.
    ///
    /// The binding does not say when the deadline is: its `Deadline` can only be asked whether it
    /// has passed, and the C core does not show the `grpc-timeout` header. The adapter drops the
    /// handler when the deadline passes.
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
