//! A service with all four kinds of method, and a client that calls them in the same process.
//!
//! ```sh
//! cargo run --release -p grpcio-streams --example counter
//! ```

// An example may print.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::time::Duration;

use futures::executor::block_on;
use futures::{future, stream, StreamExt, TryFutureExt, TryStreamExt};
use grpcio_streams::grpcio::{
    CallOption, ChannelBuilder, Client, ServerBuilder, ServerCredentials, Service,
};
use grpcio_streams::protobuf::well_known_types::wrappers::Int64Value;
use grpcio_streams::{client, BuildError, Drain, Queues, Requests, ServiceBuilder, Status};

const DOUBLE: &str = "/example.Counter/Double";
const COUNT_TO: &str = "/example.Counter/CountTo";
const SUM: &str = "/example.Counter/Sum";
const RUNNING_SUM: &str = "/example.Counter/RunningSum";

fn number(value: i64) -> Int64Value {
    Int64Value {
        value,
        ..Default::default()
    }
}

/// Adds two numbers that a client has sent.
fn add(a: i64, b: i64) -> Result<i64, Status> {
    let too_large = || Status::out_of_range(format!("{a} + {b} does not fit in 64 bits"));
    a.checked_add(b).ok_or_else(too_large)
}

/// The service: a path and a function for each method.
fn counter(drain: &Drain) -> Result<Service, BuildError> {
    ServiceBuilder::new(drain)
        .unary(DOUBLE, |_call, n: Int64Value| {
            future::ready(add(n.value, n.value)).map_ok(number)
        })
        .server_streaming(COUNT_TO, |_call, limit: Int64Value| {
            stream::iter((1..=limit.value).map(|n| Ok(number(n))))
        })
        .client_streaming(SUM, |_call, numbers: Requests<Int64Value>| {
            numbers
                .try_fold(0, |sum, n| future::ready(add(sum, n.value)))
                .map_ok(number)
        })
        .duplex(RUNNING_SUM, |_call, numbers: Requests<Int64Value>| {
            let mut sum = 0;
            numbers.map(move |n| {
                sum = add(sum, n?.value)?;
                Ok(number(sum))
            })
        })
        .build()
}

/// Calls each method once.
async fn call(client: Client) -> Result<(), Status> {
    let options = CallOption::default;
    let numbers = || stream::iter((1..=5).map(|n| Ok::<_, Status>(number(n))));

    let double: Int64Value = client::unary(&client, DOUBLE, &number(21), options()).await?;
    println!("twice 21 is {}", double.value);

    let mut count =
        client::server_streaming::<_, Int64Value>(&client, COUNT_TO, &number(3), options())?;
    while let Some(n) = count.try_next().await? {
        println!("the server counts {}", n.value);
    }

    let sum: Int64Value = client::client_streaming(&client, SUM, numbers(), options()).await?;
    println!("the sum of 1 to 5 is {}", sum.value);

    let mut sums = client::duplex::<_, Int64Value, _>(&client, RUNNING_SUM, numbers(), options())?;
    while let Some(sum) = sums.try_next().await? {
        println!("the sum so far is {}", sum.value);
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let queues = Queues::start("counter", 1);
    let drain = Drain::new();
    let mut server = ServerBuilder::new(queues.env())
        .register_service(counter(&drain)?)
        .build()?;
    let port = server.add_listening_port("127.0.0.1:0", ServerCredentials::insecure())?;
    server.start();
    println!("serving on 127.0.0.1:{port}");

    let channel = ChannelBuilder::new(queues.env()).enable_retry(false);
    let client = Client::new(channel.connect(&format!("127.0.0.1:{port}")));
    client::run(&client, call(client.clone()))?;

    // Running calls end, then the server, then its threads.
    drain.begin();
    block_on(server.shutdown())?;
    drop((client, server));
    if !queues.stop(Duration::from_secs(5)) {
        return Err("the threads did not stop within 5 seconds".into());
    }
    Ok(())
}
