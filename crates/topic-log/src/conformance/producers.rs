//! Exactly-once publishing by sequence numbers.

use std::num::NonZeroUsize;
use std::sync::Arc;

use futures::future::join_all;

use super::harness::Harness;
use super::kit::{append, bounds, keep, name, publish, read, sequence, texts, topic, KEEP_ALL};
use super::wait::soon;
use crate::append::Appended;
use crate::error::Error;
use crate::limits::StoreLimits;
use crate::message::Message;
use crate::start_at::StartAt;

/// Messages that the topic has already are acknowledged and not stored again.
pub fn duplicates_are_not_stored_again<H: Harness>() {
    let place = H::default();
    let store = place.open(KEEP_ALL, StoreLimits::default());
    let topic = topic(&*store, "t");
    for (first, count, appended) in [
        // A new producer may begin at any number.
        (7, 3, (Some(0), 3, 0, 10)),
        (7, 3, (None, 0, 3, 10)),
        (8, 1, (None, 0, 1, 10)),
        (9, 3, (Some(3), 2, 1, 12)),
        (12, 1, (Some(5), 1, 0, 13)),
        (7, 7, (Some(6), 1, 6, 14)),
        (10, 0, (None, 0, 0, 14)),
    ] {
        let (first_offset, stored, duplicates, next) = appended;
        let expected = Appended {
            first: first_offset,
            stored,
            duplicates,
            expected: Some(next),
        };
        assert_eq!(publish(&topic, "p", first, count), Ok(expected));
    }
    assert_eq!(read(&topic, StartAt::Earliest), texts(7..14));
}

/// A batch that is sent again before the first one is answered is a duplicate as well.
pub fn a_batch_that_is_sent_again_at_once_is_a_duplicate<H: Harness>() {
    let place = H::default();
    let store = place.open(KEEP_ALL, StoreLimits::default());
    let topic = topic(&*store, "t");
    let batch = |first| topic.append(texts(first..first + 3), Some(sequence("p", first)));
    let answers = soon(
        "answers",
        join_all([batch(0), batch(0), batch(2), batch(5)]),
    );
    let answers: Vec<_> = answers
        .into_iter()
        .map(|answer| answer.map(|a| (a.stored, a.duplicates)))
        .collect();
    assert_eq!(answers, [(3, 0), (0, 3), (2, 1), (3, 0)].map(Ok));
    assert_eq!(read(&topic, StartAt::Earliest), texts(0..8));
}

/// A number that is too high is [`Error::Gap`], which says the number expected. Nothing is stored.
pub fn a_gap_is_refused<H: Harness>() {
    let place = H::default();
    let store = place.open(KEEP_ALL, StoreLimits::default());
    let topic = topic(&*store, "t");
    publish(&topic, "p", 0, 3).expect("appended");
    let gap = Error::Gap {
        topic: name("t"),
        producer: sequence("p", 0).producer,
        expected: 3,
        got: 4,
    };
    assert_eq!(publish(&topic, "p", 4, 2), Err(gap));
    assert_eq!(topic.bounds(), bounds(0, 3));
    let appended = publish(&topic, "p", 3, 1).expect("appended");
    assert_eq!(appended.first, Some(3));
}

/// A number from before the first that the topic knows is [`Error::Forgotten`]. Nothing is stored,
/// not even the part of the batch that is new.
pub fn a_number_from_before_is_refused<H: Harness>() {
    let place = H::default();
    let store = place.open(KEEP_ALL, StoreLimits::default());
    let topic = topic(&*store, "t");
    publish(&topic, "p", 10, 3).expect("appended");
    let forgotten = Error::Forgotten {
        topic: name("t"),
        producer: sequence("p", 0).producer,
        first: 10,
        got: 9,
    };
    assert_eq!(publish(&topic, "p", 9, 10), Err(forgotten));
    assert_eq!(topic.bounds(), bounds(0, 3));
}

/// A message that is not the one that the topic keeps under its number is [`Error::Reused`], which
/// says where the other one is. Nothing of its batch is stored.
pub fn another_message_under_a_number_is_refused<H: Harness>() {
    let place = H::default();
    let store = place.open(KEEP_ALL, StoreLimits::default());
    let topic = topic(&*store, "t");
    // The messages of `p` lie between others.
    publish(&topic, "p", 5, 3).expect("appended");
    append(&topic, texts(90..92));
    publish(&topic, "p", 8, 2).expect("appended");
    publish(&topic, "q", 0, 1).expect("appended");
    let again = |first: u64, texts: &[&str]| {
        let batch = texts.iter().map(|text| Arc::from(*text)).collect();
        soon("append", topic.append(batch, Some(sequence("p", first))))
    };
    for (first, sent, number, offset) in [
        (5, &["other"][..], 5, 0),
        (5, &["message 5", "message 6", ""], 7, 2),
        (7, &["message 7", "message 9"], 8, 5),
        (9, &["message 9!", "message 10"], 9, 6),
        (9, &["message 5"], 9, 6),
    ] {
        let reused = Error::Reused {
            topic: name("t"),
            producer: sequence("p", 0).producer,
            number,
            offset,
        };
        assert_eq!(again(first, sent), Err(reused), "{sent:?} from {first}");
    }
    assert_eq!(topic.bounds(), bounds(0, 8));
    let appended = again(8, &["message 8", "message 9", "new"]).expect("appended");
    assert_eq!((appended.stored, appended.duplicates), (1, 2));
}

