//! Topics against a plain model: random appends, reads, retention and producers.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use futures::executor::block_on;
use futures::task::noop_waker_ref;
use proptest::prelude::*;
use testkit::wait::{soon, PATIENCE};
use topic_log::{
    Cursor, Disk, Durability, Error, From, Limits, Memory, Message, Name, ProducerName, Retention,
    Sequence, Store, MESSAGE_OVERHEAD,
};

const MESSAGES: u64 = 8;
const BYTES: u64 = 8 * MESSAGE_OVERHEAD;
const SUBSCRIBERS: usize = 3;

#[derive(Clone, Debug)]
enum Step {
    /// Appends texts of these lengths.
    Append(Vec<usize>),
    /// The same from one of a few producers, at its next number plus this.
    Publish(u8, i64, Vec<usize>),
    /// Puts one of the cursors somewhere.
    Subscribe(usize, Start),
    /// Reads up to so many messages with one of the cursors.
    Read(usize, usize),
    /// Closes the store and opens it again, where topics survive that.
    Reopen,
}

#[derive(Clone, Debug)]
enum Start {
    Latest,
    Earliest,
    Last(u64),
    /// So far from the next offset.
    Near(i64),
    OtherEpoch,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let texts = || prop::collection::vec(0_usize..100, 0..5);
    let start = prop_oneof![
        Just(Start::Latest),
        Just(Start::Earliest),
        (0..12_u64).prop_map(Start::Last),
        (-12..3_i64).prop_map(Start::Near),
        Just(Start::OtherEpoch),
    ];
    let step = prop_oneof![
        2 => texts().prop_map(Step::Append),
        3 => (0..3_u8, -4..3_i64, texts()).prop_map(|(p, d, t)| Step::Publish(p, d, t)),
        2 => (0..SUBSCRIBERS, start).prop_map(|(c, s)| Step::Subscribe(c, s)),
        4 => (0..SUBSCRIBERS, 0..6_usize).prop_map(|(c, n)| Step::Read(c, n)),
        1 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 1..60)
}

/// What a topic is, as plainly as can be.
#[derive(Default)]
struct Model {
    /// Every message there ever was.
    all: Vec<Arc<str>>,
    earliest: usize,
    /// The first known and the next number of each producer.
    expected: HashMap<u8, (u64, u64)>,
}

impl Model {
    fn append(&mut self, batch: &[Arc<str>]) {
        self.all.extend_from_slice(batch);
        let cost = |kept: &[Arc<str>]| -> u64 {
            kept.iter().map(|m| m.len() as u64 + MESSAGE_OVERHEAD).sum()
        };
        while (self.all.len() - self.earliest) as u64 > MESSAGES
            || cost(&self.all[self.earliest..]) > BYTES
        {
            self.earliest += 1;
        }
    }
}

fn batch(model: &Model, lengths: &[usize]) -> Vec<Arc<str>> {
    // Each message is like no other.
    let text = |(n, length)| Arc::from(format!("{:04}{}", model.all.len() + n, "x".repeat(length)));
    lengths.iter().copied().enumerate().map(text).collect()
}

/// What a cursor gives, once it need not wait for the disk.
fn poll(cursor: &mut Box<dyn Cursor>) -> Poll<Result<Message, Error>> {
    let started = Instant::now();
    loop {
        let polled = Pin::new(&mut **cursor).poll_next(&mut Context::from_waker(noop_waker_ref()));
        if polled.is_ready() || !cursor.is_behind() {
            return polled;
        }
        assert!(started.elapsed() < PATIENCE, "the message does not come");
        thread::yield_now();
    }
}

const RETENTION: Retention = Retention {
    messages: MESSAGES,
    bytes: BYTES,
    age: None,
};

fn memory() -> Memory {
    Memory::new(RETENTION, Limits::default())
}

