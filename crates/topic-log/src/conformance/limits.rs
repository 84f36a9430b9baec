//! The limits of all topics together, and the topics that make room.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::harness::Harness;
use super::kit::{
    append, bounds, keep, subscribe, texts, topic, topic_limit, try_append, try_subscribe,
    try_topic, KEEP_ALL,
};
use super::wait::eventually;
use crate::error::Error;
use crate::limits::StoreLimits;
use crate::message::Message;
use crate::retention::Retention;
use crate::start_at::StartAt;
use crate::store::{Store, Topic};

fn too_many_topics(limit: u64) -> Option<Error> {
    let of = "topics";
    Some(Error::Limit { of, limit })
}

/// A topic for which other topics have to make room, which they do now and then.
fn topic_once_there_is_room(store: &dyn Store, name: &str) -> Arc<dyn Topic> {
    eventually("room for a topic", || try_topic(store, name).ok())
}

/// There are no more topics than there may be. Those that exist can still be had.
pub fn the_number_of_topics_is_limited<H: Harness>() {
    let place = H::default();
    let store = place.open(KEEP_ALL, topic_limit(2));
    let topics = ["a", "b"].map(|name| topic(&*store, name));
    assert_eq!(try_topic(&*store, "c").err(), too_many_topics(2));
    for (name, used) in ["a", "b"].into_iter().zip(&topics) {
        assert_eq!(topic(&*store, name).epoch(), used.epoch());
    }
}

/// An empty topic without a handle is dropped for a new one. When it is created again, its offsets
/// start at 0 in another epoch.
pub fn idle_topics_make_room_and_begin_another_epoch<H: Harness>() {
    let place = H::default();
    let store = place.open(keep(0), topic_limit(1));
    let first = topic(&*store, "a");
    let epoch = first.epoch();
    // It had messages, which retention has dropped.
    append(&first, texts(0..3));
    assert_eq!(first.bounds(), bounds(3, 3));
    drop(first);
    drop(topic_once_there_is_room(&*store, "b"));
    let again = topic_once_there_is_room(&*store, "a");
    assert_ne!(again.epoch(), epoch);
    assert_eq!(again.bounds(), bounds(0, 0));
    let start = StartAt::Offset(3, Some(epoch));
    let resumed = try_subscribe(&again, start);
    assert!(matches!(resumed.err(), Some(Error::OtherEpoch { wanted, .. }) if wanted == epoch));
}

/// A topic stays that keeps messages, or that somebody holds or follows.
pub fn a_topic_in_use_or_with_messages_is_not_dropped<H: Harness>() {
    let place = H::default();
    let store = place.open(KEEP_ALL, topic_limit(4));
    append(&topic(&*store, "full"), texts(0..1));
    let held = topic(&*store, "held");
    let cursor = subscribe(&topic(&*store, "followed"), StartAt::Latest);
    let followed = topic(&*store, "followed").epoch();
    drop(topic(&*store, "idle"));
    drop(topic_once_there_is_room(&*store, "new"));
    // Exactly one had to go.
    assert_eq!(topic(&*store, "full").bounds(), bounds(0, 1));
    assert_eq!(topic(&*store, "held").epoch(), held.epoch());
    assert_eq!(topic(&*store, "followed").epoch(), followed);
    drop(cursor);
    // Now there is another one.
    drop(topic_once_there_is_room(&*store, "newer"));
    assert_eq!(topic(&*store, "full").bounds(), bounds(0, 1));
}

/// A topic that was used a moment ago is not dropped, so that a client finds it again.
pub fn an_idle_topic_is_kept_for_a_while<H: Harness>() {
    let limits = StoreLimits {
        idle: Duration::from_secs(3),
        ..topic_limit(1)
    };
    let place = H::default();
    let store = place.open(keep(0), limits);
    let used = topic(&*store, "a");
    append(&used, texts(0..1));
    let epoch = used.epoch();
    let cursor = subscribe(&used, StartAt::Latest);
    drop(used);
    // The cursor uses the topic for longer than idle ones are kept. Nothing but time has to pass.
    thread::sleep(limits.idle);
    drop(cursor);
    let last_use = Instant::now();
    drop(topic_once_there_is_room(&*store, "b"));
    let kept = last_use.elapsed();
    assert!(kept >= limits.idle, "{kept:?}");
    assert_ne!(topic_once_there_is_room(&*store, "a").epoch(), epoch);
}

fn bytes_limit() -> (StoreLimits, Option<Error>) {
    let limits = StoreLimits {
        bytes: 10 * Message::retained_bytes("message 0"),
        ..StoreLimits::default()
    };
    let error = Error::Limit {
        of: "bytes in all topics",
        limit: limits.bytes,
    };
    (limits, Some(error))
}

/// All topics together keep no more bytes than there may be. A batch that does not fit is refused as
/// a whole.
pub fn the_bytes_of_all_topics_are_limited<H: Harness>() {
    let (limits, full) = bytes_limit();
    let place = H::default();
    let store = place.open(KEEP_ALL, limits);
    let [a, b] = ["a", "b"].map(|name| topic(&*store, name));
    append(&a, texts(0..8));
    assert_eq!(try_append(&b, texts(0..3)).err(), full);
    assert_eq!(b.bounds(), bounds(0, 0));
    append(&b, texts(0..2));
    assert_eq!(try_append(&a, vec!["".into()]).err(), full);
    assert_eq!(try_append(&b, vec!["".into()]).err(), full);
    assert_eq!(a.bounds(), bounds(0, 8));
}

/// The bytes of messages that retention drops can be used again, also for the batch that they are
/// dropped for.
pub fn bytes_are_given_back<H: Harness>() {
    let (limits, full) = bytes_limit();
    let retention = Retention {
        bytes: limits.bytes / 2,
        ..KEEP_ALL
    };
    let place = H::default();
    let store = place.open(retention, limits);
    let [a, b, c] = ["a", "b", "c"].map(|name| topic(&*store, name));
    append(&a, texts(0..5));
    append(&b, texts(0..5));
    for n in 5..10 {
        append(&a, texts(n..n + 1));
        append(&b, texts(n..n + 1));
    }
    assert_eq!((a.bounds(), b.bounds()), (bounds(5, 10), bounds(5, 10)));
    assert_eq!(try_append(&c, texts(0..1)).err(), full);
}
