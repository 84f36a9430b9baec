//! Appending: offsets, bounds and order.

use std::thread;

use futures::future::join_all;

use super::harness::Harness;
use super::kit::{append, bounds, next, read, subscribe, texts, topic, KEEP_ALL};
use super::wait::{eventually, soon};
use crate::append::Appended;
use crate::limits::StoreLimits;
use crate::start_at::StartAt;

/// The messages of all publishers get the offsets 0, 1, 2 and so on, each offset once.
pub fn offsets_have_no_gaps<H: Harness>() {
    const PUBLISHERS: u64 = 4;
    const BATCHES: u64 = 50;
    let place = H::default();
    let store = place.open(KEEP_ALL, StoreLimits::default());
    let publishers = (0..PUBLISHERS).map(|publisher| {
        let topic = topic(&*store, "t");
        thread::spawn(move || {
            let batches = (0..BATCHES).map(|batch| {
                let first = (publisher * BATCHES + batch) * 10;
                let texts = texts(first..first + 1 + batch % 3);
                let appended = append(&topic, texts.clone());
                (appended, texts)
            });
            batches.collect::<Vec<_>>()
        })
    });
    let publishers: Vec<_> = publishers.collect();
    let mut expected = Vec::new();
    for publisher in publishers {
        for (appended, texts) in publisher.join().expect("a publisher") {
            assert_eq!(
                (appended.stored, appended.duplicates),
                (texts.len() as u64, 0)
            );
            let first = appended.first.expect("an offset");
            expected.extend((first..).zip(texts));
        }
    }
    expected.sort();
    let offsets = expected.iter().map(|(offset, _)| *offset);
    assert!(offsets.eq(0..expected.len() as u64), "there are gaps");
    let expected: Vec<_> = expected.into_iter().map(|(_, text)| text).collect();
    let topic = topic(&*store, "t");
    assert_eq!(read(&topic, StartAt::Earliest), expected);
}

/// The messages of a batch follow each other, and the answer says where they are.
pub fn a_batch_gets_offsets_that_follow_each_other<H: Harness>() {
    let place = H::default();
    let store = place.open(KEEP_ALL, StoreLimits::default());
    let topic = topic(&*store, "t");
    for (first, count) in [(0, 1), (1, 100), (101, 2)] {
        let appended = Appended {
            first: Some(first),
            stored: count,
            duplicates: 0,
            expected: None,
        };
        assert_eq!(append(&topic, texts(first..first + count)), appended);
    }
    let start = StartAt::Offset(50, None);
    assert_eq!(read(&topic, start), texts(50..103));
}

/// An empty batch is answered, and changes nothing.
pub fn an_empty_batch_stores_nothing<H: Harness>() {
    let place = H::default();
    let store = place.open(KEEP_ALL, StoreLimits::default());
    let topic = topic(&*store, "t");
    let nothing = Appended {
        first: None,
        stored: 0,
        duplicates: 0,
        expected: None,
    };
    assert_eq!(append(&topic, Vec::new()), nothing);
    append(&topic, texts(0..1));
    assert_eq!(append(&topic, Vec::new()), nothing);
    assert_eq!(topic.bounds(), bounds(0, 1));
}

/// A new topic has the bounds 0 and 0. Once an append is answered, the bounds include it.
pub fn bounds_follow_what_is_appended<H: Harness>() {
    let place = H::default();
    let store = place.open(KEEP_ALL, StoreLimits::default());
    let topic = topic(&*store, "t");
    assert_eq!(topic.bounds(), bounds(0, 0));
    for n in 0..20 {
        append(&topic, texts(2 * n..2 * n + 2));
        assert_eq!(topic.bounds(), bounds(0, 2 * n + 2));
    }
}

/// The call of `append` hands the batch over. The publisher need not wait for the answer.
pub fn a_batch_is_handed_over_by_the_call<H: Harness>() {
    let place = H::default();
    let store = place.open(KEEP_ALL, StoreLimits::default());
    let topic = topic(&*store, "t");
    drop(topic.append(texts(0..3), None));
    eventually("the messages", || (topic.bounds().next == 3).then_some(()));
    assert_eq!(read(&topic, StartAt::Earliest), texts(0..3));
}

/// Batches that are handed over one after the other are stored in this order, also when the
/// publisher waits for none of them.
pub fn batches_keep_the_order_of_the_calls<H: Harness>() {
    let place = H::default();
    let store = place.open(KEEP_ALL, StoreLimits::default());
    let topic = topic(&*store, "t");
    let appends = (0..500).map(|n| topic.append(texts(n..n + 1), None));
    let answers = soon("answers", join_all(appends.collect::<Vec<_>>()));
    for (n, answer) in (0..).zip(answers) {
        assert_eq!(answer.expect("appended").first, Some(n));
    }
    assert_eq!(read(&topic, StartAt::Earliest), texts(0..500));
}

/// The times of messages do not decrease.
pub fn times_never_go_back<H: Harness>() {
    let place = H::default();
    let store = place.open(KEEP_ALL, StoreLimits::default());
    let topic = topic(&*store, "t");
    for n in 0..50 {
        append(&topic, texts(n..n + 2));
    }
    let mut cursor = subscribe(&topic, StartAt::Earliest);
    let times = (0..100).map(|_| next(&mut cursor).expect("a message").time);
    assert!(times.collect::<Vec<_>>().is_sorted());
}
