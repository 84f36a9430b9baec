//! All kinds of clients at once, for a while, with faults. What each client gets is right, and nothing
//! is left of clients that have gone. `scripts/soak.sh` does this for longer.

use std::collections::HashMap;
use std::io::Write;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use futures::{future, stream, SinkExt, StreamExt, TryStreamExt};
use futures_timer::Delay;
use greeter_stream::client::{
    Client, ClientTls, Config, JoinOptions, PublishOptions, SubscribeOptions,
};
use greeter_stream::protocol::GET_STREAM;
use grpcio::RpcStatusCode;
use grpcio_streams::Status;
use testkit::certificates::Certificate;
use testkit::environment::number;
use testkit::folder::Folder;
use testkit::http2::connect;
use testkit::process::{Process, Signal};
use testkit::relay::Relay;
use testkit::server::Server;
use testkit::usage;
use testkit::wait::{pause, soon, PATIENCE};
use topic_log::StartAt;

use crate::support;
use crate::support::program::client as program;
use crate::support::{client_with, secured, server, topic};

/// How long it takes in seconds, unless `GREETER_TEST_SOAK` in the environment says otherwise.
const SECONDS: u64 = 20;

/// How much a server may have grown when all clients have left. Its topics keep up to 12 MiB.
const GROWN: Footprint = Footprint {
    memory: 64 * 1024,
    descriptors: 8,
    threads: 16,
};

/// How far a publisher runs ahead of the slowest subscriber; a topic keeps 100,000 messages.
const AHEAD: u64 = 10_000;

/// How many messages GetStream has.
const TICKS: usize = 5;
/// The flags of each server.
const FLAGS: [&str; 6] = [
    "--ticks",
    "5",
    "--tick-interval",
    "1ms",
    "--retention-bytes",
    "4194304",
];

/// What a server holds. The memory is in KiB.
#[derive(Clone, Copy, Debug)]
struct Footprint {
    memory: u64,
    descriptors: usize,
    threads: usize,
}

impl Footprint {
    fn of(server: &Server) -> Self {
        let process = server.process.id();
        Self {
            memory: server.resident(),
            descriptors: usage::descriptors(process).expect("a process"),
            threads: usage::threads(process).expect("a process"),
        }
    }

    fn is_within(&self, start: &Self) -> bool {
        self.memory <= start.memory + GROWN.memory
            && self.descriptors <= start.descriptors + GROWN.descriptors
            && self.threads <= start.threads + GROWN.threads
    }
}

/// What all clients have done together.
#[derive(Debug, Default)]
struct Done {
    calls: AtomicU64,
    messages: AtomicU64,
    cuts: AtomicU64,
    kills: AtomicU64,
    resets: AtomicU64,
    cancels: AtomicU64,
    stopped_readers: AtomicU64,
    restarts: AtomicU64,
}

impl Done {
    fn call(&self, messages: usize) {
        self.calls.fetch_add(1, Relaxed);
        self.messages.fetch_add(messages as u64, Relaxed);
    }
}

fn count(what: &AtomicU64) {
    what.fetch_add(1, Relaxed);
}

/// How clients reach a server.
struct Site {
    address: String,
    /// A relay to the server, which is cut now and then.
    relay: Relay,
    tls: Option<ClientTls>,
    /// The flags that make `greeter-client` speak TLS.
    flags: Vec<String>,
}

impl Site {
    fn plain() -> (Server, Self) {
        let server = server::start_with("127.0.0.1:0", &FLAGS, "warn");
        let site = Self {
            address: server.address.clone(),
            relay: Relay::to(&server.address),
            tls: None,
            flags: Vec::new(),
        };
        (server, site)
    }

