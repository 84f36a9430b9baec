//! A server that is killed again and again while clients publish and subscribe. Nothing that was
//! acknowledged is lost, nothing that a subscriber has seen is taken back, and no message is there
//! twice. `scripts/crash.sh` does this for longer.

mod publishers;
mod retention;
mod subscribers;

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use greeter_stream::client::{Client, Config};
use testkit::environment::number;
use testkit::exclusive::whole_machine;
use testkit::folder::Folder;
use testkit::ledger::Ledger;
use testkit::wait::pause;

use self::subscribers::{Ends, Seen};
use crate::support::client_with;
use crate::support::durable::{Durable, KEEP_ALL};

/// How often the server is killed, unless `GREETER_TEST_CRASHES` in the environment says otherwise.
const CRASHES: u64 = 20;

/// Longer than anything takes, also when the server is killed meanwhile.
const LONG: Duration = Duration::from_secs(90);

/// The topics. Each has publishers and subscribers of every kind.
const TOPICS: [&str; 2] = ["telemetry", "stocks/AAPL"];

/// What all publishers and subscribers share.
struct Scene {
    address: String,
    ledger: Ledger,
    counts: Arc<Counts>,
    seed: u64,
    /// Whether publishers are to end.
    over: AtomicBool,
    /// Whether a publisher or a subscriber has failed.
    failed: AtomicBool,
    ends: Ends,
}

/// How often things happened.
#[derive(Default)]
struct Counts {
    read: AtomicU64,
    resumes: AtomicU64,
    /// Messages that a receipt counts as known.
    duplicates: AtomicU64,
    /// Messages that were stored although their acknowledgement did not arrive, because of a kill.
    unheard: AtomicU64,
}

/// How often the server ended, and how.
#[derive(Default)]
struct Endings {
    kills: u64,
    /// Kills while it started.
    at_start: u64,
    /// Kills while publishers waited for an acknowledgement.
    under_way: u64,
    stops: u64,
}

fn count(what: &AtomicU64) {
    what.fetch_add(1, Relaxed);
}

impl Scene {
    fn new(address: &str, seed: u64) -> Self {
        Self {
            address: address.to_owned(),
            ledger: Ledger::default(),
            counts: Arc::default(),
            seed,
            over: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            ends: Ends::new(),
        }
    }

    fn client(&self) -> Client {
        client_with(Config {
            servers: vec![self.address.clone()],
            wait: true,
            ..Config::default()
        })
    }

    /// The random decisions of the publisher or subscriber `who`.
    fn random(&self, who: &str) -> Rng {
        let mut hasher = DefaultHasher::new();
        (self.seed, who).hash(&mut hasher);
        Rng::with_seed(hasher.finish())
    }

    fn is_over(&self) -> bool {
        self.over.load(Relaxed) || self.has_failed()
    }

    fn has_failed(&self) -> bool {
        self.failed.load(Relaxed)
    }

    /// Does the work of a publisher or subscriber. When it fails, all others stop.
    fn work<T>(&self, work: impl FnOnce(&Self) -> T) -> T {
        struct Watch<'a>(&'a AtomicBool);
        impl Drop for Watch<'_> {
            fn drop(&mut self) {
                self.0.fetch_or(thread::panicking(), Relaxed);
            }
        }
        let _watch = Watch(&self.failed);
        work(self)
    }

    /// Kills the server `crashes` times, and stops it in order now and then. Each time something has
    /// been acknowledged since the last start.
    fn end_again_and_again(&self, server: &mut Durable, crashes: u64) -> Endings {
        let mut random = self.random("the end");
        let mut endings = Endings::default();
        while endings.kills < crashes {
            let more = self.ledger.wait_for_more(self.ledger.total(), LONG);
            assert!(!self.has_failed(), "a publisher or a subscriber has failed");
            assert!(more, "nothing is acknowledged any more");
            let longest = [20, 100, 500][random.usize(0..3)];
            pause(random.u64(5..longest));
            if random.u8(0..6) == 0 {
                server.stop();
                endings.stops += 1;
            } else {
                endings.under_way += u64::from(self.ledger.waiting() > 0);
                server.kill();
                endings.kills += 1;
            }
            if endings.kills < crashes && random.u8(0..5) == 0 {
                let start = server.longest_start.as_millis() as u64;
                server.start_and_kill(Duration::from_millis(random.u64(0..start.max(2))));
                endings.kills += 1;
                endings.at_start += 1;
            }
            server.start_again();
        }
        endings
    }

    /// Reads all topics from their first message.
    fn logs(&self) -> Vec<Seen> {
        let topics = self.ledger.topics();
        let read = |topic: &String| {
            let mut log = Seen::new("the log", topic);
            subscribers::read_on(self, &mut log);
            log
        };
        topics.iter().map(read).collect()
    }
}

