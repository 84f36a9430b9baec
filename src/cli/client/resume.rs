//! The flags and loops that all commands for topics share.

use clap::ArgAction;
use futures::{future, FutureExt, Sink, SinkExt, Stream, StreamExt};

use super::console::Console;
use super::failure::Failure;
use super::output::Output;
use crate::client::{PublishError, Received, SubscribeError};
use topic_log::{Name, NameError, ProducerName, StartAt, StartAtError};

/// The flags of the commands that follow a topic.
#[derive(Debug, clap::Args)]
pub(super) struct Follow {
    /// Follow this topic, where every client receives every message
    #[arg(long, value_name = "TOPIC", value_parser = topic)]
    pub(super) topic: Option<Name>,

    /// Start at: latest, earliest, an offset, -N (the last N) or @SECONDS (a Unix time) [default:
    /// latest, or -10 for `all` on a terminal]
    #[arg(
        long,
        value_name = "WHERE",
        requires = "topic",
        allow_hyphen_values = true,
        value_parser = start
    )]
    pub(super) from: Option<StartAt>,

    /// Fail when the server cannot be reached or the connection is lost, instead of trying again
    #[arg(long = "no-resume", action = ArgAction::SetFalse, requires = "topic")]
    pub(super) resume: bool,
}

/// The name of a topic. The error names what stands for a text that is no name.
pub(super) fn topic(text: &str) -> Result<Name, String> {
    Name::new(text).map_err(|why| match Name::escaped(text) {
        Ok(escaped) => format!("{why}; `put --topic-field` writes this text as {escaped}"),
        Err(_) => why.to_string(),
    })
}

pub(super) fn producer(text: &str) -> Result<ProducerName, NameError> {
    ProducerName::new(text)
}

fn start(text: &str) -> Result<StartAt, StartAtError> {
    text.parse()
}

/// Publishes each message. A loss is reported at once, and returned as the error at the end.
pub(super) async fn publish<M>(
    publisher: &mut (impl Sink<M, Error = PublishError> + Unpin),
    messages: impl Stream<Item = Result<M, Failure>>,
    console: &Console,
) -> Result<(), Failure> {
    let mut lost = None;
    // Returns whether the step is complete. It has to be repeated after a loss.
    let mut unless_lost = |done: Result<(), PublishError>| match done {
        Err(PublishError::Ended(status)) => Err(Failure::Call(status)),
        Err(loss) => {
            console.say(&loss);
            lost = Some(loss.to_string());
            Ok(false)
        }
        Ok(()) => Ok(true),
    };
    futures::pin_mut!(messages);
    loop {
        let message = match messages.next().now_or_never() {
            Some(message) => message,
            // No further message is ready, so the gathered ones are sent.
            None => {
                unless_lost(publisher.flush().await)?;
                messages.next().await
            }
        };
        let Some(message) = message else { break };
        if message.is_err() {
            // The messages before the wrong one are valid, so they are published.
            while !unless_lost(publisher.flush().await)? {}
        }
        while !unless_lost(future::poll_fn(|cx| publisher.poll_ready_unpin(cx)).await)? {}
        unless_lost(publisher.start_send_unpin(message?))?;
    }
    while !unless_lost(publisher.close().await)? {}
    lost.map_or(Ok(()), |why| Err(Failure::Lost(why)))
}

/// Prints messages until they end, at most `count`, and returns how many. A loss is reported at once,
/// and returned as the error at the end.
pub(super) async fn print(
    topic: &Name,
    mut messages: impl Stream<Item = Result<Received, SubscribeError>> + Unpin,
    count: usize,
    mut output: Output,
    console: &Console,
) -> Result<usize, Failure> {
    let (mut printed, mut lost) = (0, None);
    while printed < count {
        match messages.next().await {
            None => break,
            Some(Ok(message)) => {
                printed += 1;
                output.received(topic, &message)?;
            }
            Some(Err(SubscribeError::Lost(loss))) => {
                console.say(&loss);
                lost = Some(loss.to_string());
            }
            Some(Err(end)) => return Err(end.into()),
        }
    }
    lost.map_or(Ok(printed), |why| Err(Failure::Lost(why)))
}
