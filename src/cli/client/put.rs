//! `put`: PutStream from a file or standard input.

use std::path::PathBuf;

use clap::ArgAction;
use futures::TryStreamExt;
use grpcio_streams::Status;
use indicatif::{ProgressBar, ProgressStyle};

use super::console::Console;
use super::failure::Failure;
use super::input::Input;
use super::output::Output;
use super::resume;
use crate::client::{Client, PublishOptions};
use crate::protocol::{Reason, Receipt};
use topic_log::{Name, ProducerName};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The file to send, one message per line; `-` for standard input [default: -]. A line ends
    /// with a line feed. The carriage return of a Windows line end, and a byte
    /// order mark before the first line, are part of the message
    file: Option<PathBuf>,

    /// Publish to this topic
    #[arg(long, value_name = "TOPIC", value_parser = resume::topic)]
    topic: Option<Name>,

    /// Publish as this producer. Its messages are numbered, and the numbers go on where those of
    /// its last run end [default: a new name]
    #[arg(long, value_name = "NAME", requires = "topic", value_parser = resume::producer)]
    producer: Option<ProducerName>,

    /// Number the messages of the producer from 0. A message that the topic already has under its
    /// number is not stored again, so the same file can be sent again
    #[arg(long, requires = "producer")]
    from_start: bool,

    /// Fail when the server cannot be reached or the connection is lost, instead of trying again
    #[arg(long = "no-resume", action = ArgAction::SetFalse, requires = "topic")]
    resume: bool,
}

pub(super) async fn run(client: Client, args: Args) -> Result<(), Failure> {
    let message_bytes = client.config().message_bytes;
    let input = match &args.file {
        Some(path) if path.as_os_str() != "-" => Input::open(path, message_bytes)?,
        _ => Input::stdin(message_bytes),
    };
    let bar = if input.is_typed() {
        // A progress bar would disturb the lines that the user types.
        ProgressBar::hidden()
    } else {
        progress(input.bytes)
    };
    let mut count = 0_u64;
    let lines = input.lines().inspect_ok(|line| {
        count += 1;
        bar.inc(line.len() as u64 + 1);
        if count.is_multiple_of(1024) {
            bar.set_message(format!("{count} messages"));
        }
    });
    let lines = lines.map_err(Failure::from);
    let answer = match args.topic {
        None => client.put(lines).await.map(Some),
        Some(topic) => {
            let console = Console::beside(&bar);
            let options = PublishOptions {
                producer: args.producer,
                from_start: args.from_start,
                resume: args.resume,
                notice: console.notice(client.config()),
            };
            let mut publisher = client.publish(topic, options);
            let published = resume::publish(&mut publisher, lines, &console).await;
            let published = if args.from_start {
                published.map_err(numbered_from_start)
            } else {
                published
            };
            published.map(|()| {
                let receipt = publisher.receipt();
                receipt
                    .iter()
                    .for_each(|receipt| warn_of_retention(receipt, &console));
                receipt.map(Receipt::encode)
            })
        }
    };
    bar.set_message(format!("{count} messages"));
    match answer {
        Ok(answer) => {
            bar.finish_and_clear();
            // A closed publisher has a receipt.
            answer.map_or(Ok(()), |answer| Ok(Output::new(false).message(&answer)?))
        }
        Err(failure) => {
            bar.abandon();
            Err(failure)
        }
    }
}

/// The failure, with the flag that gives other messages the numbers of earlier ones.
fn numbered_from_start(failure: Failure) -> Failure {
    match failure {
        Failure::Call(status) if is_reused(&status) => Failure::Call(Status::new(
            status.code(),
            format!(
                "{}; without --from-start they get the numbers that follow",
                status.message()
            ),
        )),
        failure => failure,
    }
}

fn is_reused(status: &Status) -> bool {
    matches!(Reason::decode(status), Some(Reason::SequenceReused { .. }))
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
