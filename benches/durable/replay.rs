//! Reading a topic from its earliest message.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use std::{fs, thread};

use testkit::server::Server;
use testkit::usage::Usage;

use super::publisher::publish;
use super::store::{stop, Site, Store};
use super::subscriber::Replay;
use super::{table, Args};

const TOPIC: &str = "replay";
const MESSAGES: f64 = 1e6;
const PUBLISHERS: usize = 10;

fn messages(args: &Args) -> u64 {
    (MESSAGES * args.scale).ceil() as u64
}

/// Prints how fast one subscriber reads the whole topic after the server was restarted, so that the
/// server has nothing cached. The cache of the operating system stays. A topic in memory does not
/// survive a restart, and is read by the server that has it.
pub fn cold(site: &Site, args: &Args) -> io::Result<()> {
    let messages = messages(args);
    let mut rates = vec![Vec::new(); args.stores.len()];
    let mut memory = vec![Vec::new(); args.stores.len()];
    for _ in 0..args.runs {
        for (s, store) in args.stores.iter().enumerate() {
            let server = restarted(site, store, fill(site, store, messages)?)?;
            let process = server.process.id();
            // The peak begins anew (proc_pid_clear_refs(5)).
            fs::write(format!("/proc/{process}/clear_refs"), "5")?;
            let before = Usage::of(process)?.memory;
            let began = Instant::now();
            let mut replay = Replay::start(&server.address, TOPIC, messages)?;
            while replay.read()? < messages {}
            replay.end()?;
            rates[s].push(messages as f64 / began.elapsed().as_secs_f64());
            let grown = Usage::of(process)?.peak_memory.saturating_sub(before);
            memory[s].push(grown as f64 / f64::from(1 << 20));
        }
    }
    let title = format!("replay of {messages} messages");
    table::head_of_stores(&title, &args.stores);
    table::row_of_stores("messages/s", rates);
    table::row_without_ratios("the server's memory grew by, MiB at most", memory);
    Ok(())
}

/// Prints how fast publishers are while one subscriber reads the same topic from its earliest message,
/// again and again.
pub fn beside(site: &Site, args: &Args) -> io::Result<()> {
    let messages = messages(args);
    let topics = vec![TOPIC.to_owned(); PUBLISHERS];
    let each = messages / PUBLISHERS as u64;
    let none = || vec![Vec::new(); args.stores.len()];
    let (mut alone, mut beside, mut ratios, mut replayed) = (none(), none(), none(), none());
    for _ in 0..args.runs {
        for (s, store) in args.stores.iter().enumerate() {
            let server = restarted(site, store, fill(site, store, messages)?)?;
            let server = &server.address;
            let before = publish(server, &topics, each)?.rate();
            let stop = AtomicBool::new(false);
            let (published, replay) = thread::scope(|scope| {
                let replay = scope.spawn(|| replay(server, messages, &stop));
                let published = publish(server, &topics, each);
                stop.store(true, Ordering::Relaxed);
                (published, replay.join().expect("a subscriber panicked"))
            });
            let after = publish(server, &topics, each)?.rate();
            // The speed may also change because the topic has grown.
            let without = f64::midpoint(before, after);
            let with = published?.rate();
            alone[s].push(without);
            beside[s].push(with);
            ratios[s].push(with / without);
            replayed[s].push(replay?);
        }
    }
    table::head_of_stores(
        &format!("{PUBLISHERS} publishers beside a replay of {messages} messages"),
        &args.stores,
    );
    table::row_of_stores("publishers alone, messages/s", alone);
    table::row_of_stores("publishers beside the replay, messages/s", beside);
    table::row_of_stores("beside the replay : alone", ratios);
    table::row_of_stores("the replay, messages/s", replayed);
    Ok(())
}

/// Reads the first `messages` messages again and again until `stop` is set; how many a second.
fn replay(address: &str, messages: u64, stop: &AtomicBool) -> io::Result<f64> {
    let began = Instant::now();
    let mut read = 0;
    while !stop.load(Ordering::Relaxed) {
        let mut replay = Replay::start(address, TOPIC, messages)?;
        let mut seen = 0;
        while seen < messages && !stop.load(Ordering::Relaxed) {
            seen = replay.read()?;
        }
        read += seen;
    }
    Ok(read as f64 / began.elapsed().as_secs_f64())
}

/// Starts a server and publishes `messages` messages to the topic.
fn fill(site: &Site, store: &Store, messages: u64) -> io::Result<Server> {
    let server = site.start_empty(store)?;
    publish(&server.address, &[TOPIC.to_owned()], messages)?;
    Ok(server)
}

/// Restarts the server, unless its topics are in memory.
fn restarted(site: &Site, store: &Store, server: Server) -> io::Result<Server> {
    match store {
        Store::Memory => Ok(server),
        Store::Disk(_) => {
            stop(server)?;
            site.start(store)
        }
    }
}
