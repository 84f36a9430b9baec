//! Files of topics that are cut, changed or deleted. A server then delivers the first messages that
//! there were, or reports an error. It never delivers anything else.

mod damage;

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use futures::{SinkExt, StreamExt};
use greeter_stream::client::{PublishError, PublishOptions, SubscribeError, SubscribeOptions};
use grpcio::RpcStatusCode;
use grpcio_streams::Status;
use testkit::environment::number;
use testkit::exclusive::whole_machine;
use testkit::folder::Folder;
use testkit::server::Server;
use testkit::texts::text_of;
use testkit::wait::{soon, PATIENCE};
use topic_log::{ProducerName, StartAt};

use self::damage::{copy, files, length, pick, Damage};
use crate::support;
use crate::support::durable::{without_panics, Durable, KEEP_ALL};
use crate::support::{client, server};

/// How many files are damaged at random, unless `GREETER_TEST_TORN` in the environment says otherwise.
const TRIALS: u64 = 30;

const TOPICS: [&str; 4] = ["a", "b/c", "large", "late"];

/// What the server did with damaged files, and how often.
#[derive(Debug, Default)]
struct Outcomes {
    /// It did not start.
    refused: u64,
    /// All messages are there.
    whole: u64,
    /// A topic ends early.
    shortened: u64,
    /// A subscription ends with an error.
    errors: u64,
    /// A publisher gets an error.
    read_only: u64,
}

/// What is published. A topic of long messages fills its files faster.
fn message(topic: &str, producer: &str, number: u64) -> String {
    let length = if topic == "large" { 20_000 } else { 50 };
    text_of(producer, number, length)
}

/// Publishes the first `count` messages of `producer`; the offset of the first.
fn publish(address: &str, topic: &str, producer: &str, count: u64) -> Result<u64, Status> {
    let options = PublishOptions {
        producer: Some(ProducerName::new(producer).expect("a name")),
        from_start: true,
        resume: false,
        ..PublishOptions::default()
    };
    let mut publisher = client(address).publish(support::topic(topic), options);
    let ended = |e| match e {
        PublishError::Ended(status) => status,
        e => panic!("{e}"),
    };
    for number in 0..count {
        soon("taken", publisher.feed(message(topic, producer, number))).map_err(ended)?;
    }
    soon("acknowledged", publisher.close()).map_err(ended)?;
    let published = publisher.receipt().expect("acknowledged");
    Ok(published.first.expect("stored"))
}

/// The messages of a topic, each with its offset.
type Log = Vec<(u64, String)>;

/// Reads a topic from `start` to its present end; its messages, and how the subscription ends.
fn read(address: &str, topic: &str, start: StartAt) -> (Log, Result<(), Status>) {
    let options = SubscribeOptions {
        start,
        follow: false,
        resume: false,
        ..SubscribeOptions::default()
    };
    let mut messages = client(address).subscribe(support::topic(topic), options);
    let mut seen = Vec::new();
    loop {
        match soon("a message", messages.next()) {
            None => return (seen, Ok(())),
            Some(Ok(message)) => seen.push((message.offset, message.data)),
            Some(Err(SubscribeError::Ended(status))) => return (seen, Err(status)),
            Some(Err(e)) => panic!("{topic}: {e}"),
        }
    }
}

/// Waits until the store has moved messages from its journal to other files.
fn until_there_are_tables(folder: &Path) {
    let begun = Instant::now();
    let is_table = |file: &PathBuf| file.parent().is_some_and(|f| f.ends_with("1/tables"));
    while !files(folder).iter().any(is_table) {
        assert!(begun.elapsed() < PATIENCE, "{:#?}", files(folder));
        thread::park_timeout(Duration::from_millis(20));
    }
}

/// Fills a folder with some MB. The server is killed twice while messages are published; what the
/// topics have in the end.
fn fill(folder: &str) -> Vec<Log> {
    let mut server = Durable::start(folder, &KEEP_ALL);
    let address = server.address.clone();
    for life in 0..2 {
        for round in 0..20 {
            let publish = |topic: &str, count| {
                let producer = format!("{life}-{round}-{topic}");
                publish(&address, topic, &producer, count).expect("stored");
            };
            publish("a", 500);
            publish("b/c", 10);
            publish("large", 50);
            if life == 1 {
                publish("late", 5);
            }
        }
        thread::scope(|scope| {
            let publish = || publish(&address, "large", &format!("{life}-cut"), 2_000);
            let cut = scope.spawn(publish);
            let options = SubscribeOptions::default();
            let mut messages = client(&address).subscribe(support::topic("large"), options);
            soon("the first of them", messages.next());
            server.kill();
            cut.join().expect("no panic").expect_err("it was killed");
        });
        server.start_again();
    }
    until_there_are_tables(Path::new(folder));
    let there = TOPICS.map(|topic| {
        let (messages, end) = read(&address, topic, StartAt::Earliest);
        assert_eq!(end, Ok(()), "{topic}");
        messages
    });
    server.kill();
    there.into()
}

/// Starts a server with a damaged folder, or says why it does not start.
fn start(folder: &str) -> Result<Server, String> {
    let args = [&["--data", folder], &KEEP_ALL[..]].concat();
    server::try_start("127.0.0.1:0", &args, "warn").map_err(|refusal| {
        let said = refusal.said.join("\n");
        assert_eq!(refusal.status.code(), Some(1), "{said}");
        assert!(
            !said.contains("panicked") && said.contains(folder),
            "{said}"
        );
        said
    })
}

