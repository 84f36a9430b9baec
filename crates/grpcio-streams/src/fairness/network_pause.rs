//! All calls of a completion queue pause now and then, so that its thread polls the network.
//!
//! A thread of the C core polls its connections only when its completion queue is empty. A call
//! whose messages are always ready adds a completion for each message, so its queue is never empty.
//! New calls and arriving messages then wait, for seconds, until a flow-control window is full.
//! Therefore all calls of a queue pause together until the thread has polled the network.

use std::cell::RefCell;
use std::task::{ready, Context, Poll};
use std::time::{Duration, Instant};

use futures::future::{BoxFuture, Shared};
use futures::FutureExt;
use futures_timer::Delay;

/// How many messages the calls of a queue send and receive between two pauses. That takes a few
/// milliseconds, and a pause about a tenth of a millisecond.
const MESSAGES: u32 = 1_024;

/// When [`MESSAGES`] messages took longer than this, the queue was empty in between, and no pause
/// is needed. If it was not empty, nothing waited much longer than this.
const BUSY: Duration = Duration::from_secs(1);

/// One call's share of the pauses. The call polls it before each message.
#[derive(Debug, Default)]
pub(crate) struct NetworkPause {
    current: Option<Pause>,
}

/// Completes when the thread has polled the network.
type Pause = Shared<BoxFuture<'static, ()>>;

/// The messages that the calls of one thread may handle before the next pause. A thread that
/// serves no completion queue has one too, which does no harm.
struct Budget {
    left: u32,
    since: Instant,
    pause: Option<Pause>,
}

thread_local! {
    static BUDGET: RefCell<Budget> = RefCell::new(Budget {
        left: MESSAGES,
        since: Instant::now(),
        pause: None,
    });
}

impl NetworkPause {
    /// Ready when the call may send or receive one more message.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if let Some(pause) = &mut self.current {
                ready!(pause.poll_unpin(cx));
                self.current = None;
            }
            match BUDGET.with_borrow_mut(Budget::take) {
                None => return Poll::Ready(()),
                pause => self.current = pause,
            }
        }
    }
}

impl Budget {
    /// Takes one message from the budget, or returns the pause to wait for first.
    fn take(&mut self) -> Option<Pause> {
        if let Some(pause) = &self.pause {
            if pause.peek().is_none() {
                return Some(pause.clone());
            }
            self.refill();
        }
        if self.left == 0 {
            if self.since.elapsed() < BUSY {
                self.pause = Some(pause().boxed().shared());
                return self.pause.clone();
            }
            self.refill();
        }
        self.left -= 1;
        None
    }

    fn refill(&mut self) {
        self.left = MESSAGES;
        self.since = Instant::now();
        self.pause = None;
    }
}

/// Waits for the timer thread twice. Its wake-ups go to the end of the completion queue. When the
/// first one arrives, all earlier completions have been handled and all calls are paused, so the
/// queue is empty and its thread polls the network until the second one arrives.
async fn pause() {
    Delay::new(Duration::ZERO).await;
    Delay::new(Duration::ZERO).await;
}
