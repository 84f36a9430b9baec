//! What is special about topics in a folder: damaged files, space on disk, one process at a time, and
//! topics that are read from disk.

use std::fs;
use std::num::NonZeroUsize;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use futures::future::{join_all, poll_fn};
use topic_log::conformance::{eventually, soon};
use topic_log::{
    Appended, Disk, Durability, Error, Name, OpenError, ProducerName, Retention, Sequence, StartAt,
    Store, StoreLimits, Topic,
};

fn topic_of(store: &Disk, name: &str) -> Arc<dyn Topic> {
    let name = Name::new(name).expect("a name");
    soon("topic", store.topic(&name)).expect("a topic")
}

fn open(dir: &Path) -> Disk {
    open_with(dir, Retention::default(), StoreLimits::default())
}

fn open_with(dir: &Path, retention: Retention, limits: StoreLimits) -> Disk {
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

/// The texts from `start` to the end.
fn read(topic: &Arc<dyn Topic>, start: StartAt) -> Vec<Arc<str>> {
    let subscribed = topic.clone().subscribe(start);
    let mut cursor = soon("subscribe", subscribed).expect("a cursor");
    let mut texts = Vec::new();
    while cursor.is_behind() {
        let next = poll_fn(|cx| Pin::new(&mut *cursor).poll_next(cx));
        texts.push(soon("message", next).expect("a message").data);
    }
    texts
}

/// The bytes that are allocated for a folder, as `du` counts them.
fn disk_bytes(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir)
        .expect("a folder")
        .map(|e| e.expect("an entry"));
    let bytes = entries.map(|entry| match entry.metadata() {
        Ok(data) if data.is_dir() => disk_bytes(&entry.path()),
        Ok(data) => data.blocks() * 512,
        // The engine has removed a file that it merged.
        Err(_) => 0,
    });
    bytes.sum()
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    eventually(what, || holds().then_some(()));
}

#[test]
fn a_reopened_topic_is_read_from_anywhere() {
    let dir = tempfile::tempdir().expect("a folder");
    let (epoch, middle);
    {
        let store = open(dir.path());
        let topic = topic_of(&store, "t");
        epoch = topic.epoch();
        append(&topic, texts(0..5_000));
        // The clock has to go on, so that the next message has a later time.
        let received = SystemTime::now();
        until("the clock goes on", || SystemTime::now() > received);
        middle = SystemTime::now();
        for n in 5_000..5_100 {
            append(&topic, texts(n..n + 1));
        }
        append(&topic, texts(5_100..20_000));
    }
    let store = open(dir.path());
    let topic = topic_of(&store, "t");
    assert_eq!(topic.epoch(), epoch);
    for (from, first) in [
        (StartAt::Earliest, 0),
        (StartAt::Offset(1, None), 1),
        (StartAt::Offset(4_999, Some(epoch)), 4_999),
        (StartAt::Offset(5_050, None), 5_050),
        (StartAt::Since(SystemTime::UNIX_EPOCH), 0),
        (StartAt::Since(middle), 5_000),
        (StartAt::Since(SystemTime::now()), 20_000),
        (StartAt::Last(20), 19_980),
        (StartAt::Latest, 20_000),
    ] {
        assert_eq!(read(&topic, from), texts(first..20_000), "{from}");
    }
    // New messages come from memory and old ones from disk, and none comes twice.
    append(&topic, texts(20_000..20_010));
    assert_eq!(read(&topic, StartAt::Earliest), texts(0..20_010));
    assert_eq!(read(&topic, StartAt::Since(middle)), texts(5_000..20_010));
}

#[test]
fn one_sync_serves_all_publishers_that_wait() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path());
    let topics: Vec<_> = (0..20)
        .map(|n| topic_of(&store, &format!("t{n}")))
        .collect();
    // All batches are handed over before the first answer is waited for.
    let appends = (0..2_000).map(|n| topics[n % 20].append(texts(0..1), None));
    let appended = soon("all of them", join_all(appends));
    for (n, appended) in appended.into_iter().enumerate() {
        assert_eq!(appended.expect("stored").first, Some(n as u64 / 20));
    }
    drop(store);
    let store = open(dir.path());
    for n in 0..20 {
        let topic = topic_of(&store, &format!("t{n}"));
        assert_eq!(read(&topic, StartAt::Earliest).len(), 100);
    }
}

#[test]
fn the_limit_of_producers_holds_after_reopening() {
    let dir = tempfile::tempdir().expect("a folder");
    let limits = |producers| StoreLimits {
        producers: NonZeroUsize::new(producers).expect("some"),
        ..StoreLimits::default()
    };
    let reopen = |most| open_with(dir.path(), Retention::default(), limits(most));
    let gap = |e| matches!(e, Err(Error::Gap { .. }));
    {
        let store = reopen(2);
        let topic = topic_of(&store, "t");
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
        let topic = topic_of(&store, "t");
        assert!(gap(publish(&topic, "c", 9)));
        assert!(publish(&topic, "a", 7).is_ok(), "the first is forgotten");
    }
    // With a lower limit the others are forgotten, and may begin at any number.
    for round in 0..2 {
        let store = reopen(1);
        let topic = topic_of(&store, "t");
        assert!(publish(&topic, "c", 100 + round).is_ok());
        assert!(gap(publish(&topic, "c", 999)));
        assert!(publish(&topic, "a", 100 + round).is_ok());
    }
}

