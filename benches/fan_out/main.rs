//! Fan-out at full speed: one publisher, many subscribers, the hub beside a naive one.
//!
//!     cargo bench --bench fan_out -- --help
//!
//! Each hub runs in a process of its own, and every round measures each hub in turn. The table shows
//! medians. The subscribers cost as little as possible, because they share the machine with the hub.
#![allow(missing_docs, unreachable_pub)]
// A measurement that cannot go on says why and fails.
#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod naive;
mod subscriber;

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::num::{NonZeroU64, NonZeroUsize};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, thread};

use clap::{Parser, ValueEnum};
use futures::{channel::oneshot, stream};
use greeter_stream::generated::greeter::{StreamReqData, StreamResData};
use greeter_stream::protocol::PUT_STREAM;
use greeter_stream::server::{self, Config};
use grpcio::{CallOption, ChannelBuilder, MetadataBuilder};
use grpcio_streams::{client, Queues, Status};
use testkit::median::Median;
use testkit::numbered::DIGITS;
use testkit::usage::Usage;

/// The name of the topic.
const TOPIC: &str = "fan-out";

/// Measures fan-out at full speed: one publisher, many subscribers of one topic.
#[derive(Parser)]
struct Args {
    /// Subscribers, spread over the connections
    #[arg(long, default_value = "1000")]
    subscribers: NonZeroUsize,
    /// Connections
    #[arg(long, default_value = "10")]
    connections: NonZeroUsize,
    /// Messages that are published, of 16 bytes each
    #[arg(long, default_value = "2000")]
    messages: NonZeroU64,
    /// Rounds of each hub
    #[arg(long, default_value = "3")]
    rounds: NonZeroUsize,
    /// Only this hub
    #[arg(long)]
    only: Option<Hub>,
    /// Be the server of a round
    #[arg(long, hide = true)]
    serve: Option<Hub>,
    /// What cargo adds
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum Hub {
    /// greeter-stream
    Ours,
    /// `send_all` for each subscriber, woken by the publisher
    Naive,
}

fn main() {
    let args = Args::parse();
    if let Some(hub) = args.serve {
        return serve(hub);
    }
    println!(
        "{} messages to {} subscribers on {} connections, medians of {} rounds",
        args.messages, args.subscribers, args.connections, args.rounds
    );
    let hubs = match args.only {
        Some(hub) => vec![hub],
        None => vec![Hub::Naive, Hub::Ours],
    };
    let mut rounds: Vec<_> = hubs.iter().map(|_| Vec::new()).collect();
    for _ in 0..args.rounds.get() {
        for (hub, rounds) in hubs.iter().zip(&mut rounds) {
            rounds.push(round(*hub, &args));
        }
    }
    println!("hub     delivered/s   server CPU us/message   server peak MiB");
    let mut rates = Vec::new();
    for (hub, rounds) in hubs.iter().zip(&rounds) {
        let rate = median(rounds.iter().map(|round| round.rate));
        let cpu = median(rounds.iter().map(|round| round.cpu));
        let memory = median(rounds.iter().map(|round| round.memory));
        let hub = format!("{hub:?}").to_lowercase();
        println!("{hub:7} {rate:11.0} {cpu:23.2} {memory:17.1}");
        rates.push(rate);
    }
    if let [naive, ours] = rates[..] {
        println!("ours / naive: {:.1}", ours / naive);
    }
}

/// What one round measured.
struct Round {
    /// Messages delivered a second, to all subscribers together.
    rate: f64,
    /// Processor time of the server for each of them, in microseconds.
    cpu: f64,
    /// The most memory that the server held, in MiB.
    memory: f64,
}

fn round(hub: Hub, args: &Args) -> Round {
    let (subscribers, connections) = (args.subscribers.get(), args.connections.get());
    let messages = args.messages.get();
    let server = Served::start(hub);
    // Every subscriber sees message 0 before the others are published.
    publish(server.address, 0..1);
    let started = subscriber::Started::new(subscribers);
    let readers: Vec<_> = (0..connections)
        .map(|n| {
            let calls = (n..subscribers).step_by(connections).count();
            let (address, started) = (server.address, started.clone());
            thread::spawn(move || subscriber::subscribe(address, calls, messages, &started))
        })
        .collect();
    started.wait();
    let (before, begun) = (server.usage(), Instant::now());
    publish(server.address, 1..messages);
    for reader in readers {
        let read = reader.join().expect("a subscriber panicked");
        read.expect("every subscriber sees every message in order");
    }
    let (after, took) = (server.usage(), begun.elapsed());
    let delivered = (messages - 1) as f64 * subscribers as f64;
    Round {
        rate: delivered / took.as_secs_f64(),
        cpu: (after.cpu - before.cpu).as_secs_f64() * 1e6 / delivered,
        memory: after.peak_memory as f64 / f64::from(1 << 20),
    }
}

/// Publishes messages as [`testkit::numbered::Numbered`] has them.
fn publish(address: SocketAddr, numbers: std::ops::Range<u64>) {
    let queues = Queues::start("publisher", 1);
    let channel = ChannelBuilder::new(queues.env()).connect(&address.to_string());
    let caller = grpcio::Client::new(channel);
    let messages = stream::iter(numbers.map(|n| {
        Ok::<_, Status>(StreamReqData {
            data: format!("{n:0DIGITS$}"),
            ..Default::default()
        })
    }));
    let mut metadata = MetadataBuilder::new();
    metadata.add_str("topic", TOPIC).expect("valid metadata");
    let options = CallOption::default().headers(metadata.build());
    let call = caller.clone();
    let put = async move {
        client::client_streaming::<_, StreamResData, _>(&call, PUT_STREAM, messages, options).await
    };
    client::run(&caller, put).expect("published");
    drop(caller);
    let _ = queues.stop(Duration::from_secs(5));
}

/// A server in a process of its own, which ends when its standard input does.
struct Served {
    process: Child,
    address: SocketAddr,
}

impl Served {
    fn start(hub: Hub) -> Self {
        let hub = hub.to_possible_value().expect("no hub is skipped");
        let mut process = Command::new(env::current_exe().expect("this program"))
            .args(["--serve", hub.get_name()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program starts");
        let mut line = String::new();
        let output = process.stdout.take().expect("piped");
        BufReader::new(output).read_line(&mut line).expect("a line");
        let address = line.trim().parse().expect("the server's address");
        Self { process, address }
    }

    fn usage(&self) -> Usage {
        Usage::of(self.process.id()).expect("the server runs")
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

fn serve(hub: Hub) {
    let say = |address: SocketAddr| {
        println!("{address}");
        io::stdout().flush().expect("the parent listens");
    };
    let (stop, stopped) = oneshot::channel::<()>();
    let until_the_end = move || {
        let _ = io::stdin().read_to_end(&mut Vec::new());
        drop(stop);
    };
    match hub {
        Hub::Ours => {
            let mut config = Config::default();
            config.serve.listen = vec![SocketAddr::from(([127, 0, 0, 1], 0))];
            let server = server::start(&config).expect("the server starts");
            say(server.addresses()[0]);
            thread::spawn(until_the_end);
            server.run_until(async {
                let _ = stopped.await;
            });
        }
        Hub::Naive => naive::serve(Config::default().serve.threads, say, until_the_end),
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    Median::of(values.collect()).expect("rounds").median
}
