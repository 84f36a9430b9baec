//! Follows a topic from its beginning, also across lost connections and restarts of the server.
//!
//! ```sh
//! cargo run --release --example subscribe -- stocks/AAPL                    # of 127.0.0.1:50052
//! cargo run --release --example subscribe -- stocks/AAPL 127.0.0.1:50053
//! ```

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::env;
use std::error::Error;

use futures::StreamExt;
use greeter_stream::client::{Client, Config, SubscribeError, SubscribeOptions};
use greeter_stream::grpcio_streams::Queues;
use greeter_stream::topic_log::{Name, StartAt};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let topic = args.next().ok_or("usage: subscribe TOPIC [SERVER]")?;
    let server = args.next().unwrap_or("127.0.0.1:50052".to_owned());

    let config = Config {
        servers: vec![server],
        ..Config::default()
    };
    let client = Client::new(&Queues::start("subscribe", 1), config)?;
    let options = SubscribeOptions {
        start: StartAt::Earliest,
        notice: Box::new(|status, wait| eprintln!("{status}; trying again in {wait:.1?}")),
        ..SubscribeOptions::default()
    };
    let mut messages = client.subscribe(Name::new(&topic)?, options);
    client.run(async move {
        while let Some(message) = messages.next().await {
            match message {
                Ok(message) => println!("{} {}", message.offset, message.data),
                Err(SubscribeError::Lost(loss)) => eprintln!("{loss}"),
                Err(end) => return Err(end),
            }
        }
        Ok(())
    })?;
    Ok(())
}