    fn secured(folder: &Folder) -> (Server, Self) {
        let ca = Certificate::ca("ca");
        let (certificate, key) = folder.write_pair("server", &ca.sign_server("one"));
        let ca = folder.write("ca.crt", ca.pem());
        let files = ["--tls-cert", &certificate, "--tls-key", &key];
        let server = server::start_with("127.0.0.1:0", &[&FLAGS[..], &files].concat(), "warn");
        let site = Self {
            address: server.address.clone(),
            relay: Relay::to(&server.address),
            tls: Some(secured::trusting(folder)),
            flags: ["--tls", "--ca", &ca].map(str::to_owned).to_vec(),
        };
        (server, site)
    }

    fn client(&self, address: &str) -> Client {
        client_with(Config {
            servers: vec![address.to_owned()],
            wait: true,
            tls: self.tls.clone(),
            ..Config::default()
        })
    }

    fn direct(&self) -> Client {
        self.client(&self.address)
    }

    fn cut_at_times(&self) -> Client {
        self.client(&self.relay.address)
    }

    fn program(&self, args: &[&str]) -> Process {
        let flags: Vec<_> = self.flags.iter().map(String::as_str).collect();
        let mut command = program(&self.address, &[&flags[..], args].concat());
        Process::start(command.stdin(Stdio::piped()))
    }

    /// Runs all kinds of clients until `over` is set.
    fn load(&self, done: &Done, over: &AtomicBool) {
        let read = [const { AtomicU64::new(0) }; 2];
        let published = AtomicU64::new(u64::MAX);
        thread::scope(|scope| {
            scope.spawn(|| self.publish(done, over, &read, &published));
            for read in &read {
                scope.spawn(|| self.follow(done, read, &published));
            }
            for person in ["ann", "bob"] {
                scope.spawn(move || self.converse(done, over, person));
            }
            scope.spawn(|| self.call(done, over));
            scope.spawn(|| self.cancel(done, over));
            scope.spawn(|| self.kill_publishers(done, over));
            scope.spawn(|| self.stop_readers(done, over));
            if self.tls.is_none() {
                scope.spawn(|| self.reset(done, over));
            }
            while !over.load(Relaxed) {
                pause(fastrand::u64(100..1000));
                self.relay.cut();
                count(&done.cuts);
            }
        });
    }

    /// Publishes 0, 1, 2 and so on; in the end `published` says how many.
    fn publish(&self, done: &Done, over: &AtomicBool, read: &[AtomicU64], published: &AtomicU64) {
        let mut publisher = self
            .cut_at_times()
            .publish(topic("ticker"), PublishOptions::default());
        let mut next = 0;
        while !over.load(Relaxed) {
            let slowest = read.iter().map(|read| read.load(Relaxed)).min();
            if next >= slowest.unwrap_or(0) + AHEAD {
                pause(1);
                continue;
            }
            for _ in 0..100 {
                soon("taken", publisher.feed(next.to_string())).expect("not lost");
                next += 1;
            }
            soon("acknowledged", publisher.flush()).expect("not lost");
            done.call(100);
        }
        soon("acknowledged", publisher.close()).expect("not lost");
        published.store(next, Relaxed);
    }

    /// Reads them to the last. Each must come once and in order.
    fn follow(&self, done: &Done, read: &AtomicU64, published: &AtomicU64) {
        let options = SubscribeOptions {
            start: StartAt::Earliest,
            ..SubscribeOptions::default()
        };
        let mut messages = self.cut_at_times().subscribe(topic("ticker"), options);
        let mut next = 0;
        while next < published.load(Relaxed) {
            let tick = Delay::new(Duration::from_millis(100));
            let message = match soon("a tick", future::select(messages.next(), tick)) {
                future::Either::Left((message, _)) => message.expect("more").expect("not lost"),
                future::Either::Right(_) => continue,
            };
            assert_eq!((message.offset, message.data), (next, next.to_string()));
            next += 1;
            read.store(next, Relaxed);
            done.messages.fetch_add(1, Relaxed);
        }
    }

