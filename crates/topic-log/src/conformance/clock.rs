//! A clock that is wrong for a while, or is set: the order of messages, their age and their times.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::harness::Harness;
use super::kit::{append, bounds, next, read, subscribe, texts, topic, KEEP_ALL};
use super::wait::eventually;
use crate::clock::Clock;
use crate::limits::StoreLimits;
use crate::retention::Retention;
use crate::start_at::StartAt;
use crate::store::{Store, Topic};

/// How long the topics of these checks keep messages.
const AGE: Duration = Duration::from_secs(10 * 60);

const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// By how much a clock is wrong.
const JUMPS: [Duration; 3] = [Duration::from_secs(5), Duration::from_secs(3 * 3600), YEAR];

/// A store whose clock can be set.
struct Place<H> {
    place: H,
    clock: Clock,
    store: Option<Box<dyn Store>>,
}

impl<H: Harness> Place<H> {
    fn new() -> Self {
        let mut new = Self {
            place: H::default(),
            clock: Clock::default(),
            store: None,
        };
        new.reopen();
        new
    }

    /// Opens the store, anew if it is open.
    fn reopen(&mut self) {
        drop(self.store.take());
        let retention = Retention {
            age: Some(AGE),
            ..KEEP_ALL
        };
        let clock = self.clock.clone();
        let limits = StoreLimits::default();
        self.store = Some(self.place.open_with_clock(clock, retention, limits));
    }

    fn topic(&self) -> Arc<dyn Topic> {
        topic(&**self.store.as_ref().expect("open"), "t")
    }

    /// Appends messages up to this offset, one by one.
    fn append_to(&self, next: u64) {
        let topic = self.topic();
        for n in topic.bounds().next..next {
            append(&topic, texts(n..n + 1));
        }
    }

    fn forward(&self, by: Duration) {
        self.clock.move_by(by, false);
    }

    fn back(&self, by: Duration) {
        self.clock.move_by(by, true);
    }

    /// The time, between two messages that are received at different times.
    fn between(&self) -> SystemTime {
        let later = |time| {
            eventually("a later time", || {
                let now = self.clock.time();
                (now > time).then_some(now)
            })
        };
        later(later(self.clock.time()))
    }

    /// The messages from `earliest` on are kept. Their times are in order and close to each other.
    fn check(&self, earliest: u64, next_offset: u64) {
        let topic = self.topic();
        assert_eq!(topic.bounds(), bounds(earliest, next_offset));
        let expected = texts(earliest..next_offset);
        assert_eq!(read(&topic, StartAt::Earliest), expected);
        let mut cursor = subscribe(&topic, StartAt::Earliest);
        let times = expected
            .iter()
            .map(|_| next(&mut cursor).expect("a message").time);
        let times: Vec<_> = times.collect();
        assert!(times.is_sorted(), "{times:?}");
        let now = self.clock.time();
        for time in times {
            assert!(time <= now, "{time:?} is after {now:?}");
            let age = now.duration_since(time).expect("an age");
            assert!(age < AGE, "{age:?}");
        }
    }

    /// A cursor at `time` starts at `offset`.
    fn check_since(&self, time: SystemTime, offset: u64) {
        let cursor = subscribe(&self.topic(), StartAt::Since(time));
        assert_eq!(cursor.offset(), offset, "{time:?}");
    }

    /// All messages are dropped once they are too old, and not before. The clock has been right for
    /// less than a minute.
    fn check_age(&self) {
        let before = self.topic().bounds();
        self.forward(AGE - Duration::from_secs(60));
        self.append_to(before.next + 1);
        assert_eq!(self.topic().bounds().earliest, before.earliest);
        self.forward(Duration::from_secs(70));
        let topic = self.topic();
        eventually("old messages are dropped", || {
            (topic.bounds() == bounds(before.next, before.next + 1)).then_some(())
        });
    }
}

