//! Where a cursor starts, for each form of [`StartAt`].

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::harness::Harness;
use super::kit::{
    append, bounds, keep, name, next_text, subscribe, texts, topic, try_subscribe, KEEP_ALL,
};
use super::wait::eventually;
use crate::error::Error;
use crate::limits::StoreLimits;
use crate::offset::Epoch;
use crate::start_at::StartAt;

/// A cursor starts at the offset that its start means, and that message is the first.
pub fn every_place_that_is_kept<H: Harness>() {
    let place = H::default();
    let store = place.open(keep(10), StoreLimits::default());
    let topic = topic(&*store, "t");
    append(&topic, texts(0..15));
    assert_eq!(topic.bounds(), bounds(5, 15));
    let epoch = Some(topic.epoch());
    for (start, offset) in [
        (StartAt::Earliest, 5),
        (StartAt::Latest, 15),
        (StartAt::Offset(5, None), 5),
        (StartAt::Offset(7, epoch), 7),
        (StartAt::Offset(14, epoch), 14),
        (StartAt::Offset(15, None), 15),
        (StartAt::Last(0), 15),
        (StartAt::Last(1), 14),
        (StartAt::Last(10), 5),
        (StartAt::Last(11), 5),
        (StartAt::Last(u64::MAX), 5),
    ] {
        let mut cursor = subscribe(&topic, start);
        assert_eq!(cursor.offset(), offset, "{start:?}");
        if offset < 15 {
            assert_eq!(next_text(&mut cursor), texts(offset..offset + 1)[0]);
        }
    }
}

/// An offset before the earliest or behind the next is [`Error::OutOfRange`], which says what there
/// is.
pub fn an_offset_that_is_not_kept<H: Harness>() {
    let place = H::default();
    let store = place.open(keep(10), StoreLimits::default());
    let topic = topic(&*store, "t");
    append(&topic, texts(0..15));
    for wanted in [0, 4, 16, u64::MAX] {
        for epoch in [None, Some(topic.epoch())] {
            let start = StartAt::Offset(wanted, epoch);
            let error = Error::OutOfRange {
                topic: name("t"),
                epoch: topic.epoch(),
                wanted,
                bounds: bounds(5, 15),
            };
            assert_eq!(try_subscribe(&topic, start).err(), Some(error));
        }
    }
}

/// An offset of another epoch is [`Error::OtherEpoch`], whether the topic has this offset or not.
pub fn an_epoch_that_is_not_the_topics<H: Harness>() {
    let place = H::default();
    let store = place.open(keep(10), StoreLimits::default());
    let topic = topic(&*store, "t");
    append(&topic, texts(0..15));
    let now = topic.epoch();
    let wanted = Epoch(now.0.wrapping_add(1));
    for offset in [0, 7, 100] {
        let start = StartAt::Offset(offset, Some(wanted));
        let error = Error::OtherEpoch {
            topic: name("t"),
            wanted,
            now,
            bounds: bounds(5, 15),
        };
        assert_eq!(try_subscribe(&topic, start).err(), Some(error));
    }
}

/// A cursor at a time starts at the first message that was received then or later.
pub fn a_time<H: Harness>() {
    let place = H::default();
    let store = place.open(KEEP_ALL, StoreLimits::default());
    let topic = topic(&*store, "t");
    append(&topic, texts(0..10));
    // The clock has to go on, so that the times before and after differ.
    let later = |time: SystemTime| {
        eventually("a later time", || {
            let now = SystemTime::now();
            (now > time).then_some(now)
        })
    };
    let middle = later(later(SystemTime::now()));
    append(&topic, texts(10..15));
    let hour = Duration::from_secs(3600);
    for (time, offset) in [
        (UNIX_EPOCH, 0),
        (middle - hour, 0),
        (middle, 10),
        (middle + hour, 15),
    ] {
        let cursor = subscribe(&topic, StartAt::Since(time));
        assert_eq!(cursor.offset(), offset, "{time:?}");
    }
}

/// In an empty topic all starts are at offset 0, and the first message is delivered.
pub fn in_an_empty_topic<H: Harness>() {
    let place = H::default();
    let store = place.open(KEEP_ALL, StoreLimits::default());
    let topic = topic(&*store, "t");
    let starts = [
        StartAt::Earliest,
        StartAt::Latest,
        StartAt::Offset(0, None),
        StartAt::Last(3),
        StartAt::Since(UNIX_EPOCH),
    ];
    let mut cursors = starts.map(|start| subscribe(&topic, start));
    append(&topic, texts(0..1));
    for (cursor, start) in cursors.iter_mut().zip(starts) {
        assert_eq!(cursor.offset(), 0, "{start:?}");
        assert_eq!(next_text(cursor), texts(0..1)[0]);
    }
    assert_eq!(
        try_subscribe(&topic, StartAt::Offset(2, None)).err(),
        Some(Error::OutOfRange {
            topic: name("t"),
            epoch: topic.epoch(),
            wanted: 2,
            bounds: bounds(0, 1),
        })
    );
}
