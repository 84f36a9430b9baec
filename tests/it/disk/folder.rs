//! Topics in a folder: what outlives the process, what is dropped, and what the folder is called.

use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;
use std::pin::Pin;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use futures::executor::block_on;
use futures::future::{join_all, poll_fn};
use testkit::exclusive::whole_machine;
use testkit::process::{run, text, Signal};
use testkit::server::Server;
use testkit::wait::{soon, PATIENCE};
use topic_log::{
    list, Appended, Disk, Durability, Epoch, Error, From, Limits, Name, OpenError, ProducerName,
    Retention, Sequence, Store, Topic,
};

use crate::support::program::client;
use crate::support::server::{self, SERVER};

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

fn open(dir: &Path) -> Disk {
    open_with(dir, Retention::default(), Limits::default())
}

fn open_with(dir: &Path, retention: Retention, limits: Limits) -> Disk {
    Disk::open(dir, Durability::Synced, retention, limits).expect("a store")
}

fn texts(range: std::ops::Range<u64>) -> Vec<Arc<str>> {
    range.map(|n| format!("message {n}").into()).collect()
}

fn append(topic: &Arc<dyn Topic>, batch: Vec<Arc<str>>) -> Appended {
    soon("append", topic.append(batch, None)).expect("stored")
}

fn publish(topic: &Arc<dyn Topic>, producer: &str, first: u64) -> Result<Appended, Error> {
    let producer = ProducerName::new(producer).expect("a name");
    let sequence = Sequence { producer, first };
    soon("append", topic.append(texts(0..1), Some(sequence)))
}

/// What a subscriber at `from` is told before the end.
fn read(topic: &Arc<dyn Topic>, from: From) -> Vec<Arc<str>> {
    let subscribed = topic.clone().subscribe(from);
    let mut cursor = soon("subscribe", subscribed).expect("there");
    let mut told = Vec::new();
    while cursor.is_behind() {
        let next = poll_fn(|cx| Pin::new(&mut *cursor).poll_next(cx));
        told.push(soon("message", next).expect("kept").data);
    }
    told
}

/// Allocated, as `du` counts.
fn disk_bytes(dir: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let entries = fs::read_dir(dir)
        .expect("a folder")
        .map(|e| e.expect("an entry"));
    let bytes = entries.map(|entry| match entry.metadata() {
        Ok(data) if data.is_dir() => disk_bytes(&entry.path()),
        Ok(data) => data.blocks() * 512,
        // The engine removes what it has merged.
        Err(_) => 0,
    });
    bytes.sum()
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "{what}");
        thread::park_timeout(Duration::from_millis(20));
    }
}

#[test]
fn a_reopened_topic_is_read_from_anywhere() {
    let dir = tempfile::tempdir().expect("a folder");
    let (epoch, middle);
    {
        let store = open(dir.path());
        let topic = store.topic(&name("t")).expect("a topic");
        epoch = topic.epoch();
        append(&topic, texts(0..5_000));
        // Times are of one clock: the next message has a later one.
        let received = SystemTime::now();
        eventually("the clock goes on", || SystemTime::now() > received);
        middle = SystemTime::now();
        for n in 5_000..5_100 {
            append(&topic, texts(n..n + 1));
        }
        append(&topic, texts(5_100..20_000));
    }
    let store = open(dir.path());
    let topic = store.topic(&name("t")).expect("a topic");
    assert_eq!(topic.epoch(), epoch);
    for (from, first) in [
        (From::Earliest, 0),
        (From::Offset(1, None), 1),
        (From::Offset(4_999, Some(epoch)), 4_999),
        (From::Offset(5_050, None), 5_050),
        (From::Since(SystemTime::UNIX_EPOCH), 0),
        (From::Since(middle), 5_000),
        (From::Since(SystemTime::now()), 20_000),
        (From::Last(20), 19_980),
        (From::Latest, 20_000),
    ] {
        assert_eq!(read(&topic, from), texts(first..20_000), "{from}");
    }
    // What is new is told from memory, what is old from disk, and nothing twice.
    append(&topic, texts(20_000..20_010));
    assert_eq!(read(&topic, From::Earliest), texts(0..20_010));
    assert_eq!(read(&topic, From::Since(middle)), texts(5_000..20_010));
}

