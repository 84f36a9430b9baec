//! `put`: PutStream from a file or standard input.

use std::path::PathBuf;

use clap::ArgAction;
use futures::{StreamExt, TryStreamExt};
use grpcio_streams::Status;
use indicatif::{ProgressBar, ProgressStyle};

use super::console::Console;
use super::failure::Failure;
use super::form::Form;
use super::input::{Input, Reading};
use super::output::Output;
use super::resume;
use super::tally::{counted, sendable, Replaced, Skipped};
use super::topic_field::TopicField;
use crate::client::{Client, PublishOptions};
use crate::protocol::message::longest_text;
use crate::protocol::reason::reworded;
use crate::protocol::{Reason, Receipt};
use topic_log::{Name, ProducerName};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The file to send, one message per line; `-` for standard input [default: -]. A line ends
    /// with a line feed. The carriage return of a Windows line end, and a byte
    /// order mark before the first line, are part of the message
    file: Option<PathBuf>,

    /// Publish to this topic
    #[arg(long, value_name = "TOPIC", value_parser = resume::topic, group = "destination")]
    topic: Option<Name>,

    #[command(flatten)]
    field: TopicField,

    /// Publish as this producer. Its messages are numbered, and the numbers go on where those of
    /// its last run end [default: a new name]
    #[arg(long, value_name = "NAME", requires = "destination", value_parser = resume::producer)]
    producer: Option<ProducerName>,

    /// Number the messages of the producer from 0. A message that the topic already has under its
    /// number is not stored again, so the same file can be sent again
    #[arg(long, requires = "producer")]
    from_start: bool,

    /// Fail when the server cannot be reached or the connection is lost, instead of trying again
    #[arg(long = "no-resume", action = ArgAction::SetFalse, requires = "destination")]
    resume: bool,

    /// Take \\, \n and \r for a backslash, a line feed and a carriage return, as `get --escape`
    /// writes them
    #[arg(long, conflicts_with = "json")]
    escape: bool,

    /// Take each line for a JSON object, as `get --json` writes it, and send its `data`
    #[arg(long)]
    json: bool,

    /// Replace what is not UTF-8 by U+FFFD, and say at the end in how many places and in which lines
    #[arg(long, conflicts_with = "skip_invalid")]
    lossy: bool,

    /// Leave out lines that cannot be sent, and say at the end how many and which. These are lines
    /// that are not UTF-8, are too long, do not have the form of --escape or --json, or do not name a
    /// topic
    #[arg(long)]
    skip_invalid: bool,
}

pub(super) async fn run(client: Client, args: Args) -> Result<(), Failure> {
    let input = match &args.file {
        Some(path) if path.as_os_str() != "-" => Input::open(path)?,
        _ => Input::stdin(),
    };
    let bar = if input.is_typed() {
        // A progress bar would disturb the lines that the user types.
        ProgressBar::hidden()
    } else {
        progress(input.bytes)
    };
    let console = Console::beside(&bar);
    let name = input.name().to_owned();
    let reading = Reading {
        form: Form::of(args.escape, args.json),
        lossy: args.lossy,
        limit: longest_text(client.config().message_bytes) as u64,
    };
    let (mut replaced, mut skipped) = (Replaced::default(), Skipped::default());
    let mut count = 0_u64;
    let lines = input.lines(reading).inspect_ok(|line| {
        count += 1;
        bar.inc(line.bytes);
        if count.is_multiple_of(1024) {
            bar.set_message(format!("{count} messages"));
        }
        replaced.count(line);
    });
    let skip = args.skip_invalid.then_some(&mut skipped);
    let from_start = args.from_start;
    let options = PublishOptions {
        producer: args.producer,
        from_start,
        resume: args.resume,
        notice: console.notice(client.config()),
    };
    let answers = match (args.topic, args.field.addressing()) {
        (Some(topic), _) => {
            let messages = sendable(lines.map_ok(|line| line.message), skip);
            let mut publisher = client.publish(topic, options);
            let published = resume::publish(&mut publisher, messages, &console).await;
            told(
                published,
                publisher.receipt().into_iter().collect(),
                &console,
            )
        }
        (None, Some(addressing)) => {
            let messages = lines.map(|line| addressing.address(&name, line?));
            let messages = sendable(messages, skip);
            let mut publishers = client.publish_to_many(options);
            let published = resume::publish(&mut publishers, messages, &console).await;
            told(published, publishers.receipts().collect(), &console)
        }
        (None, None) => {
            let messages = sendable(lines.map_ok(|line| line.message), skip);
            client.put(messages).await.map(|answer| vec![answer])
        }
    };
    bar.set_message(format!("{count} messages"));
    replaced.report(&name, &console);
    skipped.report(&name, &console);
    match answers {
        Ok(answers) => {
            bar.finish_and_clear();
            let mut output = Output::new(Form::Plain);
            for answer in answers {
                output.message(&answer)?;
            }
            Ok(())
        }
        Err(failure) => {
            bar.abandon();
            Err(if from_start {
                numbered_from_start(failure)
            } else {
                failure
            })
        }
    }
}

/// The failure, with the flag that gives other messages the numbers of earlier ones.
fn numbered_from_start(failure: Failure) -> Failure {
    match failure {
        Failure::Call(status) if is_reused(&status) => {
            let message = format!(
                "{}; without --from-start new messages get the numbers that follow",
                status.message()
            );
            Failure::Call(reworded(status, message))
        }
        failure => failure,
    }
}

fn is_reused(status: &Status) -> bool {
    matches!(Reason::decode(status), Some(Reason::SequenceReused { .. }))
}

/// The receipts as they are printed. Says where retention has dropped what was just published, and
/// when publishing has failed early, how many messages the server had acknowledged.
fn told(
    published: Result<(), Failure>,
    receipts: Vec<&Receipt>,
    console: &Console,
) -> Result<Vec<String>, Failure> {
    for receipt in &receipts {
        warn_of_retention(receipt, console);
    }
    let acknowledged: u64 = receipts.iter().map(|receipt| receipt.acknowledged()).sum();
    let failed_early = !matches!(published, Ok(()) | Err(Failure::Lost(_)));
    if failed_early && acknowledged > 0 {
        console.say(&format!(
            "the server has acknowledged at least {} before the failure",
            counted(acknowledged, "message")
        ));
    }
    published.map(|()| receipts.into_iter().map(Receipt::encode).collect())
}

/// Says that the server no longer has all that it has just acknowledged.
fn warn_of_retention(receipt: &Receipt, console: &Console) {
    let dropped = receipt.dropped();
    if dropped > 0 {
        let Receipt {
            topic, earliest, ..
        } = receipt;
        console.say(&format!(
            "topic {topic}: the server's retention has already dropped {dropped} of these messages; \
             the earliest that it keeps is at offset {earliest}"
        ));
    }
}

/// A progress bar if the size is known, and a spinner otherwise. It is shown only if standard error
/// is a terminal.
fn progress(bytes: Option<u64>) -> ProgressBar {
    let (bar, template) = match bytes {
        Some(bytes) => (
            ProgressBar::new(bytes),
            "{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {msg} {eta} left",
        ),
        None => (
            ProgressBar::new_spinner(),
            "{spinner} {bytes} {bytes_per_sec} {msg}",
        ),
    };
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
