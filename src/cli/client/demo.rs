//! `demo`: the three calls of the original Go client, in the same order.

use std::io::{self, Write};
use std::time::Duration;

use futures::future::{self, Either};
use futures::{stream, FutureExt, Stream, StreamExt};
use futures_timer::Delay;
use grpcio::RpcStatusCode;

use super::failure::Failure;
use crate::cli::time::time;
use crate::client::Client;
use grpcio_streams::escaped;

/// The texts that the original client sends.
const CODE: &str = "aaa";
const TELEMETRY: &str = "ss";
const SAYING: &str = "ssss";

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How long to send messages in the last step [default: until Ctrl-C]
    #[arg(long = "for", value_name = "TIME", value_parser = time)]
    talk: Option<Duration>,

    /// The time between two messages
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = time)]
    interval: Duration,

    /// How many messages to send with PutStream
    #[arg(long, value_name = "N", default_value_t = 10)]
    count: usize,
}

pub(super) async fn run(client: Client, args: Args) -> Result<(), Failure> {
    get(&client).await?;
    put(&client, &args).await?;
    all(&client, &args).await
}

async fn get(client: &Client) -> Result<(), Failure> {
    say(&format!("GetStream: asking for {CODE}"))?;
    let mut ticks = client.get(CODE)?;
    while let Some(tick) = ticks.next().await {
        say(&format!("GetStream: received {}", escaped(&tick?)))?;
    }
    say("GetStream: ended")
}

async fn put(client: &Client, args: &Args) -> Result<(), Failure> {
    let interval = args.interval;
    let messages = every(interval, "PutStream", TELEMETRY).take(args.count);
    // The original also waits after the last message.
    let pause = stream::once(future::lazy(|_| ()).then(move |()| Delay::new(interval)))
        .filter_map(|()| future::ready(None));
    match client.put(messages.chain(pause)).await {
        Ok(answer) => say(&format!("PutStream: answered {}", escaped(&answer))),
        // The original server ends the call without an answer. The demo accepts that.
        Err(Failure::Call(status)) if status.code() == RpcStatusCode::UNIMPLEMENTED => say(
            &format!("PutStream: ended without an answer ({})", status.message()),
        ),
        Err(e) => Err(e),
    }
}

async fn all(client: &Client, args: &Args) -> Result<(), Failure> {
    let talk = match args.talk {
        Some(time) => Delay::new(time).left_future(),
        None => future::pending().right_future(),
    };
    let messages = every(args.interval, "AllStream", SAYING);
    let mut heard = client.all(messages.take_until(talk))?;
    // `greeter-server` ends the call when the client half-closes. The original server does not.
    let patience = match args.talk {
        Some(time) => Delay::new(time + Duration::from_secs(1)).left_future(),
        None => future::pending().right_future(),
    };
    futures::pin_mut!(patience);
    loop {
        match future::select(heard.next(), &mut patience).await {
            Either::Left((Some(message), _)) => {
                say(&format!("AllStream: received {}", escaped(&message?)))?;
            }
            Either::Left((None, _)) => return say("AllStream: ended"),
            Either::Right(((), _)) => {
                return say("AllStream: the server still sends; cancelling the call")
            }
        }
    }
}

/// Sends a message at once and then one every `interval`. Prints a line for each.
fn every(
    interval: Duration,
    call: &'static str,
    data: &'static str,
) -> impl Stream<Item = Result<String, Failure>> + Send {
    let rest = stream::repeat(()).then(move |()| Delay::new(interval));
    stream::once(future::ready(())).chain(rest).map(move |()| {
        say(&format!("{call}: sending {data}"))?;
        Ok(data.to_owned())
    })
}

fn say(line: &str) -> Result<(), Failure> {
    Ok(writeln!(io::stdout(), "{line}")?)
}