#[test]
fn one_sync_serves_all_publishers_that_wait() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path());
    let topics: Vec<_> = (0..20)
        .map(|n| store.topic(&name(&format!("t{n}"))).expect("a topic"))
        .collect();
    // All are handed over before the first is waited for.
    let appends = (0..2_000).map(|n| topics[n % 20].append(texts(0..1), None));
    let appended = soon("all of them", join_all(appends));
    for (n, appended) in appended.into_iter().enumerate() {
        assert_eq!(appended.expect("stored").first, Some(n as u64 / 20));
    }
    drop(store);
    let store = open(dir.path());
    for n in 0..20 {
        let topic = store.topic(&name(&format!("t{n}"))).expect("a topic");
        assert_eq!(read(&topic, From::Earliest).len(), 100);
    }
}

#[test]
fn a_producer_that_sends_again_before_it_is_answered_is_told_of_its_repetition() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path());
    let topic = store.topic(&name("t")).expect("a topic");
    let producer = ProducerName::new("p").expect("a name");
    let batch = |first| {
        let producer = producer.clone();
        topic.append(texts(0..3), Some(Sequence { producer, first }))
    };
    let all = join_all([batch(0), batch(0), batch(2), batch(5)]);
    let told: Vec<_> = soon("answers", all).into_iter().flatten().collect();
    let told: Vec<_> = told.iter().map(|a| (a.stored, a.duplicates)).collect();
    assert_eq!(told, [(3, 0), (0, 3), (2, 1), (3, 0)]);
    assert_eq!(topic.bounds().next, 8);
}

#[test]
fn as_many_producers_as_may_be_are_remembered_after_reopening() {
    let dir = tempfile::tempdir().expect("a folder");
    let limits = |producers| Limits {
        producers: NonZeroUsize::new(producers).expect("some"),
        ..Limits::default()
    };
    let reopen = |most| open_with(dir.path(), Retention::default(), limits(most));
    let gap = |e| matches!(e, Err(Error::Gap { .. }));
    {
        let store = reopen(2);
        let topic = store.topic(&name("t")).expect("a topic");
        for producer in ["a", "b", "c", "b"] {
            let first = if producer == "b" {
                topic.bounds().next
            } else {
                0
            };
            let _ = publish(&topic, producer, first);
        }
        assert!(gap(publish(&topic, "c", 9)), "the last two are known");
    }
    {
        let store = reopen(2);
        let topic = store.topic(&name("t")).expect("a topic");
        assert!(gap(publish(&topic, "c", 9)));
        assert!(publish(&topic, "a", 7).is_ok(), "the first is forgotten");
    }
    // With fewer than before the others are forgotten, and may begin anew.
    for round in 0..2 {
        let store = reopen(1);
        let topic = store.topic(&name("t")).expect("a topic");
        assert!(publish(&topic, "c", 100 + round).is_ok());
        assert!(gap(publish(&topic, "c", 999)));
        assert!(publish(&topic, "a", 100 + round).is_ok());
    }
}

#[test]
fn a_dropped_topic_begins_another_life_that_is_remembered() {
    let dir = tempfile::tempdir().expect("a folder");
    let retention = Retention {
        messages: 0,
        ..Retention::default()
    };
    let limits = Limits {
        topics: 1,
        idle: Duration::ZERO,
        ..Limits::default()
    };
    let reopen = || open_with(dir.path(), retention, limits);
    let first: Epoch;
    {
        let store = reopen();
        let topic = store.topic(&name("a")).expect("a topic");
        first = topic.epoch();
        append(&topic, texts(0..3));
        assert_eq!(topic.bounds().next, 3);
        drop(topic);
        eventually("the idle topic makes room", || {
            store.topic(&name("b")).is_ok()
        });
    }
    let store = reopen();
    assert!(store.topic(&name("b")).is_ok());
    let mut again = None;
    eventually("and so does the other", || {
        again = store.topic(&name("a")).ok();
        again.is_some()
    });
    let again = again.expect("a topic");
    assert_ne!(again.epoch(), first);
    assert_eq!(again.bounds().next, 0);
}

