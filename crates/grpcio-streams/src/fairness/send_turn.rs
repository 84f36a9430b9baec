//! Of the calls of a completion queue that have a backlog, only a few send at the same time.
//!
//! A completion queue hands out completions in order. When a thousand calls of a queue all have a
//! backlog, they would send one message each in rotation, and the processor's caches would no
//! longer hold the data of a call when its next message comes. Therefore only a few calls send at
//! the same time, and each passes its turn on after a number of messages. A message without a
//! backlog behind it does not wait for a turn.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::FutureExt;
use futures_timer::Delay;
use parking_lot::{Mutex, MutexGuard};

/// How many calls of a queue have a turn at the same time. While one waits for the C core to take
/// its message, another prepares one.
const AT_A_TIME: usize = 4;

/// A turn ends after this many messages if another call waits for one.
const MESSAGES: u32 = 256;

/// A call that has sent nothing for this long, because its peer does not read, loses its turn.
const CHECK: Duration = Duration::from_millis(2);

/// A turn ends after this many checks if another call waits for one, because messages may be large.
const CHECKS: u32 = 5;

/// One call's turn to send, or its place among the calls that wait for a turn.
///
/// It must be polled whenever the call is woken. Otherwise a call that is not polled keeps its
/// turn.
#[derive(Default)]
pub(crate) struct SendTurn {
    line: Option<Arc<Line>>,
    state: State,
    /// Keeps running from one turn to the next, because starting a timer wakes another thread.
    next_check: Option<Delay>,
}

#[derive(Default)]
enum State {
    #[default]
    None,
    /// Waits in the line under this number, or has been called but not polled since.
    Waiting(u64),
    Sending(Progress),
}

/// What a call has done in its turn.
struct Progress {
    messages: u32,
    checks: u32,
    /// How many messages there were at the last check.
    checked: Option<u32>,
}

impl SendTurn {
    /// Ready when the call may send one more message of its backlog.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let State::Sending(progress) = &mut self.state {
            if progress.messages < MESSAGES && progress.checks < CHECKS {
                progress.messages += 1;
                return Poll::Ready(());
            }
            // The call now waits behind all others.
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
                self.state = State::Sending(Progress {
                    messages: 1,
                    checks: 0,
                    checked: None,
                });
                Poll::Ready(())
            }
        }
    }

    /// To be called when the call cannot send at the moment, because its peer does not read or
    /// because its last message is still being sent. The call keeps its turn for a short time. It
    /// keeps its place in the line until it is called.
    pub(crate) fn hold(&mut self, cx: &mut Context<'_>) {
        match (&mut self.state, &self.line) {
            (State::Sending(progress), _) => {
                let next_check = self.next_check.get_or_insert_with(|| Delay::new(CHECK));
                while next_check.poll_unpin(cx).is_ready() {
                    next_check.reset(CHECK);
                    progress.checks += 1;
                    if progress.checked.replace(progress.messages) == Some(progress.messages) {
                        return self.pass();
                    }
                }
            }
            (State::Waiting(number), Some(line)) if line.state().is_called(*number) => self.pass(),
            _ => {}
        }
    }

    /// Gives up the turn or the place in the line, because the call has nothing to send for now.
    pub(crate) fn pass(&mut self) {
        let state = std::mem::take(&mut self.state);
        if matches!(state, State::None) {
            return;
        }
        if let Some(line) = &self.line {
            let called = line.state().leave(&state);
            // The lock is released by now: a waker may run other code.
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
    /// The line of the calls that run on this thread. A thread that serves no completion queue has
    /// one too, which does no harm.
    static LINE: Arc<Line> = Arc::default();
}

#[derive(Default)]
struct Line(Mutex<LineState>);

struct LineState {
    /// How many turns are free. None is free while a call waits.
    free: usize,
    /// The calls that wait, in the order of their numbers.
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
        self.0.lock()
    }
}

impl LineState {
    /// Takes a turn and returns None, or returns the number under which the call waits. `number`
    /// is the number of a call that waits already.
    fn enter(&mut self, number: Option<u64>, waker: &Waker) -> Option<u64> {
        if let Some(number) = number {
            // A call that has been called is no longer in the line, and has a turn.
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

    /// Gives up a turn or a place in the line. Returns the waker of the call that gets the turn.
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

    // Every test has its own thread, and therefore its own line.

    fn take(turn: &mut SendTurn) -> bool {
        turn.poll(&mut Context::from_waker(noop_waker_ref()))
            .is_ready()
    }

    fn turns(count: usize) -> Vec<SendTurn> {
        (0..count).map(|_| SendTurn::default()).collect()
    }

    #[test]
    fn a_few_calls_send_at_a_time_and_the_others_follow_in_order() {
        let mut turns = turns(AT_A_TIME + 3);
        let has: Vec<_> = turns.iter_mut().map(take).collect();
        assert_eq!(has.iter().filter(|has| **has).count(), AT_A_TIME);

        turns[AT_A_TIME].pass();
        drop(turns.remove(0));
        // The first call of the line has left it; these two are the others.
        assert!(!take(&mut turns[AT_A_TIME + 1]));
        assert!(take(&mut turns[AT_A_TIME]));
        assert!(
            !take(&mut turns[AT_A_TIME - 1]),
            "it must wait behind the others"
        );
        turns[1].pass();
        assert!(take(&mut turns[AT_A_TIME + 1]));
    }

    #[test]
    fn a_call_that_is_dropped_after_it_was_called_calls_the_next() {
        let mut turns = turns(AT_A_TIME + 2);
        turns.iter_mut().map(take).for_each(drop);
        turns[0].pass();
        drop(turns.remove(AT_A_TIME));
        assert!(take(&mut turns[AT_A_TIME]));
    }

    #[test]
    fn a_turn_ends_after_its_messages_if_another_call_waits() {
        let mut turns = turns(AT_A_TIME + 1);
        turns.iter_mut().map(take).for_each(drop);
        for _ in 1..MESSAGES {
            assert!(take(&mut turns[0]));
        }
        assert!(!take(&mut turns[0]));
        assert!(take(&mut turns[AT_A_TIME]));

        drop(turns.drain(..AT_A_TIME));
        for _ in 0..MESSAGES * 2 {
            assert!(take(&mut turns[0]), "no other call waits");
        }
    }

    #[test]
    fn a_call_that_cannot_send_loses_its_turn() {
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
    fn a_call_that_sends_slowly_loses_its_turn() {
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
            assert!(checks < 10_000, "the turn never ended");
            thread::sleep(CHECK / 10);
        }
    }
}
