//! `get`: GetStream to standard output.

use clap::ArgAction;
use futures::StreamExt;

use super::output::Output;
use super::resume::{self, say, Follow};
use super::Failure;
use crate::client::{Client, SubscribeError, SubscribeOptions};
use crate::topic::Name;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What to ask for, such as a stock's code; means nothing with --topic
    #[arg(required_unless_present = "topic")]
    data: Option<String>,

    #[command(flatten)]
    topic: Follow,

    /// End at the end of the topic
    #[arg(long = "no-follow", action = ArgAction::SetFalse, requires = "topic")]
    follow: bool,

    /// Stop after N messages
    #[arg(long, value_name = "N")]
    count: Option<usize>,

    /// Print each message as a JSON object
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(client: Client, args: Args) -> Result<(), Failure> {
    let output = Output::new(args.json);
    let count = args.count.unwrap_or(usize::MAX);
    match args.topic.topic {
        None => {
            let messages = client.get(args.data.unwrap_or_default())?;
            output.print(messages.take(count)).await
        }
        Some(topic) => {
            let options = SubscribeOptions {
                from: args.topic.from,
                follow: args.follow,
                resume: args.topic.resume,
                notice: resume::notice(),
            };
            follow(client, topic, options, count, output).await
        }
    }
}

/// Prints a topic's messages. Losses are told as they are found, and make it fail in the end.
async fn follow(
    client: Client,
    topic: Name,
    options: SubscribeOptions,
    count: usize,
    mut output: Output,
) -> Result<(), Failure> {
    let mut messages = client.subscribe(topic.clone(), options);
    let (mut seen, mut lost) = (0, None);
    while seen < count {
        match messages.next().await {
            None => break,
            Some(Ok(message)) => {
                seen += 1;
                output.received(&topic, &message)?;
            }
            Some(Err(SubscribeError::Ended(status))) => return Err(status.into()),
            Some(Err(loss)) => {
                say(&loss);
                lost = Some(loss.to_string());
            }
        }
    }
    lost.map_or(Ok(()), |why| Err(Failure::Lost(why)))
}
