//! A server and a client in one process.

use std::future::Future;
use std::time::Duration;

use futures::executor::block_on;
use futures::future::{self, Either};
use futures_timer::Delay;
use grpcio::{ChannelBuilder, ServerBuilder, ServerCredentials};
use grpcio_streams::{Drain, Queues, ServiceBuilder};
use protobuf::well_known_types::wrappers::StringValue;

/// How long a test waits before it fails.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A running server, and a client that is connected to it.
pub struct Served {
    // Dropped in this order.
    pub client: grpcio::Client,
    _server: grpcio::Server,
    _drain: Drain,
    _queues: Queues,
}

/// Serves the methods that `add` adds.
pub fn serve(add: impl FnOnce(ServiceBuilder) -> ServiceBuilder) -> Served {
    let queues = Queues::start("served", 1);
    let drain = Drain::new();
    let service = add(ServiceBuilder::new(&drain)).build().expect("service");
    let mut server = ServerBuilder::new(queues.env())
        .register_service(service)
        .build()
        .expect("server");
    let port = server
        .add_listening_port("127.0.0.1:0", ServerCredentials::insecure())
        .expect("free port");
    server.start();
    let channel = ChannelBuilder::new(queues.env()).connect(&format!("127.0.0.1:{port}"));
    Served {
        client: grpcio::Client::new(channel),
        _server: server,
        _drain: drain,
        _queues: queues,
    }
}

/// What `future` returns, if it does so in time.
pub fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    futures::pin_mut!(future);
    match block_on(future::select(future, Delay::new(PATIENCE))) {
        Either::Left((output, _)) => output,
        Either::Right(_) => panic!("no {what} within {PATIENCE:?}"),
    }
}

pub fn text(value: impl Into<String>) -> StringValue {
    StringValue {
        value: value.into(),
        ..Default::default()
    }
}
