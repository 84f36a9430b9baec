//! What the tests share. Every wait in it has a deadline and fails loudly.

pub mod account;
pub mod balancer;
pub mod callers;
pub mod certificates;
pub mod dns;
pub mod durable;
pub mod envoy;
// Shared with a benchmark.
#[allow(dead_code)]
pub mod http2;
pub mod ledger;
pub mod lines;
pub mod process;
pub mod raw;
pub mod relay;
pub mod secured;
pub mod service;
pub mod terminal;
pub mod texts;
pub mod wire;

use std::env;
use std::fmt::Debug;
use std::str::FromStr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::executor::block_on;
use futures::future::{select, Either};
use futures::{stream, Future};
use futures_timer::Delay;
use greeter_stream::client::{Client, Config};
use grpcio::CallOption;
use grpcio_streams::{client, Queues, Status};
use protobuf::Message;

/// Longer than anything that works takes, even on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// How long or how often, where the environment says so.
pub fn number<T: FromStr<Err: Debug>>(variable: &str) -> Option<T> {
    let number = env::var(variable).ok()?;
    Some(number.parse().expect("a number"))
}

/// Held by a test that takes the whole machine: an attack, whose neighbours' waits are measured, or
/// thousands of calls, or kills. One of them runs at a time.
pub fn whole_machine() -> MutexGuard<'static, ()> {
    static WHOLE: Mutex<()> = Mutex::new(());
    WHOLE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits for a future; fails the test when it takes too long.
pub fn within<T>(limit: Duration, what: &str, future: impl Future<Output = T>) -> T {
    futures::pin_mut!(future);
    match block_on(select(future, Delay::new(limit))) {
        Either::Left((output, _)) => output,
        Either::Right(_) => panic!("{what}: not within {limit:?}"),
    }
}

pub fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    within(PATIENCE, what, future)
}

/// A unary call, by the adapters: to the wire it is a stream of one request.
pub fn unary<Req: Message, Resp: Message>(
    client: &grpcio::Client,
    path: &'static str,
    request: Req,
) -> Result<Resp, Status> {
    let requests = stream::iter([Ok::<_, Status>(request)]);
    let call = client::client_streaming(client, path, requests, CallOption::default());
    soon(path, call)
}

/// The typed client, with a queue of its own, of the server at `address`.
pub fn client(address: &str) -> Client {
    client_with(Config {
        servers: vec![address.to_owned()],
        timeout: Some(PATIENCE),
        wait: true,
        ..Config::default()
    })
}

/// The same as `config` has it.
pub fn client_with(config: Config) -> Client {
    // The client keeps the queue alive.
    Client::new(&Queues::start("test", 1), config).expect("a good address")
}
