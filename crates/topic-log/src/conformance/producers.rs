//! Exactly-once publishing by sequence numbers.

use std::num::NonZeroUsize;

use futures::future::join_all;

use super::harness::Harness;
use super::kit::{bounds, keep, name, publish, read, sequence, texts, topic, KEEP_ALL};
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
        (7, 3, (Some(0), 3, 0)),
        (7, 3, (None, 0, 3)),
        (8, 1, (None, 0, 1)),
        (9, 3, (Some(3), 2, 1)),
        (12, 1, (Some(5), 1, 0)),
        (7, 7, (Some(6), 1, 6)),
        (10, 0, (None, 0, 0)),
    ] {
        let (first_offset, stored, duplicates) = appended;
        let expected = Appended {
            first: first_offset,
            stored,
            duplicates,
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
