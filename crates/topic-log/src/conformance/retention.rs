//! Retention: what is kept, and what becomes of cursors at messages that are not.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::harness::Harness;
use super::kit::{
    append, bounds, keep, name, next, next_text, read, subscribe, texts, topic, KEEP_ALL,
};
use super::wait::eventually;
use crate::error::Error;
use crate::limits::StoreLimits;
use crate::message::Message;
use crate::retention::Retention;
use crate::start_at::StartAt;

/// A topic keeps no more messages than retention allows, the last ones, at their offsets.
pub fn by_count<H: Harness>() {
    let place = H::default();
    let store = place.open(keep(10), StoreLimits::default());
    let [topic, other] = ["t", "other"].map(|name| topic(&*store, name));
    append(&other, texts(0..3));
    for n in 0..25_u64 {
        append(&topic, texts(n..n + 1));
        assert_eq!(topic.bounds(), bounds((n + 1).saturating_sub(10), n + 1));
    }
    assert_eq!(read(&topic, StartAt::Earliest), texts(15..25));
    append(&topic, texts(25..60));
    assert_eq!(topic.bounds(), bounds(50, 60), "a batch that is too large");
    assert_eq!(read(&topic, StartAt::Offset(55, None)), texts(55..60));
    assert_eq!(other.bounds(), bounds(0, 3), "each topic has its own");
}

/// A topic keeps no more bytes than retention allows, counted by [`Message::retained_bytes`].
pub fn by_bytes<H: Harness>() {
    let long: Arc<str> = "x".repeat(1_000).into();
    let place = H::default();
    let retention = Retention {
        bytes: 3 * Message::retained_bytes(&long),
        ..KEEP_ALL
    };
    let store = place.open(retention, StoreLimits::default());
    let topic = topic(&*store, "t");
    append(&topic, vec![long.clone(); 3]);
    assert_eq!(
        topic.bounds(),
        bounds(0, 3),
        "exactly as many as there may be"
    );
    append(&topic, vec!["".into()]);
    assert_eq!(topic.bounds(), bounds(1, 4), "an empty text counts as well");
    append(&topic, vec![long.clone(); 2]);
    assert_eq!(topic.bounds(), bounds(3, 6));
    append(&topic, vec!["x".repeat(10_000).into()]);
    assert_eq!(
        topic.bounds(),
        bounds(7, 7),
        "more than all that may be kept"
    );
}

/// Messages are dropped once they are too old, and not before. The next offset stays.
pub fn by_age<H: Harness>() {
    let age = Duration::from_millis(500);
    let place = H::default();
    let retention = Retention {
        age: Some(age),
        ..KEEP_ALL
    };
    let store = place.open(retention, StoreLimits::default());
    let topic = topic(&*store, "t");
    let mut cursor = subscribe(&topic, StartAt::Earliest);
    let started = Instant::now();
    append(&topic, texts(0..2));
    assert_eq!(topic.bounds().next, 2);
    eventually("the messages are dropped", || {
        (topic.bounds() == bounds(2, 2)).then_some(())
    });
    assert!(started.elapsed() >= age, "{:?}", started.elapsed());
    assert!(matches!(
        next(&mut cursor),
        Err(Error::OutOfRange { wanted: 0, .. })
    ));
    assert_eq!(append(&topic, texts(2..3)).first, Some(2));
}

/// A topic that keeps nothing accepts messages, which get their offsets, and keeps none.
pub fn of_nothing<H: Harness>() {
    let place = H::default();
    let store = place.open(keep(0), StoreLimits::default());
    let topic = topic(&*store, "t");
    for n in 0..3 {
        let appended = append(&topic, texts(n..n + 1));
        assert_eq!((appended.first, appended.stored), (Some(n), 1));
        assert_eq!(topic.bounds(), bounds(n + 1, n + 1));
    }
    assert_eq!(read(&topic, StartAt::Earliest), texts(0..0));
}

/// A cursor whose next message was dropped gets [`Error::OutOfRange`] with the bounds, however often
/// it is polled, and skips nothing. One that is still within the bounds goes on.
pub fn a_cursor_that_falls_behind_is_out_of_range<H: Harness>() {
    let place = H::default();
    let store = place.open(keep(10), StoreLimits::default());
    let topic = topic(&*store, "t");
    append(&topic, texts(0..10));
    let mut slow = subscribe(&topic, StartAt::Offset(3, None));
    let mut good = subscribe(&topic, StartAt::Offset(4, None));
    append(&topic, texts(10..14));
    for _ in 0..3 {
        let error = Error::OutOfRange {
            topic: name("t"),
            epoch: topic.epoch(),
            wanted: 3,
            bounds: bounds(4, 14),
        };
        assert_eq!(next(&mut slow), Err(error));
        assert_eq!(slow.offset(), 3);
    }
    for n in 4..14 {
        assert_eq!(next_text(&mut good), texts(n..n + 1)[0]);
    }
    // A cursor that has waited at the end falls behind as well.
    append(&topic, texts(14..40));
    let error = Error::OutOfRange {
        topic: name("t"),
        epoch: topic.epoch(),
        wanted: 14,
        bounds: bounds(30, 40),
    };
    assert_eq!(next(&mut good), Err(error));
}