#[test]
fn a_server_that_is_killed_loses_nothing_and_takes_nothing_back() {
    let _alone = whole_machine();
    let crashes = number("GREETER_TEST_CRASHES").unwrap_or(CRASHES);
    let seed = number("GREETER_TEST_SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("GREETER_TEST_SEED={seed}");
    let begun = Instant::now();
    let folder = Folder::new();
    let mut server = Durable::start(&folder.path("data"), &KEEP_ALL);
    let scene = &Scene::new(&server.address, seed);

    let (endings, logs) = thread::scope(|scope| {
        let (mut publishers, mut subscribers) = (Vec::new(), Vec::new());
        for topic in TOPICS {
            let me = move |what: &str| format!("{}.{what}", topic.replace('/', "."));
            let mut work = |what: &'static str, work: fn(&Scene, &str, &str)| {
                publishers.push(scope.spawn(move || {
                    scene.work(|scene| work(scene, topic, &me(what)));
                    None
                }));
            };
            work("library.1", publishers::publish);
            work("library.2", publishers::publish);
            work("upload", publishers::upload);
            work("typed", publishers::type_lines);
            let converse =
                move || scene.work(|scene| publishers::converse(scene, topic, &me("all")));
            publishers.push(scope.spawn(move || Some(converse())));
            for follow in [subscribers::get, subscribers::poll, subscribers::subscribe] {
                subscribers.push(scope.spawn(move || scene.work(|scene| follow(scene, topic))));
            }
        }
        for person in ["ann", "bob"] {
            let talk = move || scene.work(|scene| publishers::talk(scene, "room", person));
            publishers.push(scope.spawn(move || Some(talk())));
        }

        scene.work(|scene| {
            let endings = scene.end_again_and_again(&mut server, crashes);
            let more = scene.ledger.wait_for_more(scene.ledger.total(), LONG);
            assert!(more, "nothing is acknowledged after the last start");
            scene.over.store(true, Relaxed);
            let publishers = publishers
                .into_iter()
                .filter_map(|p| p.join().expect("no panic"));
            let mut seen: Vec<_> = publishers.collect();
            let logs = scene.logs();
            let ends = logs.iter().map(|log| (log.topic.clone(), log.ids.len()));
            scene.ends.set(ends.collect()).expect("set once");
            seen.extend(subscribers.into_iter().map(|s| s.join().expect("no panic")));
            for log in &logs {
                scene.ledger.check(&log.topic, &log.ids);
            }
            for seen in &seen {
                let log = logs.iter().find(|log| log.topic == seen.topic);
                seen.check(log.expect("a log"));
            }
            (endings, logs)
        })
    });

    // Once more without publishers and subscribers.
    server.kill();
    server.start_again();
    logs.iter().for_each(|log| subscribers::export(scene, log));
    server.stop();
    server.start_again();
    for (before, after) in logs.iter().zip(scene.logs()) {
        before.check(&after);
        after.check(before);
    }

    let Endings {
        kills,
        at_start,
        under_way,
        stops,
    } = endings;
    let messages: usize = logs.iter().map(|log| log.ids.len()).sum();
    let Counts {
        read,
        resumes,
        duplicates,
        unheard,
    } = &*scene.counts;
    println!(
        "{kills} kills ({at_start} while it started, {under_way} while publishers waited), {stops} \
         orderly stops; {} messages acknowledged, {messages} stored in {} topics, {} read; {} \
         resumes; {} duplicates refused of uploads, {} of messages that were stored and not \
         acknowledged when the server was killed; longest restart {:?}; {:?} in all",
        scene.ledger.total(),
        logs.len(),
        read.load(Relaxed),
        resumes.load(Relaxed),
        duplicates.load(Relaxed),
        unheard.load(Relaxed),
        server.longest_start,
        begun.elapsed(),
    );
    assert!(under_way > 0, "no kill met a publisher");
}
