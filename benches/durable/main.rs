//! Topics on disk beside topics in memory: ingest, replay, start-up.
//!
//!     cargo bench --bench durable -- --help
//!
//! The server is the real program. Publishers and subscribers cost as little as possible, because they
//! share the machine with it. Every run measures each store in turn, and the tables show medians.
#![allow(missing_docs, unreachable_pub)]
// A measurement that cannot go on says why and fails.
#![allow(clippy::expect_used, clippy::print_stdout, clippy::print_stderr)]

mod ingest;
mod publisher;
mod replay;
mod startup;
mod store;
mod subscriber;
mod table;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use store::{Site, Store};

/// The text of a message, in bytes.
const TEXT_BYTES: usize = 100;

/// How long anything may take before it counts as failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// Measures topics on disk beside topics in memory, with messages of 100 bytes.
#[derive(Parser)]
struct Args {
    /// What to measure [default: all]
    sections: Vec<Section>,
    /// Where topics are: `memory`, or on disk with this --sync of the server. The first is what
    /// the others are compared with
    #[arg(long = "store", value_name = "STORE", default_values = ["memory", "always", "100ms"])]
    stores: Vec<Store>,
    /// The folder on disk; the topics in it are removed in the end
    #[arg(long, value_name = "DIR", default_value = env!("CARGO_TARGET_TMPDIR"))]
    data: PathBuf,
    /// Runs of everything
    #[arg(
        long,
        value_name = "N",
        default_value = "3",
        default_value_if("quick", "true", "1")
    )]
    runs: usize,
    /// 1 for 1,000,000 messages that are published or replayed, and a start with 1,000 topics of
    /// 10,000 messages each; less for fewer messages, and as many times fewer topics
    #[arg(
        long,
        value_name = "PART",
        default_value = "1",
        default_value_if("quick", "true", "0.02")
    )]
    scale: f64,
    /// One short run of a fiftieth: whether everything works
    #[arg(long)]
    quick: bool,
    /// What cargo adds
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum Section {
    /// Rates of 1, 10 and 100 publishers
    Ingest,
    /// How long a publisher of AllStream waits for its own message
    Latency,
    /// From the earliest message to the end, after a restart
    Replay,
    /// Ten publishers while a subscriber replays
    Beside,
    /// How long a server with many topics takes to start, and how much of the disk they take
    Startup,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("durable: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> io::Result<()> {
    let site = Site::new(&args.data)?;
    println!(
        "Messages of {TEXT_BYTES} bytes; topics on disk below {} ({}), where 4 KiB more in a file \
         are synced within {:.2} ms.\n\
         Runs: {}; medians, in brackets the least and the most.",
        site.folder().display(),
        site.file_system()?,
        site.sync_time()?.as_secs_f64() * 1e3,
        args.runs,
    );
    let sections = match &args.sections[..] {
        [] => Section::value_variants(),
        sections => sections,
    };
    for section in sections {
        println!();
        match section {
            Section::Ingest => ingest::rates(&site, args)?,
            Section::Latency => ingest::latencies(&site, args)?,
            Section::Replay => replay::cold(&site, args)?,
            Section::Beside => replay::beside(&site, args)?,
            Section::Startup => startup::measure(&site, args)?,
        }
    }
    Ok(())
}
