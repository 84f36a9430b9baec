//! A server in this process, for handlers that a test makes up.

use std::sync::Arc;

use greeter_stream::generated::greeter::{StreamReqData, StreamResData};
use grpcio::{ServerBuilder, ServerCredentials};
use grpcio_streams::{Call, Drain, Observer, Outcome, Queues, ServiceBuilder};

pub struct Served {
    pub address: String,
    // Dropped in this order.
    _server: grpcio::Server,
    _drain: Drain,
    _queues: Queues,
}

/// Serves what `add` adds, on `threads` completion queues.
pub fn serve(threads: usize, add: impl FnOnce(ServiceBuilder) -> ServiceBuilder) -> Served {
    let queues = Queues::start("served", threads);
    let drain = Drain::new();
    let service = add(ServiceBuilder::new(&drain)).build();
    let (server, port) = listen(&queues, service);
    Served {
        address: format!("127.0.0.1:{port}"),
        _server: server,
        _drain: drain,
        _queues: queues,
    }
}

/// A server on a free port.
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

/// Tells a test how each call ended.
pub struct Ended(pub std::sync::Mutex<std::sync::mpsc::Sender<Outcome>>);

impl Observer for Ended {
    fn ended(&self, _: &Call, outcome: &Outcome) {
        let _ = self.0.lock().expect("not poisoned").send(outcome.clone());
    }
}

pub fn outcomes() -> (Arc<Ended>, std::sync::mpsc::Receiver<Outcome>) {
    let (sender, receiver) = std::sync::mpsc::channel();
    (Arc::new(Ended(sender.into())), receiver)
}

pub fn request(data: &str) -> StreamReqData {
    StreamReqData {
        data: data.to_owned(),
        ..Default::default()
    }
}

pub fn response(data: impl ToString) -> StreamResData {
    StreamResData {
        data: data.to_string(),
        ..Default::default()
    }
}
