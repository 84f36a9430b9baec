//! One topic in memory.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime};

use futures::future::{self, BoxFuture, FutureExt};
use parking_lot::{Mutex, MutexGuard};

use super::Shared;
use crate::append::{Appended, Sequence};
use crate::error::Error;
use crate::identity::{Identity, Start};
use crate::message::Message;
use crate::notifier::Waiters;
use crate::offset::{Bounds, Epoch, Offset};
use crate::producers::Producers;
use crate::registry::Life;
use crate::start_at::StartAt;
use crate::store::{Cursor, Topic};

/// A cursor takes several messages at a time from the log, to lock it less often; at most these,
/// because what it has taken is kept even when retention drops it.
const READ_AHEAD_MESSAGES: usize = 64;
const READ_AHEAD_BYTES: usize = 16 * 1024;

/// When nothing happened for so long, a message is the only one of its time: at full speed the
/// next comes within a few microseconds.
const QUIET: Duration = Duration::from_micros(50);

#[derive(Debug)]
pub(super) struct MemoryTopic {
    identity: Identity,
    shared: Arc<Shared>,
    state: Mutex<State>,
    /// As in `state`, to be read without its lock by subscribers that are at the end.
    next: AtomicU64,
    waiters: Arc<Waiters>,
}

#[derive(Debug)]
struct State {
    /// The offset of the first of `messages`.
    earliest: Offset,
    messages: VecDeque<Message>,
    /// What `messages` cost.
    bytes: u64,
    producers: Producers,
    /// When the last message was received: the times in a log never go back, even if the
    /// machine's clock does.
    latest_time: SystemTime,
    /// When somebody published, or came, or went.
    used: Instant,
    closed: bool,
}

impl MemoryTopic {
    pub(super) fn new(identity: Identity, shared: Arc<Shared>) -> Self {
        let state = State {
            earliest: 0,
            messages: VecDeque::new(),
            bytes: 0,
            producers: Producers::new(shared.limits.producers),
            latest_time: SystemTime::UNIX_EPOCH,
            used: Instant::now(),
            closed: false,
        };
        Self {
            identity,
            shared,
            state: Mutex::new(state),
            next: AtomicU64::new(0),
            waiters: Arc::default(),
        }
    }