/// Runs a check for each jump, without and with reopening the store after each jump.
fn each<H: Harness>(check: impl Fn(&mut Place<H>, Duration, bool)) {
    for by in JUMPS {
        check(&mut Place::new(), by, false);
        if H::SURVIVES_REOPENING {
            check(&mut Place::new(), by, true);
        }
    }
}

/// A message that was received while the clock was ahead counts as received when the clock had gone
/// back. Those after it have the right times.
pub fn a_clock_that_was_ahead<H: Harness>() {
    each(|place: &mut Place<H>, by, reopen| {
        // A store may look at the clock at once.
        let right = place.clock.time();
        place.forward(by);
        place.append_to(1);
        place.back(by);
        if reopen {
            place.reopen();
        }
        place.append_to(5);
        let middle = place.between();
        place.append_to(9);
        if reopen {
            place.reopen();
        }
        place.check(0, 9);
        place.check_since(right, 0);
        place.check_since(middle, 5);
        place.check_since(place.between(), 9);
        place.check_age();
    });
}

/// The same while no message follows. It is dropped once it is too old.
pub fn a_clock_that_was_ahead_while_nothing_follows<H: Harness>() {
    each(|place: &mut Place<H>, by, reopen| {
        place.forward(by);
        place.append_to(1);
        place.back(by);
        if reopen {
            place.reopen();
        }
        let topic = place.topic();
        assert_eq!(topic.bounds(), bounds(0, 1));
        // The store looks at the clock now and then, and counts from there on.
        eventually("the message is dropped", || {
            place.forward(2 * AGE);
            (topic.bounds() == bounds(1, 1)).then_some(())
        });
    });
}

/// What was received while the clock was behind moves with it when it is right again. Nothing is
/// dropped too early.
pub fn a_clock_that_was_behind<H: Harness>() {
    each(|place: &mut Place<H>, by, reopen| {
        let right = place.clock.time();
        place.append_to(5);
        place.back(by);
        if reopen {
            place.reopen();
        }
        place.append_to(6);
        place.forward(by);
        if reopen {
            place.reopen();
        }
        place.append_to(7);
        let middle = place.between();
        place.append_to(9);
        place.check(0, 9);
        place.check_since(right, 0);
        place.check_since(middle, 7);
        place.check_age();
    });
}

/// What was received before counts as received when the clock was set back.
pub fn a_clock_that_was_set_back_for_good<H: Harness>() {
    each(|place: &mut Place<H>, by, reopen| {
        place.append_to(5);
        // A store may look at the clock at once.
        let right = place.clock.time() - by;
        place.back(by);
        if reopen {
            place.reopen();
        }
        place.append_to(6);
        let middle = place.between();
        place.append_to(9);
        place.check(0, 9);
        place.check_since(right, 0);
        place.check_since(middle, 6);
        place.check_age();
    });
}

/// A clock that goes forward for the first time tells how much time has passed.
pub fn a_clock_that_goes_forward_tells_that_time_has_passed<H: Harness>() {
    let place = Place::<H>::new();
    place.append_to(2);
    place.forward(YEAR);
    let later = place.clock.time();
    place.append_to(4);
    let topic = place.topic();
    eventually("old messages are dropped", || {
        (topic.bounds() == bounds(2, 4)).then_some(())
    });
    place.check(2, 4);
    place.check_since(later, 2);
}

/// While the clock goes back by less than a second, times stand still, so that those who follow the
/// topic see them in order.
pub fn small_steps_back_stop_the_clock<H: Harness>() {
    let place = Place::<H>::new();
    let topic = place.topic();
    let mut cursor = subscribe(&topic, StartAt::Earliest);
    let mut times = Vec::new();
    for n in 0..6 {
        append(&topic, texts(n..n + 1));
        times.push(next(&mut cursor).expect("a message").time);
        let by = Duration::from_millis(400);
        place.clock.move_by(by, n % 2 == 0);
    }
    assert!(times.is_sorted(), "{times:?}");
    place.check(0, 6);
}