#[test]
fn what_is_too_old_goes_and_so_does_its_disk_space() {
    let _alone = whole_machine();
    let dir = tempfile::tempdir().expect("a folder");
    let age = Duration::from_secs(2);
    let retention = Retention {
        messages: u64::MAX,
        bytes: u64::MAX,
        age: Some(age),
    };
    let store = open_with(dir.path(), retention, Limits::default());
    let topic = store.topic(&name("t")).expect("a topic");
    let mut state = 1_u64;
    // Nothing that compresses.
    let mut noise = || {
        let hex = (0..64).map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            format!("{state:016x}")
        });
        Arc::from(hex.collect::<String>())
    };
    for _ in 0..120 {
        append(&topic, (0..1_000).map(|_| noise()).collect());
    }
    let full = disk_bytes(dir.path());
    assert!(full > 100_000_000, "{full}");
    let started = Instant::now();
    eventually("the bounds move", || topic.bounds().earliest == 120_000);
    eventually("the space is given back", || {
        disk_bytes(dir.path()) < full / 4 + 70_000_000
    });
    assert!(started.elapsed() >= age / 2);
    append(&topic, texts(0..1));
    drop((topic, store));
    let store = open(dir.path());
    let topic = store.topic(&name("t")).expect("a topic");
    assert_eq!(topic.bounds().next, 120_001);
}

#[test]
fn less_retention_than_before_holds_for_what_is_there() {
    let dir = tempfile::tempdir().expect("a folder");
    {
        let store = open(dir.path());
        append(&store.topic(&name("t")).expect("a topic"), texts(0..9_000));
    }
    let retention = Retention {
        messages: 10,
        ..Retention::default()
    };
    let store = open_with(dir.path(), retention, Limits::default());
    let topic = store.topic(&name("t")).expect("a topic");
    eventually("the bounds move", || topic.bounds().earliest == 8_990);
    assert_eq!(read(&topic, From::Earliest), texts(8_990..9_000));
}

#[test]
fn the_bytes_in_all_topics_are_limited_and_counted_again_after_reopening() {
    let dir = tempfile::tempdir().expect("a folder");
    let limits = Limits {
        bytes: 10 * (64 + 9),
        ..Limits::default()
    };
    let reopen = || open_with(dir.path(), Retention::default(), limits);
    let full = Err(Error::Limit {
        of: "bytes in all topics",
        limit: limits.bytes,
    });
    append(&reopen().topic(&name("a")).expect("a topic"), texts(0..6));
    let store = reopen();
    let topic = store.topic(&name("b")).expect("a topic");
    assert_eq!(soon("append", topic.append(texts(0..5), None)), full);
    append(&topic, texts(0..4));
    assert_eq!(soon("append", topic.append(texts(0..1), None)), full);
}

