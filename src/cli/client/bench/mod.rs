//! `bench`: puts load on any server with topics, and measures it.

mod flags;
mod meter;
mod process;
mod report;
mod running;
mod work;

use std::io::{self, Write};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use futures::channel::mpsc::{unbounded, UnboundedReceiver};
use futures::channel::oneshot;
use futures::executor::block_on;
use futures::future::{self, Either};
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use futures_timer::Delay;
use grpcio::RpcStatusCode;
use indicatif::{ProgressBar, ProgressStyle};

pub(super) use self::flags::Args;
use self::flags::Work;
use self::meter::{Meter, Window};
use self::process::Process;
use self::report::{Cost, Report};
use self::running::Running;
use self::work::GRACE;
use crate::cli::client::failure::Failure;
use crate::client::Config;
use grpcio_streams::Status;

pub(super) fn run(config: &Config, wait: bool, args: Args) -> Result<(), Failure> {
    let work = args.work;
    let load = work.load();
    let (ready, is_ready) = unbounded();
    let (open, gate) = oneshot::channel();
    let gate = gate.shared();
    let start = |work| Running::new(work, config, ready.clone(), gate.clone());
    let loads = work.all().into_iter().map(start);
    let loads = loads.collect::<Result<Vec<_>, _>>()?;
    for running in &loads {
        running.prepare(wait)?;
    }

    let cost = measure(&loads, is_ready, open)?;
    let report = Report::new(config, &loads, cost)?;
    loads.into_iter().for_each(Running::stop);
    let mut out = io::stdout().lock();
    if load.json {
        writeln!(out, "{}", report.to_json())?;
    } else {
        write!(out, "{report}")?;
    }
    Ok(())
}

/// Runs the loads. What the server has used, if its process is known.
fn measure(
    loads: &[Running],
    mut is_ready: UnboundedReceiver<()>,
    open: oneshot::Sender<Window>,
) -> Result<Option<Cost>, Failure> {
    let work = &loads[0].bench.work;
    let load = work.load();
    let server = load.pid.map(Process);
    let usage = || server.map(Process::usage).transpose().map_err(no_process);
    let at_rest = usage()?;
    let running: FuturesUnordered<_> = loads.iter().flat_map(Running::start).collect();
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
        let counted = match work {
            // The one message of `idle` is sent near the end, and may arrive after it.
            Work::Idle(_) => window.and(GRACE),
            _ => window,
        };
        for running in loads {
            let _ = running.bench.meter.window.set(counted);
        }
        let _ = open.send(window);
        let meter = &loads[0].bench.meter;
        progress(meter, window.begin).await;
        let before = usage()?;
        progress(meter, window.end).await;
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
    Ok(cost.map(|((at_rest, before), after)| Cost {
        at_rest,
        before,
        after,
    }))
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
