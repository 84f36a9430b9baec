//! Servers in this process, for handlers of a test.

use std::sync::mpsc::{channel, Receiver, Sender};
use std::sync::Arc;

use grpcio::{ServerBuilder, ServerCredentials};
use grpcio_streams::{Call, Drain, Observer, Outcome, Queues, ServiceBuilder};
use parking_lot::Mutex;

/// A server that stops when this is dropped.
pub struct Served {
    /// The address on which it listens.
    pub address: String,
    // The fields are dropped in this order.
    _server: grpcio::Server,
    _drain: Drain,
    _queues: Queues,
}

/// Serves the handlers that `add` adds, on `threads` completion queues.
pub fn serve(threads: usize, add: impl FnOnce(ServiceBuilder) -> ServiceBuilder) -> Served {
    let queues = Queues::start("served", threads);
    let drain = Drain::new();
    let service = add(ServiceBuilder::new(&drain))
        .build()
        .expect("good paths");
    let (server, port) = listen(&queues, service);
    Served {
        address: format!("127.0.0.1:{port}"),
        _server: server,
        _drain: drain,
        _queues: queues,
    }
}

/// Serves a service of the binding on a free port. Returns the server and the port.
pub fn listen(queues: &Queues, service: grpcio::Service) -> (grpcio::Server, u16) {
    let mut server = ServerBuilder::new(queues.env())
        .register_service(service)
        .build()
        .expect("server");
    let port = server
        .add_listening_port("127.0.0.1:0", ServerCredentials::insecure())
        .expect("free port");
    server.start();
    (server, port)
}

/// An observer that sends the outcome of each call to a test.
pub struct Ended(Mutex<Sender<Outcome>>);

impl Observer for Ended {
    fn ended(&self, _: &Call, outcome: &Outcome) {
        // The test may have dropped the receiver.
        let _ = self.0.lock().send(outcome.clone());
    }
}

/// An observer, and the outcomes that it sees.
pub fn outcomes() -> (Arc<Ended>, Receiver<Outcome>) {
    let (sender, receiver) = channel();
    (Arc::new(Ended(Mutex::new(sender))), receiver)
}
