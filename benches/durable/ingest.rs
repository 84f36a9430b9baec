//! How fast publishers are, and how long a publisher waits for its own message.

use std::io;
use std::time::Duration;

use testkit::usage::Usage;

use super::publisher::{publish, Published};
use super::store::{Site, Store};
use super::subscriber::converse;
use super::{table, Args};

/// The loads: how many publishers, and whether each has a topic of its own.
const LOADS: [(usize, bool); 5] = [
    (1, false),
    (10, false),
    (10, true),
    (100, false),
    (100, true),
];

/// How many messages all publishers send together.
const MESSAGES: f64 = 1e6;

/// How long the waiting is measured.
const CONVERSATION: Duration = Duration::from_secs(2);

/// Prints the messages a second of publishers at full speed, until all receipts are there.
pub fn rates(site: &Site, args: &Args) -> io::Result<()> {
    let mut rates = vec![vec![Vec::new(); args.stores.len()]; LOADS.len()];
    let mut costs = rates.clone();
    for _ in 0..args.runs {
        for (l, load) in LOADS.iter().enumerate() {
            for (s, store) in args.stores.iter().enumerate() {
                let (published, cost) = rate(site, store, *load, args)
                    .map_err(|e| io::Error::other(format!("{}, {store}: {e}", name(*load))))?;
                rates[l][s].push(published.rate());
                costs[l][s].push(cost);
            }
        }
    }
    table::head_of_stores("ingest, messages/s", &args.stores);
    for (load, rates) in LOADS.iter().zip(rates) {
        table::row_of_stores(&name(*load), rates);
    }
    println!();
    table::head_of_stores("the server's processor time, us a message", &args.stores);
    for (load, costs) in LOADS.iter().zip(costs) {
        table::row_of_stores(&name(*load), costs);
    }
    Ok(())
}

fn name((publishers, own_topics): (usize, bool)) -> String {
    match (publishers, own_topics) {
        (1, _) => "1 publisher".to_owned(),
        (_, false) => format!("{publishers} publishers, one topic"),
        (_, true) => format!("{publishers} publishers, a topic each"),
    }
}

/// Runs one load; what the publishers did, and the server's processor time for a message in us.
fn rate(
    site: &Site,
    store: &Store,
    (publishers, own_topics): (usize, bool),
    args: &Args,
) -> io::Result<(Published, f64)> {
    let server = site.start_empty(store)?;
    let topic = |n| format!("ingest/{}", if own_topics { n } else { 0 });
    let topics: Vec<_> = (0..publishers).map(topic).collect();
    let server_process = server.process.id();
    let before = Usage::of(server_process)?;
    let each = (MESSAGES * args.scale) as u64 / publishers as u64;
    let published = publish(&server.address, &topics, each)?;
    let cpu = Usage::of(server_process)?.cpu - before.cpu;
    let cost = cpu.as_secs_f64() * 1e6 / published.messages as f64;
    Ok((published, cost))
}

/// Prints how long a publisher of AllStream waits for its own message.
pub fn latencies(site: &Site, args: &Args) -> io::Result<()> {
    const QUANTILES: [(&str, f64); 2] = [("p50", 0.5), ("p99", 0.99)];
    let mut runs = vec![vec![Vec::new(); args.stores.len()]; QUANTILES.len()];
    for _ in 0..args.runs {
        for (s, store) in args.stores.iter().enumerate() {
            let server = site.start_empty(store)?;
            let latencies = converse(&server.address, "latency", CONVERSATION)?;
            for ((_, quantile), runs) in QUANTILES.iter().zip(&mut runs) {
                runs[s].push(latencies.value_at_quantile(*quantile) as f64 / 1e3);
            }
        }
    }
    table::head_of_stores("AllStream, own message back, ms", &args.stores);
    for ((name, _), runs) in QUANTILES.iter().zip(runs) {
        table::row_of_stores(name, runs);
    }
    Ok(())
}
