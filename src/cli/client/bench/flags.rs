//! The flags of a load.

use crate::cli::time::time;
use crate::protocol::message::longest_text;
use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

/// How many hexadecimal digits at the start of a message have the time at which it was to be sent.
pub(super) const STAMP: usize = 16;

#[derive(Debug, clap::Args)]
pub(in crate::cli::client) struct Args {
    #[command(subcommand)]
    pub(super) work: Work,
}

impl Args {
    /// Checks that the messages of the load fit a message of `message_bytes`.
    ///
    /// # Errors
    ///
    /// What is wrong, in the words of the flags.
    pub(in crate::cli::client) fn check(&self, message_bytes: usize) -> Result<(), String> {
        let (size, longest) = (self.work.load().size, longest_text(message_bytes));
        if size as usize <= longest {
            return Ok(());
        }
        Err(format!(
            "--size {size} is more than the {longest} bytes that fit a message; \
             --max-message-bytes allows longer messages, if the server does as well"
        ))
    }
}

#[derive(Clone, Debug, clap::Subcommand)]
pub(super) enum Work {
    /// GetStream at full speed: streams that repeatedly read a topic from its earliest message on
    Get(Load),
    /// PutStream at full speed: streams that each publish to a topic of their own
    Put(Load),
    /// AllStream: round trips of one message at a time on each stream
    Ping(PacedLoad),
    /// AllStream: round trips as those of `ping`, beside a load at full speed on other connections
    Mixed(MixedLoad),
    /// One publisher, and streams that follow its topic
    Fan(PacedLoad),
    /// Idle streams that follow a topic where nothing is published until the end
    Idle(Load),
    /// Short calls, one after the other on each stream: GetStream with one message
    Calls(PacedLoad),
}

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Load {
    /// The number of streams at the same time
    #[arg(long, value_name = "N", default_value = "1")]
    pub(super) streams: NonZeroUsize,

    /// The number of connections that carry the streams; one a stream if it is greater
    #[arg(long, value_name = "N", default_value = "1")]
    pub(super) connections: NonZeroUsize,

    /// The size of a message's text, from 16 bytes to what --max-message-bytes allows
    #[arg(long, value_name = "BYTES", default_value_t = STAMP as u32,
        value_parser = clap::value_parser!(u32).range(STAMP as i64..))]
    pub(super) size: u32,

    /// How long to measure
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    pub(super) duration: Duration,

    /// How long to run before measuring
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = time)]
    pub(super) warmup: Duration,

    /// The number of completion queues of this client, each with a thread of its own [default: one
    /// for each processor]
    #[arg(long, value_name = "N")]
    pub(super) threads: Option<NonZeroUsize>,

    /// Measure the processor time and memory of the server with this process ID, on this machine (Linux
    /// only)
    #[arg(long, value_name = "NUMBER")]
    pub(super) pid: Option<u32>,

    /// Print the result as a JSON object
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Clone, Debug, clap::Args)]
pub(super) struct PacedLoad {
    #[command(flatten)]
    pub(super) load: Load,

    /// Messages or calls per second of each stream; for `fan`, messages per second of the publisher
    /// [default: as many as possible]. With this flag latencies count from the time at which a
    /// message was to be sent
    #[arg(long, value_name = "N")]
    pub(super) rate: Option<NonZeroU32>,
}

#[derive(Clone, Debug, clap::Args)]
pub(super) struct MixedLoad {
    #[command(flatten)]
    paced: PacedLoad,

    /// The load at full speed
    #[arg(long, value_name = "LOAD", default_value = "get")]
    beside: Beside,

    /// The number of streams of that load, on at most 10 connections
    #[arg(long, value_name = "N", default_value = "1")]
    beside_streams: NonZeroUsize,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Beside {
    Get,
    Put,
    Fan,
}

impl Work {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Get(_) => "get",
            Self::Put(_) => "put",
            Self::Ping(_) => "ping",
            Self::Mixed(_) => "mixed",
            Self::Fan(_) => "fan",
            Self::Idle(_) => "idle",
            Self::Calls(_) => "calls",
        }
    }

    pub(super) fn load(&self) -> &Load {
        match self {
            Self::Get(load) | Self::Put(load) | Self::Idle(load) => load,
            Self::Ping(paced) | Self::Fan(paced) | Self::Calls(paced) => &paced.load,
            Self::Mixed(mixed) => &mixed.paced.load,
        }
    }

    pub(super) fn rate(&self) -> Option<NonZeroU32> {
        match self {
            Self::Get(_) | Self::Put(_) | Self::Idle(_) => None,
            Self::Ping(paced) | Self::Fan(paced) | Self::Calls(paced) => paced.rate,
            Self::Mixed(mixed) => mixed.paced.rate,
        }
    }

    /// The loads that run at the same time: this one, and what is beside it.
    pub(super) fn all(&self) -> Vec<Self> {
        let Self::Mixed(mixed) = self else {
            return vec![self.clone()];
        };
        let load = Load {
            streams: mixed.beside_streams,
            connections: NonZeroUsize::MIN.saturating_add(9),
            ..self.load().clone()
        };
        let beside = match mixed.beside {
            Beside::Get => Self::Get(load),
            Beside::Put => Self::Put(load),
            Beside::Fan => Self::Fan(PacedLoad { load, rate: None }),
        };
        vec![self.clone(), beside]
    }
}
