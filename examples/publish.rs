//! Publishes the lines of standard input to a topic, each exactly once, and prints the receipt. A
//! second run with the same producer and the same lines stores nothing twice. It fails if the topic
//! began anew and lost lines that it had acknowledged.
//!
//! ```sh
//! cargo run --release --example publish -- stocks/AAPL feed-1 < quotes
//! cargo run --release --example publish -- stocks/AAPL feed-1 127.0.0.1:50053 < quotes
//! ```

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::error::Error;
use std::{env, io};

use futures::executor::block_on;
use futures::SinkExt;
use greeter_stream::client::{Client, Config, PublishOptions};
use greeter_stream::grpcio_streams::Queues;
use greeter_stream::topic_log::{Name, ProducerName};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let (Some(topic), Some(producer)) = (args.next(), args.next()) else {
        return Err("usage: publish TOPIC PRODUCER [SERVER]".into());
    };
    let server = args.next().unwrap_or("127.0.0.1:50052".to_owned());

    let config = Config {
        servers: vec![server],
        ..Config::default()
    };
    let client = Client::new(&Queues::start("publish", 1), config)?;
    let options = PublishOptions {
        producer: Some(ProducerName::new(&producer)?),
        from_start: true,
        notice: Box::new(|status, wait| eprintln!("{status}; trying again in {wait:.1?}")),
        ..PublishOptions::default()
    };
    let mut publisher = client.publish(Name::new(&topic)?, options);
    // On this thread, because reading a line blocks.
    block_on(async {
        for line in io::stdin().lines() {
            publisher.feed(line?).await?;
        }
        publisher.close().await?;
        Ok::<_, Box<dyn Error>>(())
    })?;
    if let Some(receipt) = publisher.receipt() {
        println!("{}", receipt.encode());
    }
    Ok(())
}
