//! When the messages of a topic were received, although the clock of the machine is set now and then.
//!
//! A message is stored with what the clock showed. This is corrected when it is read, in two cases:
//!
//! - **The clock went back.** Nothing was received later than what came after it. So a message counts
//!   as received when the clock had gone back, if it has a later time.
//! - **Then it went forward again**, by about as much. So it was wrong meanwhile, and what was received
//!   meanwhile moves forward with the clock.
//!
//! In any other case a clock that goes forward has told how much time has passed. What is corrected
//! is in order at every moment.

use std::time::{Duration, SystemTime};

use crate::clock::Moment;
use crate::offset::{Bounds, Offset};

/// When the clock goes back by less than this, times stand still until it has caught up.
const STILL: Duration = Duration::from_secs(1);

/// The largest number of turns that a topic knows of. Where a clock goes back more often, the times
/// before them may be out of order.
const TURNS: usize = 64;

/// The times of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Times {
    /// The time of the last message, as it is stored.
    pub(crate) latest: SystemTime,
    /// In the order of the offsets.
    pub(crate) turns: Vec<Turn>,
    /// Whether there is a turn that is not on disk yet.
    pub(crate) unsaved: bool,
    /// The last moment at which the clock was looked at. None in a topic that was just opened.
    seen: Option<Moment>,
}

/// A moment at which the clock went back, or forward to where it had been. The messages from there on
/// and before the next turn were received by the same clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Turn {
    /// The offset of the first message after it.
    pub(crate) from: Offset,
    /// What the clock showed after it.
    pub(crate) time: SystemTime,
    /// By how much the clock went back. Zero once it shows what it would have shown then.
    pub(crate) behind: Duration,
    /// By how much the messages after it have moved forward.
    pub(crate) moved: Duration,
}

impl Times {
    /// The times of a topic whose last message has this time. `turns` are in the order of their
    /// offsets.
    pub(crate) fn new(latest: SystemTime, turns: Vec<Turn>) -> Self {
        Self {
            latest,
            turns,
            unsaved: false,
            seen: None,
        }
    }

    /// Notes what the clock shows, for a topic that has these bounds. To be called before what
    /// depends on the age of messages, and before messages are received.
    pub(crate) fn observe(&mut self, now: Moment, bounds: Bounds) {
        let goes_on = self.seen.is_none_or(|seen| seen.time <= now.time);
        if goes_on && self.latest <= now.time && self.turns.is_empty() {
            // As nearly always.
            self.seen = Some(now);
            return;
        }
        // What the clock would show. While the topic was not open, no time counts as passed.
        let expected = self.seen.map_or(self.latest, |seen| {
            seen.time + now.steady.duration_since(seen.steady)
        });
        self.seen = Some(now);
        match now.time.duration_since(expected.max(self.latest)) {
            Ok(forward) => self.return_by(forward, now, bounds.next),
            Err(back) if back.duration() >= STILL => {
                self.latest = self.latest.min(now.time);
                self.turn(bounds.next, now, back.duration());
            }
            Err(_) => {}
        }
        self.forget_before(bounds.earliest);
    }

    /// Notes that messages are received at `now`, which was observed before. Their time is
    /// [`latest`](Self::latest).
    pub(crate) fn receive(&mut self, now: Moment) {
        self.latest = self.latest.max(now.time);
    }

    /// When the message at `offset` was received, which is stored with `time`.
    pub(crate) fn at(&self, offset: Offset, time: SystemTime) -> SystemTime {
        let later = self.turns.partition_point(|turn| turn.from <= offset);
        let (before, later) = self.turns.split_at(later);
        let moved = before.last().map_or(Duration::ZERO, |turn| turn.moved);
        let turns = later.iter().map(|turn| turn.time + turn.moved);
        turns.fold(time + moved, SystemTime::min)
    }

    /// Forgets the turns before the messages that a topic keeps.
    fn forget_before(&mut self, earliest: Offset) {
        let passed = self.turns.partition_point(|turn| turn.from <= earliest);
        // The messages that are kept come after the last of them.
        let before = passed.saturating_sub(1);
        let means_nothing = |turn: &Turn| turn.behind.is_zero() && turn.moved.is_zero();
        if passed > 0 && means_nothing(&self.turns[before]) {
            self.turns.drain(..passed);
        } else {
            self.turns.drain(..before);
        }
    }

    /// The clock has gone on, or has jumped `forward`.
    fn return_by(&mut self, mut forward: Duration, now: Moment, next: Offset) {
        // It may have gone back several times before it returns.
        let mut behind = Duration::ZERO;
        let first = self.turns.iter().rposition(|turn| {
            behind += turn.behind;
            !turn.behind.is_zero() && is_return(forward, behind)
        });
        if let Some(first) = first {
            for turn in self.turns[first..].iter_mut().rev() {
                turn.moved += forward;
                forward = forward.saturating_sub(std::mem::take(&mut turn.behind));
            }
            self.turn(next, now, Duration::ZERO);
        }
        for turn in &mut self.turns {
            if turn.time + turn.behind <= now.time {
                turn.behind = Duration::ZERO;
            }
        }
    }

    fn turn(&mut self, from: Offset, now: Moment, behind: Duration) {
        if self.turns.len() >= TURNS {
            self.turns.remove(0);
        }
        self.unsaved = true;
        self.turns.push(Turn {
            from,
            time: now.time,
            behind,
            moved: Duration::ZERO,
        });
    }
}

