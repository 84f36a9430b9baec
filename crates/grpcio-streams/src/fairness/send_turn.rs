//! Calls of a queue that have many messages to send do so by turns.
//!
//! A completion queue hands out completions in order. When a thousand calls of a queue all have a
//! backlog they would send one message each in rotation, and what each of them touches would have
//! left the processor's caches when its next message comes. So only a few send at a time, each so
//! many messages before it passes its turn on. A message that comes alone waits for nobody.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::FutureExt;
use futures_timer::Delay;

/// How many calls of a queue have their turn at the same time: while one waits for the C core to
/// take its message, another prepares one.
const AT_A_TIME: usize = 4;

/// A turn is over after so many messages, if another call waits for one.
const MESSAGES: u32 = 256;

/// A call that has sent nothing for so long, because its peer does not read, loses its turn.
const CHECK: Duration = Duration::from_millis(2);

/// A turn is over after so many checks, if another call waits for one: messages may be large.
const CHECKS: u32 = 5;

/// A call's part in it.
#[derive(Default)]
pub(crate) struct SendTurn {
    line: Option<Arc<Line>>,
    state: State,
    /// Runs on from turn to turn, because setting it wakes another thread.
    next_check: Option<Delay>,
}

#[derive(Default)]
enum State {
    #[default]
    None,
    /// In the line, or out of it and called; by its number.
    Waiting(u64),
    Mine(Mine),
}

struct Mine {
    messages: u32,
    checks: u32,
    /// Messages at the last check.
    checked: Option<u32>,
}

impl SendTurn {
    /// Ready when one more message of a backlog may be sent.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let State::Mine(mine) = &mut self.state {
            if mine.messages < MESSAGES && mine.checks < CHECKS {
                mine.messages += 1;
                return Poll::Ready(());
            }
            // Behind all who wait.
            self.pass();
        }
        let line = self.line.get_or_insert_with(|| LINE.with(Arc::clone));
        let number = match self.state {
            State::Waiting(number) => Some(number),
            _ => None,
        };
        match line.state().enter(number, cx.waker()) {
            Some(number) => {
                self.state = State::Waiting(number);
                Poll::Pending
            }
            None => {
                self.state = State::Mine(Mine {
                    messages: 1,
                    checks: 0,
                    checked: None,
                });
                Poll::Ready(())
            }
        }
    }

    /// The call cannot send just now, because its peer does not read or because what it sent last
    /// is on its way. It keeps its turn, but not for long, and its place in the line until it is
    /// called.
    pub(crate) fn hold(&mut self, cx: &mut Context<'_>) {
        match (&mut self.state, &self.line) {
            (State::Mine(mine), _) => {
                let next_check = self.next_check.get_or_insert_with(|| Delay::new(CHECK));
                while next_check.poll_unpin(cx).is_ready() {
                    next_check.reset(CHECK);
                    mine.checks += 1;
                    if mine.checked.replace(mine.messages) == Some(mine.messages) {
                        return self.pass();
                    }
                }
            }
            (State::Waiting(number), Some(line)) if line.state().is_called(*number) => self.pass(),
            _ => {}
        }
    }

    /// The call has nothing more to send for now.
    pub(crate) fn pass(&mut self) {
        let state = std::mem::take(&mut self.state);
        if let (Some(line), false) = (&self.line, matches!(state, State::None)) {
            let called = line.state().leave(&state);
            // Not under the lock.
            called.into_iter().for_each(Waker::wake);
        }
    }
}

impl Drop for SendTurn {
    fn drop(&mut self) {
        self.pass();
    }
}

thread_local! {
    /// Of the calls that run on one thread. Elsewhere than on a queue's thread it does no harm.
    static LINE: Arc<Line> = Arc::default();
}

#[derive(Default)]
struct Line(Mutex<LineState>);

struct LineState {
    /// Turns that nobody has. There are none while somebody waits.
    free: usize,
    /// First come, first called.
    waiting: BTreeMap<u64, Waker>,
    next_number: u64,
}

impl Default for LineState {
    fn default() -> Self {
        Self {
            free: AT_A_TIME,
            waiting: BTreeMap::new(),
            next_number: 0,
        }
    }
}

