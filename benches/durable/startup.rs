//! How long a server takes to start with many topics, and what they take of the disk.

use std::io;
use std::time::Instant;

use super::publisher::publish;
use super::store::{stop, Site, Store};
use super::{table, Args};

const TOPICS: f64 = 1e3;

/// How many uploads, one after the other, fill each topic, and how many messages each has. An upload to
/// all topics together must fit into the memory that a server has for messages on their way.
const UPLOADS: usize = 10;
const MESSAGES_EACH: u64 = 1_000;

/// How many messages are published to each topic between two starts.
const MESSAGES_MORE: u64 = 100;

/// Prints how long a server takes until it listens, with the first of the stores that is on disk.
pub fn measure(site: &Site, args: &Args) -> io::Result<()> {
    let is_on_disk = |store: &&Store| **store != Store::Memory;
    let Some(store) = args.stores.iter().find(is_on_disk) else {
        return Ok(());
    };
    let topics: Vec<_> = (0..(TOPICS * args.scale).ceil() as usize)
        .map(|n| format!("startup/{n}"))
        .collect();
    let (empty, server) = timed(|| site.start_empty(store))?;
    let began = Instant::now();
    let mut filled = 0;
    for _ in 0..UPLOADS {
        filled += publish(&server.address, &topics, MESSAGES_EACH)?.messages;
    }
    let fill_rate = filled as f64 / began.elapsed().as_secs_f64();
    let after_fill = site.disk_bytes()? as f64 / filled as f64;
    // Dropping a server kills it.
    drop(server);
    let (after_kill, mut server) = timed(|| site.start(store))?;

    let mut stops = Vec::new();
    let mut clean = Vec::new();
    for _ in 0..args.runs {
        stops.push(timed(|| stop(server))?.0);
        let (took, started) = timed(|| site.start(store))?;
        clean.push(took);
        server = started;
    }
    let after_restart = site.disk_bytes()? as f64 / filled as f64;

    let mut killed = Vec::new();
    for _ in 0..args.runs {
        publish(&server.address, &topics, MESSAGES_MORE)?;
        drop(server);
        let (took, started) = timed(|| site.start(store))?;
        killed.push(took);
        server = started;
    }
    stop(server)?;
    let published = filled + args.runs as u64 * MESSAGES_MORE * topics.len() as u64;
    let kept = site.messages()?;
    if kept != published {
        let why = format!("{published} messages were published, and {kept} are left");
        return Err(io::Error::other(why));
    }

    let title = format!("{} messages in {} topics", filled, topics.len());
    table::head(&[title, store.to_string()]);
    let row = |name: &str, value: String| table::row(&[name, &value]);
    row("filled, messages/s", format!("{:.0}", fill_rate));
    row("on disk then, bytes a message", format!("{after_fill:.1}"));
    row(
        "the same after clean restarts",
        format!("{after_restart:.1}"),
    );
    row("start without topics, ms", format!("{empty:.1}"));
    row(
        "start after SIGKILL at the end of the filling, ms",
        format!("{after_kill:.1}"),
    );
    row("clean stop, ms", table::median(stops).to_string());
    row("start after it, ms", table::median(clean).to_string());
    let more = format!("start after {MESSAGES_MORE} more to each topic and SIGKILL, ms");
    row(&more, table::median(killed).to_string());
    Ok(())
}

/// How many milliseconds some work took, and its result.
fn timed<T>(work: impl FnOnce() -> io::Result<T>) -> io::Result<(f64, T)> {
    let began = Instant::now();
    let done = work()?;
    Ok((began.elapsed().as_secs_f64() * 1e3, done))
}
