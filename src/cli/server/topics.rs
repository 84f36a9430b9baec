//! The flags of a server's topics.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::server::{Data, Topics};
use topic_log::{Durability, Retention, StoreLimits};

use crate::cli::time::time;

#[derive(Debug, Args)]
#[command(next_help_heading = "Topics")]
pub(super) struct TopicFlags {
    /// Keep topics in this folder, across restarts of the server [default: in memory]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,

    /// When a message is acknowledged. With `always` it is on the disk before it is acknowledged.
    /// With a TIME such as 100ms it is on the disk at most that time later: a loss of power may
    /// lose the messages of that time. Killing the server loses none
    #[arg(long, value_name = "always|TIME", default_value = "always", value_parser = durability, requires = "data")]
    sync: Durability,

    /// Keep at most N messages of a topic
    #[arg(long, value_name = "N", default_value_t = Retention::default().messages)]
    retention_messages: u64,

    /// Keep at most this many bytes of a topic; a message counts as its text and 64 bytes
    #[arg(long, value_name = "BYTES", default_value_t = Retention::default().bytes)]
    retention_bytes: u64,

    /// Drop messages that were received longer ago [default: any age]
    #[arg(long, value_name = "TIME", value_parser = time)]
    retention_age: Option<Duration>,

    /// Have at most N topics; idle empty topics are dropped to make room for new ones
    #[arg(long, value_name = "N", default_value_t = StoreLimits::default().topics)]
    max_topics: usize,

    /// Keep at most this many bytes in all topics; beyond this limit publishing fails with
    /// RESOURCE_EXHAUSTED
    #[arg(long, value_name = "BYTES", default_value_t = StoreLimits::default().bytes)]
    max_topic_bytes: u64,

    /// Keep an empty topic for this time after its last use
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    topic_idle: Duration,

    /// Remember at most N producers of a topic; the least recently seen are forgotten first
    #[arg(long, value_name = "N", default_value_t = StoreLimits::default().producers)]
    max_producers: NonZeroUsize,
}

impl TopicFlags {
    pub(super) fn topics(self) -> Topics {
        let durability = self.sync;
        Topics {
            retention: Retention {
                messages: self.retention_messages,
                bytes: self.retention_bytes,
                age: self.retention_age,
            },
            limits: StoreLimits {
                topics: self.max_topics,
                bytes: self.max_topic_bytes,
                producers: self.max_producers,
                idle: self.topic_idle,
            },
            data: self.data.map(|dir| Data { dir, durability }),
        }
    }
}

fn durability(text: &str) -> Result<Durability, String> {
    match text {
        "always" => Ok(Durability::Synced),
        _ => time(text)
            .map(Durability::Within)
            .map_err(|e| format!("{e}; give `always` or a time such as 100ms")),
    }
}
