//! What a store has of an earlier store in the same place: everything, or nothing.

use super::harness::Harness;
use super::kit::{
    append, bounds, keep, next, publish, read, sequence, subscribe, texts, topic, topic_limit,
    try_append, try_subscribe, try_topic, KEEP_ALL,
};
use super::wait::{eventually, soon};
use crate::error::Error;
use crate::limits::StoreLimits;
use crate::message::Message;
use crate::start_at::StartAt;

/// A store that survives reopening has the same epochs, offsets, messages and times. Any other
/// begins another epoch, so that subscribers notice.
pub fn a_store_has_what_it_had_or_begins_another_epoch<H: Harness>() {
    let place = H::default();
    let store = place.open(keep(10), StoreLimits::default());
    let before = topic(&*store, "t");
    append(&before, texts(0..15));
    let epoch = before.epoch();
    let mut cursor = subscribe(&before, StartAt::Offset(7, None));
    let message = next(&mut cursor).expect("a message");
    drop((before, cursor, store));

    let store = place.open(keep(10), StoreLimits::default());
    let after = topic(&*store, "t");
    let resumed = try_subscribe(&after, StartAt::Offset(7, Some(epoch)));
    if !H::SURVIVES_REOPENING {
        assert_ne!(after.epoch(), epoch);
        assert_eq!(after.bounds(), bounds(0, 0));
        assert!(matches!(resumed.err(), Some(Error::OtherEpoch { .. })));
        return;
    }
    assert_eq!(after.epoch(), epoch);
    assert_eq!(after.bounds(), bounds(5, 15));
    let mut cursor = resumed.expect("a cursor");
    assert_eq!(next(&mut cursor), Ok(message.clone()));
    assert_eq!(read(&after, StartAt::Earliest), texts(5..15));
    let since = subscribe(&after, StartAt::Since(message.time));
    assert!(since.offset() <= 7);
    assert_eq!(append(&after, texts(15..16)).first, Some(15));
    assert_eq!(read(&after, StartAt::Earliest), texts(6..16));
}

/// A store that survives reopening knows the sequence numbers of producers.
pub fn producers_are_remembered<H: Harness>() {
    let place = H::default();
    let store = place.open(KEEP_ALL, StoreLimits::default());
    publish(&topic(&*store, "t"), "p", 5, 3).expect("appended");
    drop(store);
    let store = place.open(KEEP_ALL, StoreLimits::default());
    let topic = topic(&*store, "t");
    let again = publish(&topic, "p", 5, 4).expect("appended");
    if H::SURVIVES_REOPENING {
        assert_eq!((again.stored, again.duplicates), (1, 3));
        let gap = publish(&topic, "p", 10, 1);
        assert!(matches!(gap, Err(Error::Gap { expected: 9, .. })));
        let before = publish(&topic, "p", 4, 1);
        assert!(matches!(before, Err(Error::Forgotten { first: 5, .. })));
        let other = topic.append(texts(0..1), Some(sequence("p", 6)));
        let reused = matches!(
            soon("append", other),
            Err(Error::Reused {
                number: 6,
                offset: 1,
                ..
            })
        );
        assert!(reused, "it knows where the messages are");
    } else {
        assert_eq!((again.stored, again.duplicates), (4, 0));
    }
}

/// What an earlier store has kept counts towards the limit of bytes.
pub fn bytes_are_counted_again<H: Harness>() {
    let limits = StoreLimits {
        bytes: 10 * Message::retained_bytes("message 0"),
        ..StoreLimits::default()
    };
    let place = H::default();
    let store = place.open(KEEP_ALL, limits);
    append(&topic(&*store, "a"), texts(0..6));
    drop(store);
    let store = place.open(KEEP_ALL, limits);
    let topic = topic(&*store, "b");
    let full = Error::Limit {
        of: "bytes in all topics",
        limit: limits.bytes,
    };
    let more = try_append(&topic, texts(0..5));
    if H::SURVIVES_REOPENING {
        assert_eq!(more, Err(full.clone()));
        append(&topic, texts(0..4));
        assert_eq!(try_append(&topic, texts(0..1)), Err(full));
    } else {
        assert_eq!(more.map(|a| a.stored), Ok(5));
    }
}

/// The epoch of a topic that was dropped is not used again, also after reopening.
pub fn a_dropped_epoch_is_not_used_again<H: Harness>() {
    let place = H::default();
    let open = || place.open(keep(0), topic_limit(1));
    let store = open();
    let first = topic(&*store, "a");
    let epoch = first.epoch();
    append(&first, texts(0..3));
    drop(first);
    eventually("the idle topic makes room", || {
        try_topic(&*store, "b").ok().map(drop)
    });
    drop(store);
    let store = open();
    let again = eventually("so does the other", || try_topic(&*store, "a").ok());
    assert_ne!(again.epoch(), epoch);
    assert_eq!(again.bounds(), bounds(0, 0));
}
