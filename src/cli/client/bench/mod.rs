//! `bench`: puts load on any server with topics, and measures it.

mod flags;
mod meter;
mod process;
mod report;
mod work;

use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use futures::channel::{mpsc::unbounded, oneshot};
use futures::executor::block_on;
use futures::future::{self, Either, Future};
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt, TryFutureExt};
use futures_timer::Delay;
use grpcio::RpcStatusCode;
use indicatif::{ProgressBar, ProgressStyle};

pub(super) use self::flags::Args;
use self::flags::Work;
use self::meter::{Meter, Window};
use self::process::Process;
use self::report::{Cost, Report};
use self::work::{topic, Bench, Stream, GRACE};
use crate::cli::client::failure::Failure;
use crate::cli::client::queue::{reached, THREADS_STOP_WITHIN};
use crate::client::{Client, Config};
use grpcio_streams::{Queues, Status};

pub(super) fn run(config: &Config, wait: bool, args: Args) -> Result<(), Failure> {
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
        topic: topic(&format!("bench-{:016x}", fastrand::u64(..)))?,
        size: load.size as usize,
        rate: work.rate(),
        publisher: connect(0)?,
        clients: (0..connections).map(connect).collect::<Result<_, _>>()?,
        meter: meter.clone(),
        began: Instant::now(),
        ready,
        gate: gate.shared(),
    });
    let prepared = bench.clone().prepare(work.clone()).map_err(Failure::from);
    let publisher = bench.publisher.clone();
    bench.publisher.run(reached(publisher, wait, prepared))?;

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
        let counted = match &work {
            // The one message of `idle` is sent near the end, and may arrive after it.
            Work::Idle(_) => window.and(GRACE),
            _ => window,
        };
        let _ = meter.window.set(counted);
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
            // A stream that fails ends the load early.
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
    let _ = queues.stop(THREADS_STOP_WITHIN);
    let report = Report::new(work.clone(), config, connections, &meter, cost)?;
    let mut out = io::stdout().lock();
    if load.json {
        writeln!(out, "{}", report.to_json())?;
    } else {
        write!(out, "{report}")?;
    }
    Ok(())
}

/// Runs a stream on its client's completion queue.
fn start(client: &Client, stream: Stream) -> impl Future<Output = Result<(), Status>> {
    let (done, is_done) = oneshot::channel();
    client.spawn(async move {
        // The receiver is gone if the load has failed.
        let _ = done.send(stream.await);
    });
    is_done.map(|done| done.unwrap_or_else(|_| Err(Status::internal("a stream panicked"))))
}

fn no_process(e: io::Error) -> Failure {
    let why = format!("cannot see what the server's process uses: {e}; give its number with --pid");
    Failure::Call(Status::new(RpcStatusCode::NOT_FOUND, why))
}

/// Shows the progress on a terminal, until the end of the window.
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
