//! The tutorial's server: its three calls as functions.
//!
//! ```sh
//! cargo run --release --example server                   # on 127.0.0.1:50052
//! cargo run --release --example server -- 127.0.0.1:0    # on a free port
//! ```

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::future::ready;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{env, thread};

use futures::{select, stream, Stream, StreamExt, TryStreamExt};
use futures_timer::Delay;
use greeter_stream::generated::greeter::{StreamReqData, StreamResData};
use grpcio_streams::grpcio::{ChannelBuilder, ServerBuilder, ServerCredentials};
use grpcio_streams::{Call, Drain, Queues, Requests, ServiceBuilder, Status};

/// Sends the time in seconds, 11 times, and ends a second after the last.
fn get_stream(_: Arc<Call>, _: StreamReqData) -> impl Stream<Item = Result<StreamResData, Status>> {
    let ticks = every_second().take_while(|n| ready(*n < 11));
    ticks.map(|_| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.map_err(|e| Status::internal(format!("the clock is wrong: {e}")))?;
        Ok(response(now.as_secs()))
    })
}

/// Prints each message, and answers how many it received.
async fn put_stream(
    _: Arc<Call>,
    mut requests: Requests<StreamReqData>,
) -> Result<StreamResData, Status> {
    let mut received = 0;
    while let Some(request) = requests.try_next().await? {
        println!("PutStream: received {}", request.data);
        received += 1;
    }
    Ok(response(received))
}

/// Sends `ssss` every second and prints each message, until the client half-closes.
fn all_stream(
    _: Arc<Call>,
    requests: Requests<StreamReqData>,
) -> impl Stream<Item = Result<StreamResData, Status>> {
    let both = (every_second().boxed().fuse(), requests);
    stream::try_unfold(both, |(mut ticks, mut requests)| async move {
        loop {
            select! {
                _ = ticks.next() => return Ok(Some((response("ssss"), (ticks, requests)))),
                request = requests.try_next() => match request? {
                    Some(request) => println!("AllStream: received {}", request.data),
                    None => return Ok(None),
                },
            }
        }
    })
}

fn response(data: impl ToString) -> StreamResData {
    StreamResData {
        data: data.to_string(),
        ..Default::default()
    }
}

/// Counts from 0, a number a second, the first at once.
fn every_second() -> impl Stream<Item = u32> {
    stream::iter(0..).then(|n| async move {
        if n > 0 {
            Delay::new(Duration::from_secs(1)).await;
        }
        n
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args().nth(1);
    let mut address: SocketAddr = address.as_deref().unwrap_or("127.0.0.1:50052").parse()?;
    let drain = Drain::new();
    let greeter = ServiceBuilder::new(&drain)
        .server_streaming("/Greeter/GetStream", get_stream)
        .client_streaming("/Greeter/PutStream", put_stream)
        .duplex("/Greeter/AllStream", all_stream)
        .build()?;
    let queues = Queues::start("server", 1);
    // Otherwise a second server could listen on the same port.
    let own_port = ChannelBuilder::new(queues.env()).reuse_port(false);
    let mut server = ServerBuilder::new(queues.env())
        .channel_args(own_port.build_args())
        .register_service(greeter)
        .build()?;
    let port = server.add_listening_port(address.to_string(), ServerCredentials::insecure())?;
    server.start();
    address.set_port(port);
    println!("listening on {address}");
    loop {
        thread::park();
    }
}
