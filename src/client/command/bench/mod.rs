//! `bench`: load for any server with topics, and what becomes of it.

mod calls;
mod meter;
mod process;
mod report;
mod work;

use std::io::{self, Write};
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use futures::channel::{mpsc::unbounded, oneshot};
use futures::executor::block_on;
use futures::future::{self, Either, Future};
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use futures_timer::Delay;
use grpcio::RpcStatusCode;
use indicatif::{ProgressBar, ProgressStyle};

use self::meter::{Meter, Window};
use self::process::Process;
use self::report::{Cost, Report};
use self::work::{Bench, Stream, STAMP};
use super::{Failure, THREAD_STOPS_WITHIN};
use crate::client::{Client, Config};
use grpcio_streams::{Queues, Status};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    work: Work,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum Work {
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
struct Load {
    /// Streams at the same time
    #[arg(long, value_name = "N", default_value = "1")]
    streams: NonZeroUsize,

    /// Connections that the streams are spread over; no more than streams
    #[arg(long, value_name = "N", default_value = "1")]
    connections: NonZeroUsize,

    /// The text of a message, in bytes: at least 16
    #[arg(long, value_name = "BYTES", default_value_t = STAMP as u32,
        value_parser = clap::value_parser!(u32).range(STAMP as i64..=4_000_000))]
    size: u32,

    /// How long to measure
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration)]
    duration: Duration,

    /// How long to run before that
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = humantime::parse_duration)]
    warmup: Duration,

    /// Completion queues, and threads, of this client [default: one for each processor]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,

    /// Tell what the server costs: the number of its process on this machine (Linux)
    #[arg(long, value_name = "NUMBER")]
    pid: Option<u32>,

    /// Print the result as a JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Debug, clap::Args)]
struct PacedLoad {
    #[command(flatten)]
    load: Load,

    /// Messages or calls a second of each stream, of `fan` those that are published [default: as
    /// many as possible]. Latencies then count from when a message was to be sent
    #[arg(long, value_name = "N")]
    rate: Option<NonZeroU32>,
}

impl Work {
    fn name(&self) -> &'static str {
        match self {
            Self::Get(_) => "get",
            Self::Put(_) => "put",
            Self::Ping(_) => "ping",
            Self::Fan(_) => "fan",
            Self::Idle(_) => "idle",
            Self::Calls(_) => "calls",
        }
    }

    fn load(&self) -> &Load {
        match self {
            Self::Get(load) | Self::Put(load) | Self::Idle(load) => load,
            Self::Ping(paced) | Self::Fan(paced) | Self::Calls(paced) => &paced.load,
        }
    }

    fn rate(&self) -> Option<NonZeroU32> {
        match self {
            Self::Get(_) | Self::Put(_) | Self::Idle(_) => None,
            Self::Ping(paced) | Self::Fan(paced) | Self::Calls(paced) => paced.rate,
        }
    }
}

pub(super) fn run(config: &Config, args: Args) -> Result<(), Failure> {
    let work = args.work;
    let load = work.load();
    let processors = || thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let threads = load.threads.map_or_else(processors, NonZeroUsize::get);
    let queues = Queues::start("bench", threads);
    let connections = load.connections.min(load.streams).get();
    let connect = |_| Client::new(&queues, config.clone());
    let meter = Arc::new(Meter::new(threads)?);
    let (ready, mut is_ready) = unbounded();
    let (open, gate) = oneshot::channel();
    let bench = Arc::new(Bench {
        topic: format!("bench-{:016x}", fastrand::u64(..)),
        size: load.size as usize,
        rate: work.rate(),
        publisher: connect(0)?,
        clients: (0..connections).map(connect).collect::<Result<_, _>>()?,
        meter: meter.clone(),
        began: Instant::now(),
        ready,
        gate: gate.shared(),
    });
    bench.publisher.run(bench.clone().prepare(work.clone()))?;

    let server = load.pid.map(Process);
    let usage = || server.map(Process::usage).transpose().map_err(no_process);
    let at_rest = usage()?;
    let running: FuturesUnordered<_> = bench
        .streams(&work)
        .into_iter()
        .map(|(client, stream)| start(&client, stream))
        .collect();
    let all = running.len();
    let ended = async {
        let mut running = running;
        while let Some(ended) = running.next().await {
            ended?;
        }
        Ok::<_, Status>(())
    };
    let measured = async {
        for _ in 0..all {
            is_ready.next().await;
        }
        let window = Window::from_now(load.warmup, load.duration);
        let _ = meter.window.set(window);
        let _ = open.send(window);
        progress(&meter, window.begin).await;
        let before = usage()?;
        progress(&meter, window.end).await;
        let after = usage()?;
        Ok::<_, Failure>(at_rest.zip(before).zip(after))
    };
    futures::pin_mut!(ended, measured);
    let cost = match block_on(future::select(ended, measured)) {
        Either::Left((ended, measured)) => {
            // A stream that fails ends it early.
            ended?;
            block_on(measured)?
        }
        Either::Right((measured, ended)) => {
            block_on(ended)?;
            measured?
        }
    };
    let cost = cost.map(|((at_rest, before), after)| Cost {
        at_rest,
        before,
        after,
    });
    drop(bench);
    let _ = queues.stop(THREAD_STOPS_WITHIN);
    let report = Report::new(work.clone(), config, connections, &meter, cost)?;
    let mut out = io::stdout().lock();
    match load.json {
        true => writeln!(out, "{}", report.to_json())?,
        false => write!(out, "{report}")?,
    }
    Ok(())
}

/// Runs a stream on its client's completion queue.
fn start(client: &Client, stream: Stream) -> impl Future<Output = Result<(), Status>> {
    let (done, is_done) = oneshot::channel();
    client.client.spawn(async move {
        // Whoever waits for it may have given up.
        let _ = done.send(stream.await);
    });
    is_done.map(|done| done.unwrap_or_else(|_| Err(Status::internal("a stream panicked"))))
}

fn no_process(e: io::Error) -> Failure {
    let why = format!("cannot see what the server's process uses: {e}; give its number with --pid");
    Failure::Call(Status::new(RpcStatusCode::NOT_FOUND, why))
}

/// Shows on a terminal how it goes, until then.
async fn progress(meter: &Meter, end: Instant) {
    let left = || end.saturating_duration_since(Instant::now());
    let bar = ProgressBar::new(left().as_millis() as u64);
    let bar = match ProgressStyle::with_template("{bar:30} {msg}, {eta} left") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    };
    let mut before = meter.count.load(Ordering::Relaxed);
    while !left().is_zero() {
        Delay::new(left().min(Duration::from_secs(1))).await;
        let count = meter.count.load(Ordering::Relaxed);
        bar.set_message(format!("{}/s", count - before));
        bar.set_position(bar.length().unwrap_or(0) - left().as_millis() as u64);
        before = count;
    }
    bar.finish_and_clear();
}
