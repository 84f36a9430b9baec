//! The flags of a load.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

/// How many digits of a message say when it was to be sent. The rest fills it.
pub(super) const STAMP: usize = 16;

#[derive(Debug, clap::Args)]
pub(in crate::cli::client) struct Args {
    #[command(subcommand)]
    pub(super) work: Work,
}

#[derive(Clone, Debug, clap::Subcommand)]
pub(super) enum Work {
    /// GetStream at full speed: streams that read a topic from its earliest message on, again and
    /// again
    Get(Load),
    /// PutStream at full speed: streams that publish to a topic each
    Put(Load),
    /// AllStream: one message there and back at a time on each stream
    Ping(PacedLoad),
    /// One publisher, and streams that follow its topic
    Fan(PacedLoad),
    /// Open streams that follow a topic where nothing is published, until the end
    Idle(Load),
    /// Short calls, one after the other on each stream: GetStream with one message
    Calls(PacedLoad),
}

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Load {
    /// Streams at the same time
    #[arg(long, value_name = "N", default_value = "1")]
    pub(super) streams: NonZeroUsize,

    /// Connections that the streams are spread over; no more than streams
    #[arg(long, value_name = "N", default_value = "1")]
    pub(super) connections: NonZeroUsize,

    /// The text of a message, in bytes: at least 16
    #[arg(long, value_name = "BYTES", default_value_t = STAMP as u32,
        value_parser = clap::value_parser!(u32).range(STAMP as i64..=4_000_000))]
    pub(super) size: u32,

    /// How long to measure
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration)]
    pub(super) duration: Duration,

    /// How long to run before that
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = humantime::parse_duration)]
    pub(super) warmup: Duration,

    /// Completion queues, and threads, of this client [default: one for each processor]
    #[arg(long, value_name = "N")]
    pub(super) threads: Option<NonZeroUsize>,

    /// Measure what the server costs: the number of its process on this machine (Linux)
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

    /// Messages or calls a second of each stream, of `fan` those that are published [default: as
    /// many as possible]. Latencies then count from when a message was to be sent
    #[arg(long, value_name = "N")]
    pub(super) rate: Option<NonZeroU32>,
}

impl Work {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Get(_) => "get",
            Self::Put(_) => "put",
            Self::Ping(_) => "ping",
            Self::Fan(_) => "fan",
            Self::Idle(_) => "idle",
            Self::Calls(_) => "calls",
        }
    }

    pub(super) fn load(&self) -> &Load {
        match self {
            Self::Get(load) | Self::Put(load) | Self::Idle(load) => load,
            Self::Ping(paced) | Self::Fan(paced) | Self::Calls(paced) => &paced.load,
        }
    }

    pub(super) fn rate(&self) -> Option<NonZeroU32> {
        match self {
            Self::Get(_) | Self::Put(_) | Self::Idle(_) => None,
            Self::Ping(paced) | Self::Fan(paced) | Self::Calls(paced) => paced.rate,
        }
    }
}