/// What a power failure leaves of a batch whose middle has not reached the disk yet.
#[test]
fn a_torn_last_batch_is_dropped_and_nothing_before_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let torn: Arc<str> = "torn".repeat(10_000).into();
    {
        let store = open(dir.path());
        let topic = store.topic(&name("t")).expect("a topic");
        append(&topic, texts(0..100));
        append(&topic, texts(100..101));
        append(&topic, vec![torn.clone()]);
    }
    let store = dir.path().join("topics/store");
    let journal = fs::read_dir(&store)
        .expect("a folder")
        .map(|e| e.expect("an entry").path());
    let journal = journal.filter(|path| path.extension().is_some_and(|e| e == "jnl"));
    let journal = journal.max().expect("a journal");
    let mut bytes = fs::read(&journal).expect("a file");
    let torn = torn.as_bytes();
    let at = bytes.windows(torn.len()).position(|window| window == torn);
    let hole = at.expect("the batch") + 8_192;
    bytes[hole..hole + 4_096].fill(0);
    fs::write(&journal, &bytes).expect("a file");

    let store = open(dir.path());
    let topic = store.topic(&name("t")).expect("a topic");
    assert_eq!(read(&topic, From::Earliest), texts(0..101));
    assert_eq!(append(&topic, texts(101..102)).first, Some(101));
    drop((topic, store));
    // Where whole ones follow, it is not a torn one: that is damage.
    let mut again = fs::read(&journal).expect("a file");
    let early = again
        .windows(9)
        .position(|window| window == b"message 7")
        .expect("a message");
    again[early] ^= 1;
    fs::write(&journal, &again).expect("a file");
    let (retention, limits) = (Retention::default(), Limits::default());
    let damaged = Disk::open(dir.path(), Durability::Synced, retention, limits);
    let why = damaged.expect_err("an error").to_string();
    assert!(why.contains("damaged"), "{why}");
    assert!(
        fs::read(&journal).expect("a file") == again,
        "it is left as it was"
    );
}

#[test]
fn a_group_for_several_full_topics_is_taken_as_each_alone_would_be() {
    let dir = tempfile::tempdir().expect("a folder");
    let retention = Retention {
        bytes: 10 * (64 + 9),
        ..Retention::default()
    };
    let limits = Limits {
        bytes: 2 * retention.bytes,
        ..Limits::default()
    };
    let store = open_with(dir.path(), retention, limits);
    let [a, b] = ["a", "b"].map(|topic| store.topic(&name(topic)).expect("a topic"));
    append(&a, texts(0..10));
    append(&b, texts(0..10));
    let appends = (0..10).flat_map(|n| [&a, &b].map(|t| t.append(texts(n..n + 1), None)));
    let appends: Vec<_> = appends.collect();
    for appended in soon("all of them", join_all(appends)) {
        assert!(appended.is_ok(), "{appended:?}");
    }
}

#[test]
fn nothing_is_acknowledged_in_a_folder_that_is_gone() {
    let dir = tempfile::tempdir().expect("a folder");
    let (data, elsewhere) = (dir.path().join("data"), dir.path().join("elsewhere"));
    let store = open(&data);
    let topic = store.topic(&name("t")).expect("a topic");
    append(&topic, texts(0..3));
    fs::rename(&data, &elsewhere).expect("a folder");
    let refused = || soon("append", topic.append(texts(0..1), None)).err();
    eventually("it is noticed", || match refused() {
        None => false,
        Some(why) => why
            .to_string()
            .contains("has been moved, removed or replaced"),
    });
    fs::rename(&elsewhere, &data).expect("a folder");
    eventually("it is back", || refused().is_none());
    assert_eq!(read(&topic, From::Offset(0, None))[..3], texts(0..3));
}

#[test]
fn one_process_at_a_time() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path());
    let (retention, limits) = (Retention::default(), Limits::default());
    let second = Disk::open(dir.path(), Durability::Synced, retention, limits);
    assert!(matches!(second.err(), Some(OpenError::InUse(path)) if path == dir.path()));
    assert!(matches!(list(dir.path()), Err(OpenError::InUse(_))));
    drop(store);
    assert!(list(dir.path()).expect("free").is_empty());
}

#[test]
fn closing_answers_whoever_waits_and_ends_subscribers() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path());
    let topic = store.topic(&name("t")).expect("a topic");
    let mut cursor = block_on(topic.clone().subscribe(From::Latest)).expect("there");
    let handed_over = topic.append(texts(0..3), None);
    store.close();
    assert_eq!(soon("answer", handed_over).map(|a| a.stored), Ok(3));
    let mut next = || {
        soon(
            "message",
            poll_fn(|cx| Pin::new(&mut *cursor).poll_next(cx)),
        )
    };
    for n in 0..3 {
        assert_eq!(next().map(|m| m.data), Ok(texts(n..n + 1).remove(0)));
    }
    assert_eq!(next().map(|m| m.data), Err(Error::Closed));
    let late = topic.append(texts(0..1), None);
    assert_eq!(soon("answer", late), Err(Error::Closed));
    assert_eq!(store.topic(&name("u")).err(), Some(Error::Closed));
}

