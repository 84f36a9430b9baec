//! The tutorial's client: the three calls, one after the other, the last until Ctrl-C.
//!
//! ```sh
//! cargo run --release --example client                          # of 127.0.0.1:50052
//! cargo run --release --example client -- 127.0.0.1:50053
//! ```

#![allow(clippy::print_stdout)]

use std::env;
use std::error::Error;
use std::future::ready;
use std::time::Duration;

use futures::{stream, Stream, StreamExt, TryStreamExt};
use futures_timer::Delay;
use greeter_stream::generated::greeter::{StreamReqData, StreamResData};
use grpcio_streams::grpcio::{CallOption, ChannelBuilder, Client};
use grpcio_streams::{client, Queues, Status};

async fn call(client: Client) -> Result<(), Status> {
    let options = CallOption::default;

    // The server sends a stream.
    let mut responses = client::server_streaming::<_, StreamResData>(
        &client,
        "/Greeter/GetStream",
        &request("aaa"),
        options(),
    )?;
    while let Some(response) = responses.try_next().await? {
        println!("GetStream: received {}", response.data);
    }
    println!("GetStream: ended");

    // The client sends a stream: ten messages, and ends it a second after the last.
    let requests = every_second()
        .take_while(|n| ready(*n < 10))
        .map(|_| Ok(request("ss")));
    let answer: Result<StreamResData, Status> =
        client::client_streaming(&client, "/Greeter/PutStream", requests, options()).await;
    match answer {
        Ok(response) => println!("PutStream: answered {}", response.data),
        // The tutorial's own server ends the call without an answer.
        Err(status) => println!("PutStream: {status}"),
    }

    // Both send a stream.
    let requests = every_second().map(|_| Ok::<_, Status>(request("ssss")));
    let mut responses =
        client::duplex::<_, StreamResData, _>(&client, "/Greeter/AllStream", requests, options())?;
    while let Some(response) = responses.try_next().await? {
        println!("AllStream: received {}", response.data);
    }
    Ok(())
}

fn request(data: &str) -> StreamReqData {
    StreamReqData {
        data: data.to_owned(),
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
    let address = env::args().nth(1).unwrap_or("127.0.0.1:50052".to_owned());
    let queues = Queues::start("client", 1);
    let channel = ChannelBuilder::new(queues.env()).enable_retry(false);
    let client = Client::new(channel.connect(&address));
    client::run(&client, call(client.clone()))?;
    Ok(())
}
