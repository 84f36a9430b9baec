//! The end of a topic's log, as every store has it in memory: which offsets the topic has, its most
//! recent messages, its producers, and the subscribers that wait for more.
//!
//! A tail knows no store. What is older than its recent messages, if the topic keeps more, is the
//! store's to load.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use parking_lot::{Mutex, MutexGuard};

use crate::error::Error;
use crate::identity::Identity;
use crate::message::Message;
use crate::name::ProducerName;
use crate::notifier::{Notifier, Waiters};
use crate::offset::{Bounds, Offset};
use crate::producers::Producers;
use crate::times::Times;

/// A cursor takes several messages at a time, so that it locks the tail less often. It takes at
/// most these, because they stay in memory even when retention drops them.
const READ_AHEAD_MESSAGES: usize = 64;
const READ_AHEAD_BYTES: usize = 16 * 1024;

/// The end of the log of one topic.
#[derive(Debug)]
pub(crate) struct Tail {
    pub(crate) identity: Identity,
    state: Mutex<State>,
    /// A copy of `bounds.next`. Subscribers at the end read it without the lock.
    next: AtomicU64,
    waiters: Arc<Waiters>,
    notifier: Arc<Notifier>,
}

/// What is behind the lock of a [`Tail`].
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) bounds: Bounds,
    /// The last messages before `bounds.next`, with the times that they are stored with.
    pub(crate) recent: VecDeque<Message>,
    /// The bytes of all messages that the topic keeps, in memory or not, as
    /// [`Message::retained_bytes`] counts them.
    pub(crate) bytes: u64,
    pub(crate) producers: Producers,
    /// When the messages were received.
    pub(crate) times: Times,
    /// When the topic was last used: a message was published, or a subscriber came or left.
    pub(crate) used: Instant,
    closed: bool,
}

/// What a store keeps of a topic, which includes its tail.
pub(crate) trait HasTail: Send + Sync + 'static {
    fn tail(&self) -> &Tail;

    /// Locks the tail. A store that drops old messages when it is asked for them drops them first.
    fn state(&self) -> MutexGuard<'_, State> {
        self.tail().lock()
    }
}

/// What a cursor finds at its offset.
pub(crate) enum Found {
    /// Messages, which it has taken.
    Recent,
    /// The end of the log.
    End,
    /// Messages that are not in memory. The offset is `bounds.next`.
    Older(Offset),
}

impl Tail {
    pub(crate) fn new(identity: Identity, state: State, notifier: Arc<Notifier>) -> Self {
        Self {
            identity,
            next: AtomicU64::new(state.bounds.next),
            state: Mutex::new(state),
            waiters: Arc::default(),
            notifier,
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Whether there is a message at `offset` or behind it.
    pub(crate) fn is_beyond(&self, offset: Offset) -> bool {
        self.next.load(Ordering::SeqCst) > offset
    }

    /// Takes messages from `offset` on out of `state`.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] and [`Error::Closed`].
    pub(crate) fn read(
        &self,
        state: &State,
        offset: Offset,
        into: &mut VecDeque<Message>,
    ) -> Result<Found, Error> {
        if offset < state.bounds.earliest {
            return Err(self.identity.out_of_range(offset, state.bounds));
        }
        if offset < state.recent_from() {
            return if state.closed {
                Err(Error::Closed)
            } else {
                Ok(Found::Older(state.bounds.next))
            };
        }
        let mut bytes = 0;
        let recent = state.recent_at(offset).take(READ_AHEAD_MESSAGES);
        for (offset, message) in (offset..).zip(recent) {
            bytes += message.data.len();
            into.push_back(Message {
                time: state.times.at(offset, message.time),
                data: message.data.clone(),
            });
            if bytes >= READ_AHEAD_BYTES {
                break;
            }
        }
        if !into.is_empty() {
            Ok(Found::Recent)
        } else if state.closed {
            Err(Error::Closed)
        } else {
            Ok(Found::End)
        }
    }

    /// Shows subscribers the bounds of `state`, releases the lock, and has the subscribers woken
    /// that wait. `quiet` as for [`Notifier::notify`].
    pub(crate) fn release(&self, state: MutexGuard<'_, State>, quiet: bool) {
        self.next.store(state.bounds.next, Ordering::SeqCst);
        drop(state);
        self.notifier.notify(&self.waiters, quiet);
    }

    /// Ends all subscriptions, and accepts no more messages.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.notifier.notify(&self.waiters, false);
    }

    /// Notes that somebody uses the topic.
    pub(crate) fn touch(&self) {
        self.lock().used = Instant::now();
    }

    /// The subscribers that wait at the end.
    pub(crate) fn waiters(&self) -> &Waiters {
        &self.waiters
    }
}

impl State {
    /// A log that has these bounds, with nothing in memory.
    pub(crate) fn new(bounds: Bounds, bytes: u64, producers: Producers, times: Times) -> Self {
        Self {
            bounds,
            recent: VecDeque::new(),
            bytes,
            producers,
            times,
            used: Instant::now(),
            closed: false,
        }
    }

    /// The offset of the first of the recent messages.
    pub(crate) fn recent_from(&self) -> Offset {
        self.bounds.next - self.recent.len() as u64
    }

    /// The recent messages from `offset` on, which is not before them.
    pub(crate) fn recent_at(&self, offset: Offset) -> impl Iterator<Item = &Message> {
        let skip = offset.saturating_sub(self.recent_from());
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        self.recent.iter().skip(skip)
    }

    /// The offset of the first recent message that was received at `time` or later.
    pub(crate) fn since(&self, time: SystemTime) -> Offset {
        let (mut low, mut high) = (self.recent_from(), self.bounds.next);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.received(middle).is_some_and(|at| at < time) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// When the message at `offset` was received. None where it is not in memory.
    pub(crate) fn received(&self, offset: Offset) -> Option<SystemTime> {
        if offset < self.recent_from() {
            return None;
        }
        let message = self.recent_at(offset).next()?;
        Some(self.times.at(offset, message.time))
    }

    /// # Errors
    ///
    /// [`Error::Closed`] once the topic is closed.
    pub(crate) fn check_open(&self) -> Result<(), Error> {
        if self.closed {
            Err(Error::Closed)
        } else {
            Ok(())
        }
    }

    /// The sequence number that the topic expects next of a producer.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`].
    pub(crate) fn expected(&self, producer: &ProducerName) -> Result<u64, Error> {
        self.check_open()?;
        Ok(self.producers.expected(producer))
    }

    /// Whether the topic keeps no message and has not been used for this time.
    pub(crate) fn is_idle(&self, time: Duration) -> bool {
        self.bounds.is_empty() && self.used.elapsed() >= time
    }
}
