//! `greeter-server topics`: lists the topics in a folder.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use clap::Args;
use humantime::format_duration;
use serde_json::json;

use topic_log::{Disk, OpenError, TopicSummary};

use super::remedies::folder_in_flags;

/// Lists the topics in a folder that no server uses, and changes nothing there.
#[derive(Debug, Args)]
pub struct ListTopics {
    /// The folder that a server was given with --data
    #[arg(long, value_name = "DIR")]
    data: PathBuf,

    /// Print a JSON object for each topic instead of a table
    #[arg(long)]
    json: bool,
}

/// Why topics cannot be listed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListError {
    /// The topics in the folder cannot be read.
    #[error("{}", folder_in_flags(.0))]
    Open(#[from] OpenError),
    /// The list cannot be written.
    #[error("cannot write the list: {0}")]
    Write(#[from] io::Error),
}

impl ListTopics {
    /// Prints a line for each topic to `output`: its name, its earliest and its next offset, how
    /// many messages and bytes it keeps, and the age of its oldest message.
    ///
    /// # Errors
    ///
    /// See [`ListError`].
    pub fn print(&self, output: &mut impl Write) -> Result<(), ListError> {
        let topics = Disk::list(&self.data)?;
        if self.json {
            for topic in &topics {
                print_json(topic, output)?;
            }
        } else {
            print_table(&topics, output)?;
        }
        Ok(())
    }
}

fn print_json(topic: &TopicSummary, output: &mut impl Write) -> io::Result<()> {
    let line = json!({
        "topic": topic.name.as_str(),
        "epoch": topic.epoch.to_string(),
        "earliest": topic.bounds.earliest,
        "next": topic.bounds.next,
        "messages": topic.bounds.next - topic.bounds.earliest,
        "bytes": topic.bytes,
        "age_seconds": age(topic).map(|age| age.as_secs()),
    });
    writeln!(output, "{line}")
}

fn print_table(topics: &[TopicSummary], output: &mut impl Write) -> io::Result<()> {
    let names = topics.iter().map(|topic| topic.name.as_str().len());
    let width = names.chain(["topic".len()]).max().unwrap_or_default();
    let mut line = |name: &str, numbers: [String; 4], age: &str| {
        let [earliest, next, messages, bytes] = numbers;
        writeln!(
            output,
            "{name:width$} {earliest:>12} {next:>12} {messages:>10} {bytes:>14}  {age}"
        )
    };
    let heads = ["earliest", "next", "messages", "bytes"].map(str::to_owned);
    line("topic", heads, "age")?;
    for topic in topics {
        let (earliest, next) = (topic.bounds.earliest, topic.bounds.next);
        let numbers = [earliest, next, next - earliest, topic.bytes];
        let age = age(topic).map_or_else(|| "-".to_owned(), |age| format_duration(age).to_string());
        line(topic.name.as_str(), numbers.map(|n| n.to_string()), &age)?;
    }
    Ok(())
}

/// The age of the oldest message, in whole seconds.
fn age(topic: &TopicSummary) -> Option<Duration> {
    let age = SystemTime::now().duration_since(topic.oldest?);
    Some(Duration::from_secs(age.unwrap_or_default().as_secs()))
}
