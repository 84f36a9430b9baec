//! What the tests share that knows the crate and its programs. The rest is in `crates/testkit`.

pub mod account;
pub mod callers;
pub mod core;
pub mod durable;
pub mod envoy;
pub mod go;
pub mod messages;
pub mod program;
pub mod secured;
pub mod server;

use futures::StreamExt;
use greeter_stream::client::{Client, Config, SubscribeOptions};
use grpcio_streams::Queues;
use testkit::wait::{soon, PATIENCE};
use topic_log::{Name, StartAt};

/// The name of a topic. Panics when no topic may be called so.
pub fn topic(name: &str) -> Name {
    Name::new(name).expect("a name of a topic")
}

/// The typed client of the server at `address`. It has a queue of its own, waits until the server is
/// there, and gives a call the time of [`PATIENCE`].
pub fn client(address: &str) -> Client {
    client_with(Config {
        servers: vec![address.to_owned()],
        timeout: Some(PATIENCE),
        wait: true,
        ..Config::default()
    })
}

/// The typed client with this configuration and a queue of its own.
pub fn client_with(config: Config) -> Client {
    // The client keeps the queue alive.
    Client::new(&Queues::start("test", 1), config).expect("a good address")
}

/// The messages that a topic keeps on the server at `address`.
pub fn kept(address: &str, name: &str) -> Vec<String> {
    let options = SubscribeOptions {
        start: StartAt::Earliest,
        follow: false,
        ..SubscribeOptions::default()
    };
    let messages = client(address).subscribe(topic(name), options);
    let messages: Vec<_> = soon("messages", messages.collect());
    let messages = messages.into_iter();
    messages.map(|m| m.expect("not lost").data).collect()
}
