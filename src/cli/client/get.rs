//! `get`: GetStream to standard output.

use clap::ArgAction;
use futures::StreamExt;

use super::console::Console;
use super::failure::Failure;
use super::form::Form;
use super::output::Output;
use super::resume::{self, Follow};
use crate::client::{Client, SubscribeOptions};
use topic_log::StartAt;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The text of the request, such as a stock's code; ignored with --topic
    #[arg(required_unless_present = "topic")]
    data: Option<String>,

    #[command(flatten)]
    topic: Follow,

    /// Stop at the end of the topic
    #[arg(long = "no-follow", action = ArgAction::SetFalse, requires = "topic")]
    follow: bool,

    /// Stop after N messages
    #[arg(long, value_name = "N")]
    count: Option<usize>,

    /// Write \\, \n and \r for a backslash, a line feed and a carriage return, so that each message
    /// is one line, which `put --escape` reads
    #[arg(long, conflicts_with = "json")]
    escape: bool,

    /// Print each message as a JSON object, which `put --json` reads
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(client: Client, args: Args) -> Result<(), Failure> {
    let console = Console::plain();
    let output = Output::new(Form::of(args.escape, args.json)).warning_on(&console);
    let count = args.count.unwrap_or(usize::MAX);
    match args.topic.topic {
        None => {
            let messages = client.get(args.data.unwrap_or_default())?;
            output.print(messages.take(count)).await
        }
        Some(topic) => {
            let options = SubscribeOptions {
                start: args.topic.from.unwrap_or(StartAt::Latest),
                follow: args.follow,
                resume: args.topic.resume,
                notice: console.notice(client.config()),
            };
            let mut messages = client.subscribe(topic.clone(), options);
            messages.begin().await?;
            let is_new = messages.bounds().is_some_and(|bounds| bounds.next == 0);
            let printed = resume::print(&topic, messages, count, output, &console).await?;
            if !args.follow && is_new && printed == 0 {
                console.say(&format!("topic {topic} is new: nobody has written to it"));
            }
            Ok(())
        }
    }
}