impl Line {
    fn state(&self) -> MutexGuard<'_, LineState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LineState {
    /// Takes a turn; or the number of the one who has to wait. `number` is that of one who waits
    /// already.
    fn enter(&mut self, number: Option<u64>, waker: &Waker) -> Option<u64> {
        if let Some(number) = number {
            // Who is called is in the line no more.
            let waiting = self.waiting.get_mut(&number)?;
            waiting.clone_from(waker);
            return Some(number);
        }
        if self.free > 0 {
            self.free -= 1;
            return None;
        }
        let number = self.next_number;
        self.next_number += 1;
        self.waiting.insert(number, waker.clone());
        Some(number)
    }

    fn is_called(&self, number: u64) -> bool {
        !self.waiting.contains_key(&number)
    }

    /// Gives up a turn or a place in the line; who is called instead.
    fn leave(&mut self, state: &State) -> Option<Waker> {
        if let State::Waiting(number) = state {
            if self.waiting.remove(number).is_some() {
                return None;
            }
        }
        let called = self.waiting.pop_first().map(|(_, waker)| waker);
        if called.is_none() {
            self.free += 1;
        }
        called
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use futures::executor::block_on;
    use futures::future::{poll_fn, select, Either};
    use futures::task::noop_waker_ref;

    use super::*;

    // Every test has a thread of its own, and so a line.

    fn take(turn: &mut SendTurn) -> bool {
        turn.poll(&mut Context::from_waker(noop_waker_ref()))
            .is_ready()
    }

    fn turns(count: usize) -> Vec<SendTurn> {
        (0..count).map(|_| SendTurn::default()).collect()
    }

    #[test]
    fn a_few_at_a_time_and_the_others_in_the_order_of_their_coming() {
        let mut turns = turns(AT_A_TIME + 3);
        let has: Vec<_> = turns.iter_mut().map(take).collect();
        assert_eq!(has.iter().filter(|has| **has).count(), AT_A_TIME);

        turns[AT_A_TIME].pass();
        drop(turns.remove(0));
        // The line was: one that left it, then these.
        assert!(!take(&mut turns[AT_A_TIME + 1]));
        assert!(take(&mut turns[AT_A_TIME]));
        assert!(!take(&mut turns[AT_A_TIME - 1]), "came again as the last");
        turns[1].pass();
        assert!(take(&mut turns[AT_A_TIME + 1]));
    }

    #[test]
    fn one_who_is_called_and_gone_calls_the_next() {
        let mut turns = turns(AT_A_TIME + 2);
        turns.iter_mut().map(take).for_each(drop);
        turns[0].pass();
        drop(turns.remove(AT_A_TIME));
        assert!(take(&mut turns[AT_A_TIME]));
    }

    #[test]
    fn a_turn_ends_after_its_messages_if_somebody_waits() {
        let mut turns = turns(AT_A_TIME + 1);
        turns.iter_mut().map(take).for_each(drop);
        for _ in 1..MESSAGES {
            assert!(take(&mut turns[0]));
        }
        assert!(!take(&mut turns[0]));
        assert!(take(&mut turns[AT_A_TIME]));

        drop(turns.drain(..AT_A_TIME));
        for _ in 0..MESSAGES * 2 {
            assert!(take(&mut turns[0]), "nobody else wants it");
        }
    }

    #[test]
    fn one_who_cannot_send_is_overtaken() {
        let mut stuck = turns(AT_A_TIME);
        stuck.iter_mut().for_each(|turn| assert!(take(turn)));
        let mut turn = SendTurn::default();
        let waiting = poll_fn(|cx| turn.poll(cx));
        let holding = poll_fn(|cx| {
            stuck.iter_mut().for_each(|turn| turn.hold(cx));
            Poll::<()>::Pending
        });
        assert!(matches!(
            block_on(select(waiting, holding)),
            Either::Left(_)
        ));
    }

    #[test]
    fn one_who_sends_slowly_is_overtaken_too() {
        let mut slow = turns(AT_A_TIME);
        let mut cx = Context::from_waker(noop_waker_ref());
        slow.iter_mut().for_each(|turn| assert!(take(turn)));
        let mut turn = SendTurn::default();
        assert!(!take(&mut turn));
        let mut checks = 0;
        while !take(&mut turn) {
            for turn in &mut slow {
                turn.hold(&mut cx);
                let _ = take(turn);
            }
            checks += 1;
            assert!(checks < 10_000, "never");
            thread::sleep(CHECK / 10);
        }
    }
}