    /// Joins a conversation again and again. Its own lines must come back in their order.
    fn converse(&self, done: &Done, over: &AtomicBool, person: &str) {
        const LINES: usize = 20;
        let client = self.cut_at_times();
        while !over.load(Relaxed) {
            let joined = client.join(topic("room"), JoinOptions::default());
            // When the call that asks where to begin is cut, it is not made again.
            let Ok(conversation) = soon("joined", joined) else {
                continue;
            };
            let (mut says, hears) = conversation.split();
            let said: Vec<_> = (0..LINES).map(|n| format!("{person}: {n}")).collect();
            let talk = async {
                for line in &said {
                    says.send(line.clone()).await.expect("not lost");
                }
                says.close().await.expect("not lost");
            };
            let both = future::join(talk, hears.try_collect::<Vec<_>>());
            let (_, heard) = soon("the end of a conversation", both);
            let heard = heard.expect("not lost");
            let offsets = heard
                .windows(2)
                .all(|two| two[1].offset == two[0].offset + 1);
            assert!(offsets, "{heard:?}");
            let own = heard.iter().filter(|m| m.data.starts_with(person));
            assert_eq!(own.map(|m| m.data.clone()).collect::<Vec<_>>(), said);
            done.call(LINES + heard.len());
        }
    }

    /// Makes the calls without a topic, one after the other.
    fn call(&self, done: &Done, over: &AtomicBool) {
        let client = self.direct();
        let messages = || stream::iter(["a", "b"].map(|m| Ok::<_, Status>(m.to_owned())));
        while !over.load(Relaxed) {
            let ticks = client.get("a").expect("starts").try_collect::<Vec<_>>();
            assert_eq!(soon("ticks", ticks).expect("OK").len(), TICKS);
            done.call(TICKS);
            for _ in 0..50 {
                assert_eq!(soon("put", client.put(messages())), Ok("2".to_owned()));
                done.call(2);
            }
            let said = client.all(messages()).expect("starts");
            let said = soon("all", said.try_collect::<Vec<_>>()).expect("OK");
            assert!(said.iter().all(|said| said == "ssss"), "{said:?}");
            done.call(2 + said.len());
        }
    }

    /// Begins uploads and cancels them.
    fn cancel(&self, done: &Done, over: &AtomicBool) {
        let client = self.direct();
        while !over.load(Relaxed) {
            let some = (0..100).map(|n| Ok::<_, Status>(n.to_string()));
            let upload = client.put(stream::iter(some).chain(stream::pending()));
            let given_up = Delay::new(Duration::from_millis(fastrand::u64(1..50)));
            let ended = soon("an upload", future::select(Box::pin(upload), given_up));
            assert!(matches!(ended, future::Either::Right(_)), "it never ends");
            count(&done.cancels);
        }
    }

    /// Kills clients that publish. The first messages of each must be stored, without a gap.
    fn kill_publishers(&self, done: &Done, over: &AtomicBool) {
        let mut clients = 0;
        while !over.load(Relaxed) {
            let mut client = self.program(&["put", "--topic", "killed"]);
            let mut input = client.stdin();
            for n in 0..fastrand::u32(1..2_000) {
                writeln!(input, "{clients}:{n}").expect("it reads");
            }
            pause(fastrand::u64(1..200));
            drop(client);
            clients += 1;
            count(&done.kills);
        }
        let options = SubscribeOptions {
            start: StartAt::Earliest,
            follow: false,
            ..SubscribeOptions::default()
        };
        let messages = self.direct().subscribe(topic("killed"), options);
        let stored = soon("what is stored", messages.try_collect::<Vec<_>>());
        let mut next: HashMap<String, u32> = HashMap::new();
        let stored = stored.expect("not lost");
        for message in &stored {
            let (client, n) = message.data.split_once(':').expect("a number");
            let n: u32 = n.parse().expect("a number");
            // The topic keeps only the newest messages.
            let expected = next.insert(client.to_owned(), n + 1);
            let first = if message.offset == stored[0].offset {
                n
            } else {
                0
            };
            assert_eq!(expected.unwrap_or(first), n, "client {client}");
        }
        done.messages.fetch_add(stored.len() as u64, Relaxed);
    }