fn disk(dir: &Path) -> Disk {
    Disk::open(dir, Durability::Synced, RETENTION, Limits::default()).expect("a store")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn memory_topics_do_what_the_model_does(steps in steps()) {
        follow(steps, memory, false)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn disk_topics_do_what_the_model_does(steps in steps()) {
        let dir = tempfile::tempdir().expect("a folder");
        follow(steps, || disk(dir.path()), true)?;
    }
}

/// Takes the same steps with a store and with the model.
fn follow<S: Store>(
    steps: Vec<Step>,
    open: impl Fn() -> S,
    survives: bool,
) -> Result<(), TestCaseError> {
    let mut store = open();
    let name = Name::new("t").expect("a name");
    let mut topic = store.topic(&name).expect("a topic");
    let mut model = Model::default();
    let mut cursors: Vec<Option<Box<dyn Cursor>>> = (0..SUBSCRIBERS).map(|_| None).collect();

    for step in steps {
        match step {
            Step::Reopen if survives => {
                let epoch = topic.epoch();
                // Where each cursor was is where its subscriber goes on.
                let offsets: Vec<_> = cursors
                    .iter()
                    .map(|c| c.as_ref().map(|c| c.offset()))
                    .collect();
                drop(store);
                store = open();
                topic = store.topic(&name).expect("a topic");
                prop_assert_eq!(topic.epoch(), epoch);
                for (cursor, offset) in cursors.iter_mut().zip(offsets) {
                    let Some(offset) = offset else { continue };
                    let from = From::Offset(offset, Some(epoch));
                    *cursor = block_on(topic.clone().subscribe(from)).ok();
                    prop_assert_eq!(cursor.is_some(), offset >= model.earliest as u64);
                }
            }
            Step::Reopen => {}
            Step::Append(lengths) => {
                let batch = batch(&model, &lengths);
                let first = model.all.len() as u64;
                let appended = block_on(topic.append(batch.clone(), None)).expect("room");
                prop_assert_eq!(appended.stored, batch.len() as u64);
                prop_assert_eq!(appended.first, (!batch.is_empty()).then_some(first));
                model.append(&batch);
            }
            Step::Publish(producer, distance, lengths) => {
                let batch = batch(&model, &lengths);
                let known = model.expected.get(&producer).copied();
                let first = known
                    .map_or(5, |(_, next)| next)
                    .saturating_add_signed(distance);
                let name = ProducerName::new(&format!("p{producer}")).expect("a name");
                let sequence = Sequence {
                    producer: name,
                    first,
                };
                let appended = block_on(topic.append(batch.clone(), Some(sequence)));
                match known {
                    Some((begun, _)) if first < begun => {
                        let refused = matches!(
                            appended,
                            Err(Error::Forgotten { first: f, got, .. }) if f == begun && got == first
                        );
                        prop_assert!(refused);
                    }
                    Some((_, expected)) if first > expected => {
                        let refused = matches!(
                            appended,
                            Err(Error::Gap { expected: e, got, .. }) if e == expected && got == first
                        );
                        prop_assert!(refused);
                    }
                    _ => {
                        let repeated = known.map_or(0, |(_, expected)| expected - first);
                        let repeated = (repeated as usize).min(batch.len());
                        let appended = appended.expect("room");
                        prop_assert_eq!(appended.duplicates, repeated as u64);
                        prop_assert_eq!(appended.stored, (batch.len() - repeated) as u64);
                        let next = first + batch.len() as u64;
                        let (_, expected) = model.expected.entry(producer).or_insert((first, next));
                        *expected = next.max(*expected);
                        model.append(&batch[repeated..]);
                    }
                }
            }
            Step::Subscribe(cursor, start) => {
                let (earliest, next) = (model.earliest as u64, model.all.len() as u64);
                let (from, expected) = match start {
                    Start::Latest => (From::Latest, Some(next)),
                    Start::Earliest => (From::Earliest, Some(earliest)),
                    Start::Last(n) => (From::Last(n), Some(next.saturating_sub(n).max(earliest))),
                    Start::Near(distance) => {
                        let offset = next.saturating_add_signed(distance);
                        let there = earliest <= offset && offset <= next;
                        (
                            From::Offset(offset, Some(topic.epoch())),
                            there.then_some(offset),
                        )
                    }
                    Start::OtherEpoch => {
                        let mut epoch = topic.epoch();
                        epoch.0 -= 1;
                        (From::Offset(next, Some(epoch)), None)
                    }
                };
                match (block_on(topic.clone().subscribe(from)), expected) {
                    (Ok(subscribed), Some(expected)) => {
                        prop_assert_eq!(subscribed.offset(), expected);
                        cursors[cursor] = Some(subscribed);
                    }
                    (
                        Err(Error::OutOfRange { bounds, .. } | Error::OtherEpoch { bounds, .. }),
                        None,
                    ) => {
                        prop_assert_eq!((bounds.earliest, bounds.next), (earliest, next));
                    }
                    (got, expected) => {
                        prop_assert!(false, "{:?}, not {expected:?}", got.map(|c| c.offset()))
                    }
                }
            }
            Step::Read(cursor, count) => {
                let Some(cursor) = &mut cursors[cursor] else {
                    continue;
                };
                for _ in 0..count {
                    let offset = cursor.offset() as usize;
                    prop_assert_eq!(cursor.is_behind(), offset < model.all.len());
                    match poll(cursor) {
                        Poll::Ready(Ok(message)) => {
                            prop_assert_eq!(&message.data, &model.all[offset]);
                            prop_assert_eq!(cursor.offset() as usize, offset + 1);
                        }
                        Poll::Ready(Err(Error::OutOfRange { wanted, bounds, .. })) => {
                            prop_assert!(offset < model.earliest);
                            prop_assert_eq!(wanted as usize, offset);
                            prop_assert_eq!(bounds.earliest as usize, model.earliest);
                        }
                        Poll::Ready(Err(e)) => prop_assert!(false, "{e}"),
                        Poll::Pending => prop_assert_eq!(offset, model.all.len()),
                    }
                }
            }
        }
        let bounds = topic.bounds();
        prop_assert_eq!(bounds.earliest as usize, model.earliest);
        prop_assert_eq!(bounds.next as usize, model.all.len());
    }
    Ok(())
}

/// Idle topics are looked for once a second.
fn eventually<T>(mut make: impl FnMut() -> Result<T, Error>) -> T {
    let started = std::time::Instant::now();
    loop {
        match make() {
            Ok(made) => return made,
            Err(e) => assert!(started.elapsed() < PATIENCE, "{e}"),
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

#[test]
fn what_all_topics_keep_is_limited_and_given_back() {
    let limits = Limits {
        topics: 3,
        bytes: 10 * (MESSAGE_OVERHEAD + 10),
        producers: NonZeroUsize::MIN,
        idle: Duration::ZERO,
    };
    let store = Memory::new(Retention::default(), limits);
    let name = |n: u32| Name::new(&format!("t{n}")).expect("a name");
    let ten: Arc<str> = "0123456789".into();

    let full = store.topic(&name(0)).expect("a topic");
    block_on(full.append(vec![ten.clone(); 10], None)).expect("room");
    let limit = Error::Limit {
        of: "bytes in all topics",
        limit: limits.bytes,
    };
    let other = store.topic(&name(1)).expect("a topic");
    assert_eq!(
        block_on(other.append(vec![ten.clone()], None)),
        Err(limit.clone())
    );
    assert_eq!(block_on(full.append(vec![ten.clone()], None)), Err(limit));

    // The third is the last. An idle empty one makes room, a used or a full one does not.
    drop(store.topic(&name(2)).expect("a topic"));
    let third = eventually(|| store.topic(&name(3)));
    let of = "topics";
    assert_eq!(
        store.topic(&name(4)).err(),
        Some(Error::Limit { of, limit: 3 })
    );
    drop(other);
    let again = store.topic(&name(1)).expect("there it is");
    drop((again, third));
    drop(full);
    drop(eventually(|| store.topic(&name(4))));
    let full = store.topic(&name(0)).expect("a topic");
    assert_eq!(
        full.bounds().next,
        10,
        "a topic with messages is never idle"
    );
}

#[test]
fn an_idle_topic_is_kept_for_a_while_after_its_last_use() {
    let limits = Limits {
        topics: 1,
        idle: Duration::from_secs(3),
        ..Limits::default()
    };
    let store = Memory::new(Retention::default(), limits);
    let name = |n: u32| Name::new(&format!("t{n}")).expect("a name");
    let topic = store.topic(&name(0)).expect("a topic");
    let epoch = topic.epoch();
    let cursor = block_on(topic.subscribe(From::Latest)).expect("a cursor");
    // A use that is longer than idle topics are kept: nothing else than time has to pass.
    thread::sleep(limits.idle);
    drop(cursor);
    let last_use = Instant::now();
    drop(eventually(|| store.topic(&name(1))));
    assert!(
        last_use.elapsed() >= limits.idle,
        "{:?}",
        last_use.elapsed()
    );
    let again = eventually(|| store.topic(&name(0)));
    assert_ne!(again.epoch(), epoch);
}

#[test]
fn old_messages_expire() {
    let age = Duration::from_millis(50);
    let retention = Retention {
        age: Some(age),
        ..Retention::default()
    };
    let store = Memory::new(retention, Limits::default());
    let topic = store
        .topic(&Name::new("t").expect("a name"))
        .expect("a topic");
    block_on(topic.append(vec!["a".into(), "b".into()], None)).expect("room");
    let mut cursor = block_on(topic.clone().subscribe(From::Earliest)).expect("there");
    let started = std::time::Instant::now();
    while topic.bounds().earliest < 2 {
        assert!(started.elapsed() < PATIENCE);
        std::thread::park_timeout(age / 10);
    }
    assert!(started.elapsed() >= age / 2);
    assert!(matches!(
        poll(&mut cursor),
        Poll::Ready(Err(Error::OutOfRange { wanted: 0, .. }))
    ));
}

#[test]
fn a_waiting_subscriber_is_woken_and_one_that_left_is_not() {
    let store = Memory::new(Retention::default(), Limits::default());
    let topic = store
        .topic(&Name::new("t").expect("a name"))
        .expect("a topic");
    let mut cursors: Vec<_> = (0..100)
        .map(|_| block_on(topic.clone().subscribe(From::Latest)).expect("there"))
        .collect();
    cursors.truncate(50);
    let waiting: Vec<_> = cursors
        .into_iter()
        .map(|mut cursor| {
            std::thread::spawn(move || {
                let mut data = Vec::new();
                for _ in 0..3 {
                    let next = futures::future::poll_fn(|cx| Pin::new(&mut *cursor).poll_next(cx));
                    data.push(soon("message", next).expect("kept").data);
                }
                let next = futures::future::poll_fn(|cx| Pin::new(&mut *cursor).poll_next(cx));
                assert_eq!(soon("the end", next), Err(Error::Closed));
                data
            })
        })
        .collect();
    for data in ["a", "b", "c"] {
        block_on(topic.append(vec![data.into()], None)).expect("room");
    }
    store.close();
    for thread in waiting {
        let data = thread.join().expect("no panic");
        assert_eq!(
            data.iter().map(|d| &**d).collect::<Vec<_>>(),
            ["a", "b", "c"]
        );
    }
    assert_eq!(
        block_on(topic.append(vec!["d".into()], None)),
        Err(Error::Closed)
    );
}
