//! `all`: AllStream between standard input and standard output, or a conversation on a topic.

use futures::channel::mpsc::unbounded;
use futures::{future, Stream, StreamExt, TryStreamExt};

use super::console::Console;
use super::failure::Failure;
use super::form::Form;
use super::input::{Input, InputError, Reading};
use super::output::Output;
use super::prompt::Prompt;
use super::resume::{self, Follow};
use crate::client::{Client, JoinOptions};
use crate::protocol::message::longest_text;
use grpcio_streams::is_invisible;
use topic_log::{Name, StartAt};

/// How many earlier messages are shown first at a prompt.
const SHOWN: u64 = 10;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    topic: Follow,

    /// Put NAME and a colon before each line. NAME has 1 to 64 characters, none of them a colon, a
    /// control character or an invisible character, and no white space at its begin or end
    #[arg(long, value_name = "NAME", requires = "topic", value_parser = speaker)]
    name: Option<String>,

    /// Let \\, \n and \r stand for a backslash, a line feed and a carriage return, in what is read
    /// from a file or a pipe and in what is printed
    #[arg(long, conflicts_with = "json")]
    escape: bool,

    /// Print each message as a JSON object
    #[arg(long)]
    json: bool,
}

/// The largest number of characters in a name.
const MAX_NAME: usize = 64;

/// Checks the name of a speaker: what it begins is one line, of which everything up to the first colon
/// is the name.
fn speaker(name: &str) -> Result<String, String> {
    let length = name.chars().count();
    if !(1..=MAX_NAME).contains(&length) {
        return Err(format!(
            "a name has 1 to {MAX_NAME} characters, and this one has {length}"
        ));
    }
    if name.trim() != name {
        return Err("a name neither begins nor ends with white space; leave it out".to_owned());
    }
    match name.chars().find(|c| *c == ':' || is_invisible(*c)) {
        None => Ok(name.to_owned()),
        Some(c) => Err(format!(
            "a name has no {}, so that nobody can look like somebody else; leave it out",
            match c {
                ':' => "colon".to_owned(),
                c => format!(
                    "control or invisible character such as {}",
                    c.escape_unicode()
                ),
            }
        )),
    }
}

pub(super) async fn run(client: Client, args: Args) -> Result<(), Failure> {
    match args.topic.topic.clone() {
        Some(topic) => converse(client, topic, args).await,
        None => {
            let reading = reading(&client, &args);
            let lines = Input::stdin().messages(reading).map_err(Failure::from);
            let output = Output::new(form(&args)).warning_on(&Console::plain());
            output.print(client.all(lines)?).await
        }
    }
}

/// Publishes the lines and prints the topic. After the end of the input it prints the messages that
/// the topic has by then, and ends.
async fn converse(client: Client, topic: Name, args: Args) -> Result<(), Failure> {
    let text = match &args.name {
        Some(name) => format!("{name}> "),
        None => "> ".to_owned(),
    };
    match Prompt::open(text)? {
        Some(prompt) => {
            let (typed, lines) = unbounded();
            let output = Output::above(prompt.above(), form(&args));
            let console = Console::above(prompt.above());
            let talking = talk(
                client,
                topic,
                args,
                StartAt::Last(SHOWN),
                lines,
                output,
                console,
            );
            prompt.during(talking, typed).await
        }
        None => {
            let lines = Input::stdin().messages(reading(&client, &args));
            let (output, console) = (Output::new(form(&args)).one_line_each(), Console::plain());
            talk(client, topic, args, StartAt::Latest, lines, output, console).await
        }
    }
}

/// The form of what is printed.
fn form(args: &Args) -> Form {
    Form::of(args.escape, args.json)
}

/// How lines of a file or a pipe are read. They are never JSON.
fn reading(client: &Client, args: &Args) -> Reading {
    let longest = longest_text(client.config().message_bytes);
    Reading {
        form: Form::of(args.escape, false),
        lossy: false,
        limit: longest.saturating_sub(prefix(args).len()) as u64,
    }
}

/// The text before each line.
fn prefix(args: &Args) -> String {
    let name = args.name.as_ref();
    name.map_or_else(String::new, |name| format!("{name}: "))
}

async fn talk(
    client: Client,
    topic: Name,
    args: Args,
    start: StartAt,
    lines: impl Stream<Item = Result<String, InputError>>,
    output: Output,
    console: Console,
) -> Result<(), Failure> {
    let options = JoinOptions {
        start: args.topic.from.unwrap_or(start),
        resume: args.topic.resume,
        notice: console.notice(client.config()),
    };
    let (mut sender, received) = client.join(topic.clone(), options).await?.split();
    let prefix = prefix(&args);
    let lines = lines.map_ok(move |line| format!("{prefix}{line}"));
    let sending = async {
        match resume::publish(&mut sender, lines.map_err(Failure::from), &console).await {
            // A loss does not end the receiving of messages.
            Err(Failure::Lost(why)) => Ok(Err(Failure::Lost(why))),
            Err(other) => Err(other),
            Ok(()) => Ok(Ok(())),
        }
    };
    let receiving = resume::print(&topic, received, usize::MAX, output, &console);
    let (sent, _) = future::try_join(sending, receiving).await?;
    sent
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_look_like_a_line() {
        for good in ["ann", "Ann Smith", "安", "a.b-c_d@e", &"x".repeat(MAX_NAME)] {
            assert_eq!(speaker(good).as_deref(), Ok(good));
        }
        for (bad, why) in [
            ("", "1 to 64 characters, and this one has 0"),
            (
                &*"x".repeat(MAX_NAME + 1),
                "1 to 64 characters, and this one has 65",
            ),
            (" ann", "begins nor ends with white space"),
            ("ann ", "begins nor ends with white space"),
            ("ann: hello\nbob", "no colon"),
            ("ann:", "no colon"),
            (
                "ann\nbob",
                "no control or invisible character such as \\u{a}",
            ),
            (
                "ann\rbob",
                "no control or invisible character such as \\u{d}",
            ),
            ("a\tb", "no control or invisible character such as \\u{9}"),
            (
                "a\u{1b}[2Kb",
                "no control or invisible character such as \\u{1b}",
            ),
            (
                "a\u{85}b",
                "no control or invisible character such as \\u{85}",
            ),
            (
                "a\u{2028}b",
                "no control or invisible character such as \\u{2028}",
            ),
            (
                "a\u{202e}b",
                "no control or invisible character such as \\u{202e}",
            ),
            (
                "ann\u{200b}",
                "no control or invisible character such as \\u{200b}",
            ),
            (
                "\u{feff}ann",
                "no control or invisible character such as \\u{feff}",
            ),
            (
                "a\u{ad}nn",
                "no control or invisible character such as \\u{ad}",
            ),
            (
                "ann\u{e0021}",
                "no control or invisible character such as \\u{e0021}",
            ),
        ] {
            let said = speaker(bad).expect_err(bad);
            assert!(said.contains(why), "{said}");
        }
    }
}
