//! `get`: GetStream to standard output.

use clap::ArgAction;
use futures::StreamExt;

use super::output::Output;
use super::resume::{self, say};
use super::Failure;
use crate::client::{Client, SubscribeError, SubscribeOptions};
use crate::topic::{From, Name};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What to ask for, such as a stock's code; means nothing with --topic
    #[arg(required_unless_present = "topic")]
    data: Option<String>,

    /// Follow this topic
    #[arg(long, value_name = "TOPIC", value_parser = resume::topic)]
    topic: Option<Name>,

    /// Start at: latest, earliest, an offset, -N (the last N) or @SECONDS (a Unix time)
    #[arg(
        long,
        value_name = "WHERE",
        default_value = "latest",
        requires = "topic",
        allow_hyphen_values = true,
        value_parser = resume::from
    )]
    from: From,

    /// End at the end of the topic
    #[arg(long = "no-follow", action = ArgAction::SetFalse, requires = "topic")]
    follow: bool,

    /// Fail when the server becomes unavailable, instead of coming back
    #[arg(long = "no-resume", action = ArgAction::SetFalse, requires = "topic")]
    resume: bool,

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
    match args.topic {
        None => {
            let messages = client.get(args.data.unwrap_or_default())?;
            output.print(messages.take(count)).await
        }
        Some(topic) => {
            let options = SubscribeOptions {
                from: args.from,
                follow: args.follow,
                resume: args.resume,
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