    pub(super) fn expire_now(&self) {
        self.expire(&mut self.state(), SystemTime::now());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    fn append_now(
        &self,
        batch: &[Arc<str>],
        sequence: Option<Sequence>,
    ) -> Result<Appended, Error> {
        let mut state = self.state();
        if state.closed {
            return Err(Error::Closed);
        }
        let count = batch.len() as u64;
        let duplicates = match &sequence {
            None => 0,
            Some(sequence) => state
                .producers
                .repeated(&self.identity.name, sequence, count)?,
        };
        // No more than `count`, which came from a length.
        let fresh = &batch[duplicates as usize..];
        let now = SystemTime::now().max(state.latest_time);
        self.expire(&mut state, now);
        self.reserve(&state, fresh)?;
        state.latest_time = now;
        let before = std::mem::replace(&mut state.used, Instant::now());
        let quiet = state.used.duration_since(before) >= QUIET;
        let first = state.next();
        for data in fresh {
            state.bytes += Message::retained_bytes(data);
            let data = data.clone();
            state.messages.push_back(Message { time: now, data });
        }
        if let Some(sequence) = sequence {
            let known = state.producers.with(&sequence, count);
            state.producers.seen(sequence.producer, known);
        }
        self.retain(&mut state, now);
        self.next.store(state.next(), Ordering::SeqCst);
        drop(state);
        self.shared.notifier.notify(&self.waiters, quiet);
        let stored = fresh.len() as u64;
        Ok(Appended {
            first: (stored > 0).then_some(first),
            stored,
            duplicates,
        })
    }

    /// Counts a batch as part of what all topics keep, if they may keep so much.
    fn reserve(&self, state: &State, batch: &[Arc<str>]) -> Result<(), Error> {
        let bytes: u64 = batch.iter().map(|text| Message::retained_bytes(text)).sum();
        // What the topic itself gives up for the batch.
        let freed = (state.bytes + bytes).saturating_sub(self.shared.retention.bytes);
        let limit = self.shared.limits.bytes;
        let before = self.shared.bytes.fetch_add(bytes, Ordering::Relaxed);
        if before + bytes > limit.saturating_add(freed) {
            self.shared.bytes.fetch_sub(bytes, Ordering::Relaxed);
            return Err(Error::Limit {
                of: "bytes in all topics",
                limit,
            });
        }
        Ok(())
    }

    /// Drops what is beyond the topic's retention.
    fn retain(&self, state: &mut State, now: SystemTime) {
        let retention = &self.shared.retention;
        while state.messages.len() as u64 > retention.messages || state.bytes > retention.bytes {
            self.drop_first(state);
        }
        self.expire(state, now);
    }

    fn expire(&self, state: &mut State, now: SystemTime) {
        let Some(age) = self.shared.retention.age else {
            return;
        };
        let old = |message: &Message| now.duration_since(message.time).is_ok_and(|is| is > age);
        while state.messages.front().is_some_and(old) {
            self.drop_first(state);
        }
    }

    fn drop_first(&self, state: &mut State) {
        if let Some(message) = state.messages.pop_front() {
            let bytes = Message::retained_bytes(&message.data);
            state.bytes -= bytes;
            state.earliest += 1;
            self.shared.bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
    }

    /// Takes messages from `offset` on; none at the end.
    fn read(&self, offset: Offset, into: &mut VecDeque<Message>) -> Result<(), Error> {
        let mut state = self.state();
        self.expire(&mut state, SystemTime::now());
        let behind = offset
            .checked_sub(state.earliest)
            .and_then(|n| usize::try_from(n).ok());
        let Some(skip) = behind else {
            return Err(self.identity.out_of_range(offset, state.bounds()));
        };
        let mut bytes = 0;
        for message in state.messages.iter().skip(skip).take(READ_AHEAD_MESSAGES) {
            bytes += message.data.len();
            into.push_back(message.clone());
            if bytes >= READ_AHEAD_BYTES {
                break;
            }
        }
        if into.is_empty() && state.closed {
            return Err(Error::Closed);
        }
        Ok(())
    }

    fn start(&self, start: StartAt) -> Result<Offset, Error> {
        let mut state = self.state();
        self.expire(&mut state, SystemTime::now());
        Ok(match self.identity.start(start, state.bounds())? {
            Start::At(offset) => offset,
            Start::Since(time) => {
                let before = state
                    .messages
                    .partition_point(|message| message.time < time);
                state.earliest + before as u64
            }
        })
    }
}

impl State {
    fn next(&self) -> Offset {
        self.earliest + self.messages.len() as u64
    }

    fn bounds(&self) -> Bounds {
        Bounds {
            earliest: self.earliest,
            next: self.next(),
        }
    }
}

impl Drop for MemoryTopic {
    fn drop(&mut self) {
        let bytes = self.state().bytes;
        self.shared.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Life for MemoryTopic {
    fn touch(&self) {
        self.state().used = Instant::now();
    }

    fn is_idle(&self, long: Duration) -> bool {
        let mut state = self.state();
        self.expire(&mut state, SystemTime::now());
        state.messages.is_empty() && state.used.elapsed() >= long
    }

    fn close(&self) {
        self.state().closed = true;
        self.shared.notifier.notify(&self.waiters, false);
    }
}

impl Topic for MemoryTopic {
    fn epoch(&self) -> Epoch {
        self.identity.epoch
    }

    fn bounds(&self) -> Bounds {
        let mut state = self.state();
        self.expire(&mut state, SystemTime::now());
        state.bounds()
    }

    fn append(
        &self,
        batch: Vec<Arc<str>>,
        sequence: Option<Sequence>,
    ) -> BoxFuture<'static, Result<Appended, Error>> {
        future::ready(self.append_now(&batch, sequence)).boxed()
    }

    fn subscribe(
        self: Arc<Self>,
        start: StartAt,
    ) -> BoxFuture<'static, Result<Box<dyn Cursor>, Error>> {
        let subscribed = self.start(start).map(|offset| {
            let cursor = MemoryCursor {
                offset,
                ahead: VecDeque::new(),
                place: self.waiters.enter(),
                log: self,
            };
            Box::new(cursor) as Box<dyn Cursor>
        });
        future::ready(subscribed).boxed()
    }
}

struct MemoryCursor {
    offset: Offset,
    /// What has been taken from the log from `offset` on.
    ahead: VecDeque<Message>,
    /// Among the log's waiters.
    place: usize,
    log: Arc<MemoryTopic>,
}

impl MemoryCursor {
    /// The next message, if it is there.
    fn take(&mut self) -> Poll<Result<Message, Error>> {
        if self.ahead.is_empty() {
            self.log.read(self.offset, &mut self.ahead)?;
        }
        match self.ahead.pop_front() {
            Some(message) => {
                self.offset += 1;
                Poll::Ready(Ok(message))
            }
            None => Poll::Pending,
        }
    }
}

impl Cursor for MemoryCursor {
    fn offset(&self) -> Offset {
        self.offset
    }

    fn is_behind(&self) -> bool {
        self.log.next.load(Ordering::SeqCst) > self.offset
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Message, Error>> {
        let taken = self.take();
        if taken.is_ready() {
            return taken;
        }
        self.log.waiters.wait(self.place, cx.waker());
        // Once more: what was appended before the place was taken wakes nobody.
        self.take()
    }
}

impl Drop for MemoryCursor {
    fn drop(&mut self) {
        self.log.waiters.leave(self.place);
        self.log.touch();
    }
}