    /// Stops clients that have begun to read, so that the server waits for them, and kills them.
    fn stop_readers(&self, done: &Done, over: &AtomicBool) {
        while !over.load(Relaxed) {
            let mut client = self.program(&["get", "--topic", "ticker", "--from", "-1000"]);
            let mut lines = client.lines();
            lines.wait_for(PATIENCE, |_| true);
            client.signal(Signal::STOP);
            pause(fastrand::u64(100..1500));
            drop(client);
            count(&done.stopped_readers);
        }
    }

    /// Closes connections on which something has not been read, so that they end with a reset.
    fn reset(&self, done: &Done, over: &AtomicBool) {
        while !over.load(Relaxed) {
            let mut connection = connect(&self.address);
            connection.call(0, GET_STREAM, &[("topic", "ticker"), ("from", "-1000")]);
            connection.read().expect("a frame");
            drop(connection);
            count(&done.resets);
            pause(fastrand::u64(1..50));
        }
    }
}

/// Stops a server again and again. Each call is served, or ends with a status that says to try again.
fn restart(done: &Done, over: &AtomicBool) {
    let mut server = server::start_with("127.0.0.1:0", &FLAGS, "warn");
    let address = server.address.clone();
    let client = support::client(&address);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Relaxed) {
                let message = stream::iter([Ok::<_, Status>("a".to_owned())]);
                match soon("put", client.put(message)) {
                    Ok(answer) => assert_eq!(answer, "1"),
                    Err(status) => {
                        // The C core cancels a call that arrives while it begins to stop.
                        let again = [RpcStatusCode::UNAVAILABLE, RpcStatusCode::CANCELLED];
                        assert!(again.contains(&status.code()), "{status}");
                    }
                }
                done.call(1);
            }
        });
        while !over.load(Relaxed) {
            pause(fastrand::u64(500..3000));
            let status = server.stop(PATIENCE);
            assert_eq!(status.code(), Some(0), "{:?}", server.log.so_far());
            server = server::start_with(&address, &FLAGS, "warn");
            count(&done.restarts);
        }
    });
}

#[test]
fn everything_at_once_is_right_and_leaves_nothing_behind() {
    let seconds = number("GREETER_TEST_SOAK").unwrap_or(SECONDS);
    let folder = Folder::new();
    let ((plain, plain_site), (secured, secured_site)) = (Site::plain(), Site::secured(&folder));
    let sites = [plain_site, secured_site];
    for site in &sites {
        let message = stream::iter([Ok::<_, Status>("a".to_owned())]);
        soon("warm", site.direct().put(message)).expect("served");
    }
    let servers = [("plaintext", plain), ("TLS", secured)];
    let start = servers.each_ref().map(|(_, server)| Footprint::of(server));

    let (done, over) = (Done::default(), AtomicBool::new(false));
    thread::scope(|scope| {
        for site in &sites {
            scope.spawn(|| site.load(&done, &over));
        }
        scope.spawn(|| restart(&done, &over));
        scope.spawn(|| {
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_secs(seconds) {
                pause(100);
            }
            over.store(true, Relaxed);
        });
    });

    println!("{seconds} s: {done:?}");
    for ((name, server), start) in servers.iter().zip(start) {
        let end = settle(server, &start);
        println!("{name}: {start:?} at the start, {end:?} at the end; the memory is in KiB");
        assert!(end.is_within(&start), "grown by more than {GROWN:?}");
    }
}

/// What the server holds once it knows that all clients have left.
fn settle(server: &Server, start: &Footprint) -> Footprint {
    let begun = Instant::now();
    loop {
        let now = Footprint::of(server);
        if now.is_within(start) || begun.elapsed() > PATIENCE {
            return now;
        }
        pause(20);
    }
}
