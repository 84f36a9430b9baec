//! What closing a store does.

use std::thread;

use super::harness::Harness;
use super::kit::{
    append, next, next_text, subscribe, texts, topic, try_append, try_topic, KEEP_ALL,
};
use super::wait::soon;
use crate::error::Error;
use crate::limits::StoreLimits;
use crate::start_at::StartAt;

/// A closed store has no topics and accepts no messages. Closing it again does nothing.
pub fn a_closed_store_refuses_everything<H: Harness>() {
    let place = H::default();
    let store = place.open(KEEP_ALL, StoreLimits::default());
    let held = topic(&*store, "t");
    append(&held, texts(0..1));
    store.close();
    store.close();
    assert_eq!(try_topic(&*store, "t").err(), Some(Error::Closed));
    assert_eq!(try_topic(&*store, "new").err(), Some(Error::Closed));
    assert_eq!(try_append(&held, texts(1..2)), Err(Error::Closed));
    assert_eq!(held.bounds().next, 1);
}

/// Cursors that wait are woken and get [`Error::Closed`], each time that they are polled.
pub fn closing_ends_waiting_cursors<H: Harness>() {
    let place = H::default();
    let store = place.open(KEEP_ALL, StoreLimits::default());
    let topic = topic(&*store, "t");
    append(&topic, texts(0..1));
    let readers: Vec<_> = (0..5)
        .map(|_| {
            let mut cursor = subscribe(&topic, StartAt::Earliest);
            thread::spawn(move || {
                let first = next_text(&mut cursor);
                let ends = [0; 2].map(|_| next(&mut cursor));
                (first, ends)
            })
        })
        .collect();
    // A reader that is late is not woken, and sees the end all the same.
    store.close();
    for reader in readers {
        let (first, ends) = reader.join().expect("a reader");
        assert_eq!(first, texts(0..1)[0]);
        assert_eq!(ends, [Err(Error::Closed), Err(Error::Closed)]);
    }
}

/// Batches that were handed over before are stored and answered, and cursors get them before the
/// end.
pub fn closing_delivers_what_was_handed_over<H: Harness>() {
    let place = H::default();
    let store = place.open(KEEP_ALL, StoreLimits::default());
    let topic = topic(&*store, "t");
    let mut cursor = subscribe(&topic, StartAt::Latest);
    let handed_over: Vec<_> = (0..3)
        .map(|n| topic.append(texts(n..n + 1), None))
        .collect();
    store.close();
    for answer in handed_over {
        assert_eq!(soon("answer", answer).map(|a| a.stored), Ok(1));
    }
    for n in 0..3 {
        assert_eq!(next_text(&mut cursor), texts(n..n + 1)[0]);
    }
    assert_eq!(next(&mut cursor), Err(Error::Closed));
}