/// What the client prints, given `input`.
fn printed(server: &Server, args: &[&str], input: &str) -> String {
    let output = run(&mut client(&server.address, args), input.as_bytes());
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout).to_owned()
}

#[test]
fn what_is_exported_and_imported_is_the_same() {
    let dir = tempfile::tempdir().expect("a folder");
    let data = dir.path().to_str().expect("UTF-8");
    let lines = [
        "",
        "a line",
        "grüße",
        &"x".repeat(100_000),
        "",
        "\t",
        "last",
    ]
    .join("\n")
        + "\n";
    let lines = lines.repeat(50);
    let put =
        |server: &Server, topic, lines: &str| printed(server, &["put", "--topic", topic], lines);
    let export = ["get", "--from", "earliest", "--no-follow", "--topic"];
    let export = |server: &Server, topic| printed(server, &[&export[..], &[topic]].concat(), "");
    {
        let server = server::start_quiet(&["--data", data]);
        put(&server, "t", &lines);
        assert!(export(&server, "t") == lines, "the lines come back");
        server.process.signal(Signal::KILL);
    }
    let server = server::start_quiet(&["--data", data]);
    let exported = export(&server, "t");
    assert!(exported == lines, "also from disk");
    put(&server, "copy", &exported);
    assert!(export(&server, "copy") == lines, "and again");
}

#[test]
fn the_topics_of_a_stopped_server_are_listed_and_left_alone() {
    let dir = tempfile::tempdir().expect("a folder");
    let data = dir.path().to_str().expect("UTF-8");
    let topics = |args: &[&str]| {
        let mut command = Command::new(SERVER);
        let output = command.args(["topics", "--data", data]).args(args).output();
        let output = output.expect("runs");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        )
    };
    let empty = topics(&[]);
    assert_eq!(empty.0, Some(1));
    assert!(empty.2.contains("there are no topics in"), "{}", empty.2);

    let mut server = server::start_quiet(&["--data", data, "--retention-messages", "2"]);
    printed(&server, &["put", "--topic", "b"], "1\n2\n3\n");
    printed(&server, &["put", "--topic", "a/long/name"], "one\n");
    let (code, _, errors) = topics(&[]);
    assert_eq!(code, Some(1));
    assert!(errors.contains("another process uses"), "{errors}");
    server.process.signal(Signal::KILL);
    server.process.wait(PATIENCE);

    let before = contents(dir.path());
    let (code, table, _) = topics(&[]);
    assert_eq!(code, Some(0));
    let rows: Vec<Vec<_>> = table
        .lines()
        .map(|l| l.split_whitespace().collect())
        .collect();
    assert_eq!(
        rows[0],
        ["topic", "earliest", "next", "messages", "bytes", "age"]
    );
    assert_eq!(rows[1][..5], ["a/long/name", "0", "1", "1", "67"]);
    assert_eq!(rows[2][..5], ["b", "1", "3", "2", "130"]);
    assert!(rows[1][5].ends_with('s'), "{table}");
    let (_, lines, _) = topics(&["--json"]);
    assert!(
        lines
            .lines()
            .nth(1)
            .is_some_and(|l| l.contains(r#""earliest":1"#)),
        "{lines}"
    );
    assert!(contents(dir.path()) == before, "nothing has changed");
}

/// Every file of a folder, with what is in it.
fn contents(dir: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => all.extend(contents(&path)),
            false => all.push((path.clone(), fs::read(&path).expect("a file"))),
        }
    }
    all.sort();
    all
}