/// Whether a clock that was `behind` returns to where it was as it jumps `forward`: by as much, and by
/// a quarter more at most, because it may have been off for a while before it went back.
fn is_return(forward: Duration, behind: Duration) -> bool {
    (behind..=behind + behind / 4 + STILL).contains(&(forward + STILL / 2))
}

#[cfg(test)]
mod tests {
    use std::time::{Instant, UNIX_EPOCH};

    use super::*;

    const YEAR: u64 = 365 * 24 * 3600;

    /// A topic, the clocks, and the times that its messages are stored with.
    struct Topic {
        times: Times,
        now: Moment,
        stored: Vec<SystemTime>,
    }

    impl Topic {
        fn new() -> Self {
            let time = UNIX_EPOCH + Duration::from_secs(50 * YEAR);
            let steady = Instant::now();
            Self {
                times: Times::new(UNIX_EPOCH, Vec::new()),
                now: Moment { time, steady },
                stored: Vec::new(),
            }
        }

        fn pass(&mut self, seconds: u64) {
            self.now.time += Duration::from_secs(seconds);
            self.now.steady += Duration::from_secs(seconds);
        }

        fn set_forward(&mut self, seconds: u64) {
            self.now.time += Duration::from_secs(seconds);
        }

        fn set_back(&mut self, seconds: u64) {
            self.now.time -= Duration::from_secs(seconds);
        }

        fn observe(&mut self) {
            let next = self.stored.len() as u64;
            let bounds = Bounds { earliest: 0, next };
            self.times.observe(self.now, bounds);
        }

        fn receive(&mut self) {
            self.observe();
            self.times.receive(self.now);
            self.stored.push(self.times.latest);
        }

        /// The ages of the messages in seconds, by the clock. The times are in order.
        fn ages(&self) -> Vec<u64> {
            let at: Vec<_> = (0..)
                .zip(&self.stored)
                .map(|(n, t)| self.times.at(n, *t))
                .collect();
            assert!(at.is_sorted(), "{at:?}");
            let age = |at| self.now.time.duration_since(at).expect("no time to come");
            at.into_iter().map(|at| age(at).as_secs()).collect()
        }
    }

    #[test]
    fn a_clock_that_is_not_set() {
        let mut topic = Topic::new();
        for _ in 0..3 {
            topic.receive();
            topic.pass(100);
        }
        assert_eq!(topic.ages(), [300, 200, 100]);
        assert_eq!(topic.times.turns, []);
    }

    #[test]
    fn what_a_clock_that_was_ahead_has_stamped_is_as_old_as_what_follows() {
        for by in [5, 3 * 3600, YEAR] {
            let mut topic = Topic::new();
            topic.receive();
            topic.pass(10);
            topic.set_forward(by);
            topic.receive();
            topic.set_back(by);
            topic.pass(1);
            topic.receive();
            topic.pass(100);
            topic.receive();
            assert_eq!(topic.ages(), [111, 100, 100, 0], "{by}");
            // Time passes, and the clock is never wrong again.
            topic.pass(2 * by);
            topic.receive();
            let by = 2 * by;
            assert_eq!(topic.ages(), [111 + by, 100 + by, 100 + by, by, 0]);
        }
    }

    #[test]
    fn what_was_received_while_the_clock_was_behind_moves_with_it() {
        for by in [5, 3 * 3600, YEAR] {
            let mut topic = Topic::new();
            topic.receive();
            topic.pass(1);
            topic.set_back(by);
            topic.pass(1);
            topic.receive();
            // It goes back once more, and returns at once.
            topic.set_back(by);
            topic.pass(1);
            topic.receive();
            topic.set_forward(2 * by);
            topic.pass(1);
            topic.receive();
            assert_eq!(topic.ages(), [4, 2, 1, 0], "{by}");
        }
    }

    #[test]
    fn a_clock_that_is_set_back_for_good() {
        let mut topic = Topic::new();
        topic.receive();
        topic.pass(10);
        topic.set_back(YEAR);
        topic.observe();
        topic.pass(100);
        assert_eq!(topic.ages(), [100], "also while nothing is received");
        topic.receive();
        topic.pass(100);
        assert_eq!(topic.ages(), [200, 100]);
    }

    #[test]
    fn a_clock_that_only_goes_forward_tells_how_much_time_has_passed() {
        let mut topic = Topic::new();
        topic.receive();
        topic.set_forward(YEAR);
        topic.receive();
        assert_eq!(topic.ages(), [YEAR, 0]);
    }

    #[test]
    fn small_steps_back_stop_the_clock() {
        let mut topic = Topic::new();
        topic.receive();
        topic.now.time -= STILL / 2;
        topic.receive();
        assert_eq!(topic.stored[0], topic.stored[1]);
        topic.pass(1);
        topic.receive();
        assert!(topic.stored[2] > topic.stored[1]);
        assert_eq!(topic.times.turns, []);
    }

    #[test]
    fn turns_are_bounded_and_go_with_their_messages() {
        let mut topic = Topic::new();
        for _ in 0..1_000 {
            topic.receive();
            topic.set_forward(100);
            topic.receive();
            topic.set_back(90);
        }
        assert_eq!(topic.times.turns.len(), TURNS);
        let next = topic.stored.len() as u64;
        let bounds = |earliest| Bounds { earliest, next };
        topic.times.observe(topic.now, bounds(next - 1));
        assert_eq!(topic.times.turns.len(), 1, "that after the message");
        topic.pass(100);
        topic.times.observe(topic.now, bounds(next));
        assert_eq!(
            topic.times.turns,
            [],
            "the clock shows later times than before"
        );
    }
}
