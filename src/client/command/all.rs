//! `all`: AllStream between standard input and standard output; a conversation where it names a
//! topic.

use futures::future::{self, Either};
use futures::{StreamExt, TryStreamExt};

use super::input::Input;
use super::output::Output;
use super::resume::{self, say, Follow};
use super::Failure;
use crate::client::{Client, PublishOptions, SubscribeError, SubscribeOptions};
use crate::topic::Name;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    topic: Follow,

    /// Put NAME and a colon before each line
    #[arg(long, value_name = "NAME", requires = "topic")]
    name: Option<String>,

    /// Print each message as a JSON object
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(client: Client, args: Args) -> Result<(), Failure> {
    match args.topic.topic.clone() {
        Some(topic) => converse(client, topic, args).await,
        None => {
            let lines = Input::stdin().lines().map_err(Failure::from);
            Output::new(args.json).print(client.all(lines)?).await
        }
    }
}

/// Publishes the lines and prints the topic. At the end of the input it ends as soon as it has
/// printed what it published itself.
async fn converse(client: Client, topic: Name, args: Args) -> Result<(), Failure> {
    let mut output = Output::new(args.json);
    let mut messages = client.subscribe(
        topic.clone(),
        SubscribeOptions {
            from: args.topic.from,
            follow: true,
            resume: args.topic.resume,
            notice: resume::notice(),
        },
    );
    let prefix = args
        .name
        .map_or_else(String::new, |name| format!("{name}: "));
    let lines = Input::stdin().lines().map_err(Failure::from);
    let options = PublishOptions {
        producer: None,
        resume: args.topic.resume,
        // The subscription says it already.
        notice: Box::new(|_, _| {}),
    };
    let said = lines.map_ok(move |line| format!("{prefix}{line}"));
    let talking = resume::publish(&client, topic.clone(), options, said);
    futures::pin_mut!(talking);

    // Else what it says first could come before what it hears first.
    messages.begin().await.map_err(ended)?;
    // What it printed last, and, once it has said everything, the last of that.
    let (mut printed, mut said) = (None, None);
    let mut lost = None;
    while said.is_none() || printed < said {
        let next = match said {
            Some(_) => messages.next().await,
            None => match future::select(messages.next(), &mut talking).await {
                Either::Left((next, _)) => next,
                Either::Right((published, _)) => {
                    said = published?.and_then(|all| Some((all.epoch, all.last?)));
                    match said {
                        Some(_) => continue,
                        None => break,
                    }
                }
            },
        };
        match next {
            None => break,
            Some(Ok(message)) => {
                output.received(&topic, &message)?;
                printed = Some((message.epoch, message.offset));
            }
            Some(Err(SubscribeError::Lost(loss))) => {
                say(&loss);
                lost = Some(loss.to_string());
            }
            Some(Err(other)) => return Err(ended(other)),
        }
    }
    lost.map_or(Ok(()), |why| Err(Failure::Lost(why)))
}

fn ended(error: SubscribeError) -> Failure {
    match error {
        SubscribeError::Ended(status) => Failure::Call(status),
        SubscribeError::Lost(loss) => Failure::Lost(loss.to_string()),
    }
}