#[test]
fn old_messages_are_dropped_and_their_disk_space_is_given_back() {
    let dir = tempfile::tempdir().expect("a folder");
    let age = Duration::from_secs(2);
    let retention = Retention {
        messages: u64::MAX,
        bytes: u64::MAX,
        age: Some(age),
    };
    let store = open_with(dir.path(), retention, StoreLimits::default());
    let topic = topic_of(&store, "t");
    let mut state = 1_u64;
    // Texts that do not compress.
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
    until("the bounds move", || topic.bounds().earliest == 120_000);
    until("the space is given back", || {
        disk_bytes(dir.path()) < full / 4 + 70_000_000
    });
    assert!(started.elapsed() >= age / 2);
    append(&topic, texts(0..1));
    drop((topic, store));
    let store = open(dir.path());
    let topic = topic_of(&store, "t");
    assert_eq!(topic.bounds().next, 120_001);
}

#[test]
fn a_lower_retention_holds_for_messages_that_are_there() {
    let dir = tempfile::tempdir().expect("a folder");
    {
        let store = open(dir.path());
        append(&topic_of(&store, "t"), texts(0..9_000));
    }
    let retention = Retention {
        messages: 10,
        ..Retention::default()
    };
    let store = open_with(dir.path(), retention, StoreLimits::default());
    let topic = topic_of(&store, "t");
    until("the bounds move", || topic.bounds().earliest == 8_990);
    assert_eq!(read(&topic, StartAt::Earliest), texts(8_990..9_000));
}

/// A power failure may leave a hole in a batch whose middle has not reached the disk.
#[test]
fn a_torn_last_batch_is_dropped_and_nothing_before_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let torn: Arc<str> = "torn".repeat(10_000).into();
    {
        let store = open(dir.path());
        let topic = topic_of(&store, "t");
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
    let topic = topic_of(&store, "t");
    assert_eq!(read(&topic, StartAt::Earliest), texts(0..101));
    assert_eq!(append(&topic, texts(101..102)).first, Some(101));
    drop((topic, store));
    // A bad batch with whole ones behind it is not torn, but damaged.
    let mut again = fs::read(&journal).expect("a file");
    let early = again
        .windows(9)
        .position(|window| window == b"message 7")
        .expect("a message");
    again[early] ^= 1;
    fs::write(&journal, &again).expect("a file");
    let (retention, limits) = (Retention::default(), StoreLimits::default());
    let damaged = Disk::open(dir.path(), Durability::Synced, retention, limits);
    let why = damaged.expect_err("an error").to_string();
    assert!(why.contains("damaged"), "{why}");
    assert!(
        fs::read(&journal).expect("a file") == again,
        "it is left as it was"
    );
}

#[test]
fn a_group_accepts_the_batches_of_several_full_topics() {
    let dir = tempfile::tempdir().expect("a folder");
    let retention = Retention {
        bytes: 10 * (64 + 9),
        ..Retention::default()
    };
    let limits = StoreLimits {
        bytes: 2 * retention.bytes,
        ..StoreLimits::default()
    };
    let store = open_with(dir.path(), retention, limits);
    let [a, b] = ["a", "b"].map(|name| topic_of(&store, name));
    append(&a, texts(0..10));
    append(&b, texts(0..10));
    let appends = (0..10).flat_map(|n| [&a, &b].map(|t| t.append(texts(n..n + 1), None)));
    let appends: Vec<_> = appends.collect();
    for appended in soon("all of them", join_all(appends)) {
        assert!(appended.is_ok(), "{appended:?}");
    }
}

#[test]
fn nothing_is_acknowledged_once_the_folder_is_gone() {
    let dir = tempfile::tempdir().expect("a folder");
    let (data, elsewhere) = (dir.path().join("data"), dir.path().join("elsewhere"));
    let store = open(&data);
    let topic = topic_of(&store, "t");
    append(&topic, texts(0..3));
    fs::rename(&data, &elsewhere).expect("a folder");
    let refused = || soon("append", topic.append(texts(0..1), None)).err();
    until("it is noticed", || match refused() {
        None => false,
        Some(why) => why
            .to_string()
            .contains("has been moved, removed or replaced"),
    });
    fs::rename(&elsewhere, &data).expect("a folder");
    until("it is back", || refused().is_none());
    assert_eq!(read(&topic, StartAt::Offset(0, None))[..3], texts(0..3));
}

#[test]
fn one_process_at_a_time() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = open(dir.path());
    let (retention, limits) = (Retention::default(), StoreLimits::default());
    let second = Disk::open(dir.path(), Durability::Synced, retention, limits);
    assert!(matches!(second.err(), Some(OpenError::InUse(path)) if path == dir.path()));
    assert!(matches!(Disk::list(dir.path()), Err(OpenError::InUse(_))));
    drop(store);
    assert!(Disk::list(dir.path()).expect("free").is_empty());
}
