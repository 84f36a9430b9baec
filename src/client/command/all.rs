//! `all`: AllStream between standard input and standard output; a conversation where it names a
//! topic.

use futures::channel::mpsc::unbounded;
use futures::{future, Stream, StreamExt, TryStreamExt};

use super::console::Console;
use super::input::{Input, InputError};
use super::output::Output;
use super::prompt::Prompt;
use super::resume::{self, Follow};
use super::{Failure, SILENT_WAIT};
use crate::client::{Client, JoinOptions};
use topic_log::{From, Name};

/// So many messages of before are shown to somebody who types.
const SHOWN: u64 = 10;

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
/// printed what was said by then.
async fn converse(client: Client, topic: Name, args: Args) -> Result<(), Failure> {
    if client.config.wait {
        // Before there is a prompt, because it is told that this takes long.
        while !client.connected(SILENT_WAIT).await {}
    }
    let text = match &args.name {
        Some(name) => format!("{name}> "),
        None => "> ".to_owned(),
    };
    match Prompt::open(text)? {
        Some(prompt) => {
            let (typed, lines) = unbounded();
            let output = Output::above(prompt.above(), args.json);
            let console = Console::above(prompt.above());
            let talking = talk(
                client,
                topic,
                args,
                From::Last(SHOWN),
                lines,
                output,
                console,
            );
            prompt.during(talking, typed).await
        }
        None => {
            let lines = Input::stdin().with_room(prefix(&args).len()).lines();
            let (output, console) = (Output::new(args.json), Console::plain());
            talk(client, topic, args, From::Latest, lines, output, console).await
        }
    }
}

/// What is put before each line.
fn prefix(args: &Args) -> String {
    let name = args.name.as_ref();
    name.map_or_else(String::new, |name| format!("{name}: "))
}

async fn talk(
    client: Client,
    topic: Name,
    args: Args,
    from: From,
    lines: impl Stream<Item = Result<String, InputError>>,
    output: Output,
    console: Console,
) -> Result<(), Failure> {
    let options = JoinOptions {
        from: args.topic.from.unwrap_or(from),
        resume: args.topic.resume,
        notice: console.notice(),
    };
    let (mut says, hears) = client.join(topic.clone(), options).await?.split();
    let prefix = prefix(&args);
    let lines = lines.map_ok(move |line| format!("{prefix}{line}"));
    let talking = async {
        match resume::publish(&mut says, lines.map_err(Failure::from), &console).await {
            // What was said since is still to be heard.
            Err(Failure::Lost(why)) => Ok(Err(Failure::Lost(why))),
            Err(other) => Err(other),
            Ok(()) => Ok(Ok(())),
        }
    };
    let hearing = resume::print(&topic, hears, usize::MAX, output, &console);
    let (said, ()) = future::try_join(talking, hearing).await?;
    said
}