/// Messages are compared as long as they are kept: more of them, too, than a store has in memory or
/// reads at once.
pub fn many_messages_are_compared<H: Harness>() {
    let place = H::default();
    let store = place.open(KEEP_ALL, StoreLimits::default());
    let topic = topic(&*store, "t");
    let text = |n: u64| Arc::from(format!("{n} {}", "x".repeat(1000)));
    let batches = (0..3000).collect::<Vec<u64>>();
    for batch in batches.chunks(100) {
        let texts = batch.iter().map(|n| text(*n)).collect();
        let sequence = sequence("p", batch[0]);
        soon("append", topic.append(texts, Some(sequence))).expect("appended");
    }
    let mut all: Vec<_> = batches.iter().map(|n| text(*n)).collect();
    let again = |all: &[Arc<str>]| {
        let sequence = sequence("p", 0);
        soon("append", topic.append(all.to_vec(), Some(sequence)))
    };
    let duplicates = again(&all).expect("duplicates");
    assert_eq!((duplicates.stored, duplicates.duplicates), (0, 3000));
    for wrong in [0, 1, 99, 100, 1500, 2998, 2999] {
        let right = std::mem::replace(&mut all[wrong], "wrong".into());
        let refused = again(&all);
        assert!(
            matches!(refused, Err(Error::Reused { number, .. }) if number == wrong as u64),
            "{wrong}: {refused:?}"
        );
        all[wrong] = right;
    }
}

/// A topic expects 0 of a producer that it does not know, and otherwise the number behind the last.
pub fn the_expected_number_is_known<H: Harness>() {
    let place = H::default();
    let store = place.open(KEEP_ALL, StoreLimits::default());
    let topic = topic(&*store, "t");
    let expected = || soon("expected", topic.expected(&sequence("p", 0).producer));
    assert_eq!(expected(), Ok(0));
    publish(&topic, "q", 0, 2).expect("appended");
    assert_eq!(expected(), Ok(0));
    publish(&topic, "p", 7, 3).expect("appended");
    publish(&topic, "p", 8, 1).expect("a duplicate");
    assert_eq!(expected(), Ok(10));
    store.close();
    assert_eq!(expected(), Err(Error::Closed));
}

/// The numbers of a producer in one topic mean nothing for another producer, or another topic.
pub fn producers_and_topics_are_independent<H: Harness>() {
    let place = H::default();
    let store = place.open(KEEP_ALL, StoreLimits::default());
    let [a, b] = ["a", "b"].map(|name| topic(&*store, name));
    for (topic, producer, first) in [(&a, "p", 0), (&a, "q", 0), (&b, "p", 0), (&b, "q", 50)] {
        let appended = publish(topic, producer, first, 2).expect("appended");
        assert_eq!((appended.stored, appended.duplicates), (2, 0));
    }
    assert_eq!((a.bounds().next, b.bounds().next), (4, 4));
}

/// Duplicates are recognised by their numbers, also when retention has dropped the messages.
pub fn duplicates_are_known_after_their_messages_are_dropped<H: Harness>() {
    let place = H::default();
    let store = place.open(keep(2), StoreLimits::default());
    let topic = topic(&*store, "t");
    publish(&topic, "p", 0, 10).expect("appended");
    let again = publish(&topic, "p", 0, 10).expect("duplicates");
    assert_eq!((again.stored, again.duplicates), (0, 10));
    // What is not kept cannot be compared.
    let sequence = sequence("p", 0);
    let others = soon("append", topic.append(texts(100..108), Some(sequence)));
    assert_eq!(others.map(|a| (a.stored, a.duplicates)), Ok((0, 8)));
    assert_eq!(topic.bounds(), bounds(8, 10));
}

/// Of more producers than a topic may remember it forgets the one that it has not seen for the
/// longest time. This one may begin at any number.
pub fn the_least_recently_seen_producer_is_forgotten<H: Harness>() {
    let place = H::default();
    let limits = StoreLimits {
        producers: NonZeroUsize::new(2).expect("not zero"),
        ..StoreLimits::default()
    };
    let store = place.open(KEEP_ALL, limits);
    let topic = topic(&*store, "t");
    let is_known = |producer| matches!(publish(&topic, producer, 999, 1), Err(Error::Gap { .. }));
    publish(&topic, "a", 0, 1).expect("appended");
    publish(&topic, "b", 0, 1).expect("appended");
    // A duplicate counts as seen.
    publish(&topic, "a", 0, 1).expect("a duplicate");
    publish(&topic, "c", 0, 1).expect("appended");
    assert!(is_known("a") && is_known("c"));
    let begun = publish(&topic, "b", 500, 1).expect("appended");
    assert_eq!((begun.stored, begun.duplicates), (1, 0));
    assert!(is_known("b") && is_known("c"));
}

/// A batch that is refused for another reason can be sent again with its number.
pub fn a_refused_batch_is_not_remembered<H: Harness>() {
    let place = H::default();
    let limits = StoreLimits {
        bytes: 2 * Message::retained_bytes("message 0"),
        ..StoreLimits::default()
    };
    let store = place.open(KEEP_ALL, limits);
    let topic = topic(&*store, "t");
    let refused = publish(&topic, "p", 0, 3);
    assert!(matches!(refused, Err(Error::Limit { .. })), "{refused:?}");
    assert_eq!(topic.bounds(), bounds(0, 0));
    let appended = publish(&topic, "p", 0, 2).expect("appended");
    assert_eq!((appended.stored, appended.duplicates), (2, 0));
}
