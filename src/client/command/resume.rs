//! What the commands that know topics have in common.

use std::fmt::Display;
use std::io::{self, Write};

use clap::ArgAction;
use futures::{future, FutureExt, SinkExt, Stream, StreamExt};

use super::Failure;
use crate::client::{Client, Notice, PublishError, PublishOptions, Published};
use crate::text::escaped;
use crate::topic::{From, FromError, Name, NameError, ProducerName};

/// The flags of the commands that follow a topic.
#[derive(Debug, clap::Args)]
pub(super) struct Follow {
    /// Follow this topic, where everyone sees every message
    #[arg(long, value_name = "TOPIC", value_parser = topic)]
    pub(super) topic: Option<Name>,

    /// Start at: latest, earliest, an offset, -N (the last N) or @SECONDS (a Unix time)
    #[arg(
        long,
        value_name = "WHERE",
        default_value = "latest",
        requires = "topic",
        allow_hyphen_values = true,
        value_parser = from
    )]
    pub(super) from: From,

    /// Fail when the server becomes unavailable, instead of coming back
    #[arg(long = "no-resume", action = ArgAction::SetFalse, requires = "topic")]
    pub(super) resume: bool,
}

/// Says something to the person who watches, whatever the output is used for.
pub(super) fn say(what: &impl Display) {
    // Standard error may be closed.
    let _ = writeln!(io::stderr(), "greeter-client: {what}");
}

/// Says that the server is tried again.
pub(super) fn notice() -> Notice {
    Box::new(|status, wait| {
        let status = status.to_string();
        say(&format!(
            "{}; trying again in {} ms",
            escaped(&status),
            wait.as_millis()
        ));
    })
}

pub(super) fn topic(text: &str) -> Result<Name, NameError> {
    Name::new(text)
}

pub(super) fn producer(text: &str) -> Result<ProducerName, NameError> {
    ProducerName::new(text)
}

fn from(text: &str) -> Result<From, FromError> {
    text.parse()
}

/// Publishes each line; what has been acknowledged. Losses are told as they are found, and make it
/// fail in the end.
pub(super) async fn publish(
    client: &Client,
    topic: Name,
    options: PublishOptions,
    lines: impl Stream<Item = Result<String, Failure>>,
) -> Result<Option<Published>, Failure> {
    let mut publisher = client.publish(topic, options);
    let mut lost = None;
    // Whether it is done, or has to be asked again because it had a loss to tell.
    let mut unless_lost = |done: Result<(), PublishError>| match done {
        Err(PublishError::Ended(status)) => Err(Failure::Call(status)),
        Err(loss) => {
            say(&loss);
            lost = Some(loss.to_string());
            Ok(false)
        }
        Ok(()) => Ok(true),
    };
    futures::pin_mut!(lines);
    loop {
        let line = match lines.next().now_or_never() {
            Some(line) => line,
            // Nothing more is there: what is, leaves.
            None => {
                unless_lost(publisher.flush().await)?;
                lines.next().await
            }
        };
        let Some(line) = line else { break };
        if line.is_err() {
            // What came before it is good.
            while !unless_lost(publisher.flush().await)? {}
        }
        unless_lost(future::poll_fn(|cx| publisher.poll_ready_unpin(cx)).await)?;
        unless_lost(publisher.start_send_unpin(line?))?;
    }
    while !unless_lost(publisher.close().await)? {}
    match lost {
        Some(why) => Err(Failure::Lost(why)),
        None => Ok(publisher.published().cloned()),
    }
}