/// Kills a server, which must run until then.
fn kill(mut server: Server) {
    let ended = server.process.ended();
    server.process.kill();
    let log = without_panics(server.log);
    assert_eq!(ended, None, "{log:#?}");
}

/// Tries a damaged folder whose topics had the messages `truth`.
fn trial(folder: &str, truth: &[Log], outcomes: &mut Outcomes) {
    let server = match start(folder) {
        Ok(server) => server,
        Err(said) => {
            println!("  {said}");
            outcomes.refused += 1;
            return;
        }
    };
    let (mut shortened, mut failed, mut read_only) = (false, false, false);
    let mut now = Vec::new();
    for (topic, truth) in TOPICS.iter().zip(truth) {
        let (mut seen, end) = read(&server.address, topic, StartAt::Earliest);
        let pairs = seen.iter().zip(truth);
        let right = pairs.take_while(|(seen, truth)| seen == truth).count();
        assert_eq!(
            right,
            seen.len(),
            "{topic} delivers what was not there, at offset {right}"
        );
        shortened |= seen.len() < truth.len();
        if let Err(status) = &end {
            println!("  {topic} after {right} of {}: {status}", truth.len());
            is_clear(status);
            failed = true;
        }
        let producer = format!("new-{}", topic.replace('/', "."));
        match publish(&server.address, topic, &producer, 10) {
            Ok(first) => {
                let new: Log = (0..10)
                    .map(|n| (first + n, message(topic, &producer, n)))
                    .collect();
                let tail = read(&server.address, topic, StartAt::Offset(first, None));
                assert_eq!(tail, (new.clone(), Ok(())), "{topic}");
                if end.is_ok() {
                    assert_eq!(first, seen.len() as u64, "{topic} goes on elsewhere");
                    seen.extend(new);
                }
            }
            Err(status) => {
                println!("  publishing to {topic}: {status}");
                is_clear(&status);
                read_only = true;
            }
        }
        now.push((topic, seen, end));
    }
    kill(server);
    outcomes.whole += u64::from(!(shortened || failed || read_only));
    outcomes.shortened += u64::from(shortened && !failed);
    outcomes.errors += u64::from(failed);
    outcomes.read_only += u64::from(read_only);

    // After a restart the server delivers the same.
    let server = start(folder).unwrap_or_else(|said| panic!("it started once: {said}"));
    for (topic, seen, end) in now {
        let (again, end_again) = read(&server.address, topic, StartAt::Earliest);
        assert!(
            again == seen,
            "{topic}: {} messages, then {}",
            seen.len(),
            again.len()
        );
        assert_eq!(
            end_again.is_ok(),
            end.is_ok(),
            "{topic}: {end:?}, then {end_again:?}"
        );
    }
    kill(server);
}

/// Checks that a status says what is wrong.
fn is_clear(status: &Status) {
    let codes = [RpcStatusCode::UNAVAILABLE, RpcStatusCode::DATA_LOSS];
    assert!(codes.contains(&status.code()), "{status}");
}

/// Damages a file in a copy of the folder, and tries that copy.
fn try_on_a_copy(scene: &Scene, file: &Path, damage: &Damage, outcomes: &mut Outcomes) {
    let copied = scene.folder.path("copy");
    copy(Path::new(&scene.whole), Path::new(&copied));
    let file = file.strip_prefix(&scene.whole).expect("inside");
    println!("{}: {damage}", file.display());
    damage.inflict(&Path::new(&copied).join(file));
    trial(&copied, &scene.truth, outcomes);
    fs::remove_dir_all(&copied).expect("removed");
}

/// The folder of which copies are damaged.
struct Scene {
    folder: Folder,
    /// The folder that a killed server has left.
    whole: String,
    files: Vec<PathBuf>,
    /// What its topics have.
    truth: Vec<Log>,
}

impl Scene {
    fn new() -> Self {
        let folder = Folder::new();
        let whole = folder.path("whole");
        let truth = fill(&whole);
        let files = files(Path::new(&whole));
        let bytes = files.iter().map(|file| length(file)).sum::<u64>();
        println!("{bytes} bytes in {} files", files.len());
        Self {
            folder,
            whole,
            files,
            truth,
        }
    }
}

#[test]
fn damaged_files_never_tell_anything_else_than_what_there_was() {
    let _alone = whole_machine();
    let trials = number("GREETER_TEST_TORN").unwrap_or(TRIALS);
    let seed = number("GREETER_TEST_SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("GREETER_TEST_SEED={seed}");
    let scene = Scene::new();
    let mut outcomes = Outcomes::default();
    for file in &scene.files {
        for damage in [Damage::Delete, Damage::Cut { at: 0 }] {
            try_on_a_copy(&scene, file, &damage, &mut outcomes);
        }
    }
    println!("each file gone or empty: {outcomes:?}");
    let mut outcomes = Outcomes::default();
    let mut random = Rng::with_seed(seed);
    for _ in 0..trials {
        let file = &scene.files[pick(&scene.files, &mut random)];
        let damage = Damage::random(length(file), &mut random);
        try_on_a_copy(&scene, file, &damage, &mut outcomes);
    }
    println!("{trials} trials: {outcomes:?}");
}
