//! Lets a busy completion queue look at the network.
//!
//! A thread of the C core polls its connections only when its completion queue is empty. A call
//! whose messages are ready at once has each of them completed at once: the queue is never empty,
//! and new calls and arriving messages wait, for seconds, until a flow-control window is full. So
//! all calls of a queue together stop now and then until its thread has been to the network.

use std::cell::RefCell;
use std::task::{ready, Context, Poll};
use std::time::{Duration, Instant};

use futures::future::{BoxFuture, Shared};
use futures::FutureExt;
use futures_timer::Delay;

/// How many messages the calls of a queue send and receive between two rests: a few milliseconds'
/// worth, so that a rest, of about a tenth of a millisecond, costs little.
const MESSAGES: u32 = 1_024;

/// When so many messages took longer than this, the queue was empty in between, and needs no rest;
/// where it was not, nobody waits much longer than this.
const BUSY: Duration = Duration::from_secs(1);

/// A call's part in it: asked before each message.
#[derive(Debug, Default)]
pub(crate) struct NetworkPause {
    resting: Option<Rest>,
}

/// Over when the thread has been to the network.
type Rest = Shared<BoxFuture<'static, ()>>;

/// Of the calls that run on one thread. Elsewhere than on a queue's thread it does no harm.
struct Queue {
    left: u32,
    since: Instant,
    rest: Option<Rest>,
}

thread_local! {
    static QUEUE: RefCell<Queue> = RefCell::new(Queue {
        left: MESSAGES,
        since: Instant::now(),
        rest: None,
    });
}

impl NetworkPause {
    /// Ready when one more message may be sent or received.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if let Some(rest) = &mut self.resting {
                ready!(rest.poll_unpin(cx));
                self.resting = None;
            }
            match QUEUE.with_borrow_mut(Queue::take) {
                None => return Poll::Ready(()),
                rest => self.resting = rest,
            }
        }
    }
}

impl Queue {
    /// Takes a message off what is left; or what must be over before.
    fn take(&mut self) -> Option<Rest> {
        if let Some(rest) = &self.rest {
            if rest.peek().is_none() {
                return Some(rest.clone());
            }
            self.refill();
        }
        if self.left == 0 {
            if self.since.elapsed() < BUSY {
                self.rest = Some(rest().boxed().shared());
                return self.rest.clone();
            }
            self.refill();
        }
        self.left -= 1;
        None
    }

    fn refill(&mut self) {
        self.left = MESSAGES;
        self.since = Instant::now();
        self.rest = None;
    }
}

/// Two trips through the timers' thread, whose wakes go to the end of the completion queue. When
/// the first arrives, all that was queued has been handled, and all calls rest: the queue is
/// empty, and its thread goes to the network until the second arrives.
async fn rest() {
    Delay::new(Duration::ZERO).await;
    Delay::new(Duration::ZERO).await;
}
