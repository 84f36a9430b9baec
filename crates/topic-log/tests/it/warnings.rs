//! What the stores warn of in the log. The log is that of the whole process, so each test has names and
//! numbers of its own.

use std::sync::Arc;
use std::time::Duration;

use log::{LevelFilter, Log, Metadata, Record};
use parking_lot::Mutex;
use topic_log::conformance::{eventually, soon, Clock};
use topic_log::{Disk, Durability, Memory, Message, Name, Retention, Store, StoreLimits, Topic};

/// The lines that were logged.
static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Lines;

impl Log for Lines {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        LINES
            .lock()
            .push(format!("{} {}", record.level(), record.args()));
    }

    fn flush(&self) {}
}

/// The lines that contain all of these texts.
fn logged(texts: &[&str]) -> Vec<String> {
    let lines = LINES.lock();
    let found = lines
        .iter()
        .filter(|line| texts.iter().all(|text| line.contains(text)));
    found.cloned().collect()
}

/// Waits for a line that contains all of these texts. It is there once.
fn warned_once(texts: &[&str]) -> String {
    eventually(&format!("{texts:?}"), || logged(texts).pop().map(drop));
    let found = logged(texts);
    assert_eq!(found.len(), 1, "{found:#?}");
    found[0].clone()
}

/// Has both stores do the same, with a clock that can be set. The name of the store makes names of its own.
fn both(retention: Retention, limits: StoreLimits, check: impl Fn(&str, &dyn Store, &Clock)) {
    // Another test may have been first.
    let _ = log::set_logger(&Lines);
    log::set_max_level(LevelFilter::Warn);
    let clock = Clock::default();
    check(
        "memory",
        &Memory::with_clock(clock.clone(), retention, limits),
        &clock,
    );
    let dir = tempfile::tempdir().expect("a folder");
    let clock = Clock::default();
    let (at, durability) = (clock.clone(), Durability::Synced);
    let disk = Disk::open_with_clock(dir.path(), at, durability, retention, limits);
    check("disk", &disk.expect("a store"), &clock);
}

fn topic(store: &dyn Store, name: &str) -> Arc<dyn Topic> {
    let name = Name::new(name).expect("a name");
    soon("topic", store.topic(&name)).expect("a topic")
}

/// Appends messages that count for 100 bytes each. Whether there was room.
fn fill(topic: &Arc<dyn Topic>, count: usize) -> bool {
    let text: Arc<str> = "x".repeat(36).into();
    assert_eq!(Message::retained_bytes(&text), 100);
    soon("append", topic.append(vec![text; count], None)).is_ok()
}

#[test]
fn a_jump_of_the_clock_is_told_once() {
    let limits = StoreLimits::default();
    both(Retention::default(), limits, |store_name, store, clock| {
        let topics = ["a", "b", "c"].map(|name| topic(store, name));
        let publish = || topics.iter().for_each(|topic| assert!(fill(topic, 1)));
        publish();
        let days = if store_name == "memory" { 101 } else { 103 };
        let by = Duration::from_millis(days * 24 * 3_600_000 + 500);
        for (direction, back) in [("forward", false), ("back", true)] {
            let before = clock.time();
            clock.move_by(by, back);
            let after = clock.time();
            publish();
            publish();
            // The seconds of both times may be the next ones.
            let minutes = [before, after].map(|time| {
                let written = humantime::format_rfc3339_seconds(time).to_string();
                written[.."2026-01-01T00".len()].to_owned()
            });
            let text = format!("has jumped {direction} by {} s,", by.as_secs());
            let line = warned_once(&[&text, &minutes[0], &minutes[1]]);
            assert!(line.starts_with("WARN "), "{line}");
        }
        // A small step is none.
        clock.move_by(Duration::from_millis(1_500), true);
        publish();
    });
    assert_eq!(logged(&["has jumped", " by 1 s,"]), [""; 0]);
}

#[test]
fn all_topics_together_come_near_their_limit() {
    let limits = StoreLimits {
        bytes: 20_000,
        ..StoreLimits::default()
    };
    both(Retention::default(), limits, |store_name, store, _| {
        let names = ["large", "middle", "small"].map(|name| format!("{store_name}/{name}"));
        let [large, middle, small] = names.each_ref().map(|name| topic(store, name));
        assert!(fill(&small, 10) && fill(&large, 100) && fill(&middle, 49));
        assert!(fill(&small, 1), "that is 80%");
        let largest = format!(
            "{} (10000 bytes), {} (4900 bytes), {} (1100 bytes)",
            names[0], names[1], names[2]
        );
        let near = "keep 16000 bytes, and the limit of 20000 (--max-topic-bytes) is 80% used";
        let line = warned_once(&[near, &largest]);
        assert!(
            line.contains("RESOURCE_EXHAUSTED. Raise the limit"),
            "{line}"
        );
        assert!(!fill(&middle, 41));
        let reached = "the limit of 20000 (--max-topic-bytes) is reached";
        warned_once(&[reached, &largest]);
    });
}

#[test]
fn a_limit_may_be_reached_at_once() {
    let limits = StoreLimits {
        bytes: 20_001,
        ..StoreLimits::default()
    };
    both(Retention::default(), limits, |store_name, store, _| {
        let only = format!("{store_name}/only");
        let topic = topic(store, &only);
        assert!(fill(&topic, 150));
        assert!(!fill(&topic, 51));
        warned_once(&["the limit of 20001 (--max-topic-bytes) is reached", &only]);
    });
}

#[test]
fn topics_come_near_their_limit() {
    let limits = StoreLimits {
        topics: 10,
        idle: Duration::ZERO,
        ..StoreLimits::default()
    };
    both(Retention::default(), limits, |store_name, store, _| {
        let named = |n| format!("{store_name}/topics/{n}");
        let used: Vec<_> = (0..7).map(|n| topic(store, &named(n))).collect();
        assert!(fill(&used[6], 1));
        // Topics that make room.
        (7..10).for_each(|n| drop(topic(store, &named(n))));
        let eighth = topic(store, &named(7));
        let largest = format!("{} (100 bytes)", named(6));
        let near = "there are 8 topics that keep messages or are in use, and the limit of 10 \
                    (--max-topics) is 80% used";
        warned_once(&[near, &largest]);
        let all: Vec<_> = (8..10).map(|n| topic(store, &named(n))).collect();
        let more = Name::new(&named(10)).expect("a name");
        assert!(soon("topic", store.topic(&more)).is_err());
        warned_once(&["the limit of 10 (--max-topics) is reached", &largest]);
        drop((used, eighth, all));
    });
}
