//! One topic in memory: all of it is in its tail.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use futures::future::{self, BoxFuture, FutureExt};
use parking_lot::MutexGuard;

use super::kept_bytes::KeptBytes;
use crate::append::{Appended, Sequence};
use crate::clock::{Clock, Moment};
use crate::error::Error;
use crate::identity::{Identity, Start};
use crate::message::Message;
use crate::name::ProducerName;
use crate::notifier::Notifier;
use crate::offset::{Bounds, Epoch, Offset};
use crate::producers::Producers;
use crate::retention::Retention;
use crate::start_at::StartAt;
use crate::store::{Cursor, Topic};
use crate::tail::{HasTail, State, Tail};
use crate::tail_cursor::{Loading, Readable, TailCursor};
use crate::times::Times;

/// A message that comes this long after the previous one is taken for a single one. At full speed
/// the next message comes within a few microseconds.
const QUIET: Duration = Duration::from_micros(50);

#[derive(Debug)]
pub(super) struct MemoryTopic {
    tail: Tail,
    retention: Retention,
    clock: Clock,
    /// What all topics keep.
    kept: Arc<KeptBytes>,
}

impl MemoryTopic {
    /// An empty topic that remembers this number of producers.
    pub(super) fn new(
        identity: Identity,
        producers: NonZeroUsize,
        retention: Retention,
        clock: Clock,
        kept: Arc<KeptBytes>,
        notifier: Arc<Notifier>,
    ) -> Self {
        let bounds = Bounds {
            earliest: 0,
            next: 0,
        };
        let times = Times::new(UNIX_EPOCH, Vec::new());
        let state = State::new(bounds, 0, Producers::new(producers), times);
        Self {
            tail: Tail::new(identity, state, notifier),
            retention,
            clock,
            kept,
        }
    }

    /// Drops the messages that are too old.
    pub(super) fn expire(&self) {
        drop(self.state());
    }

    /// The state after a look at the clock, without the messages that are too old.
    fn aged(&self) -> MutexGuard<'_, State> {
        let mut state = self.tail.lock();
        self.look(&mut state);
        state
    }

    /// Looks at the clock, and drops the messages that are too old.
    fn look(&self, state: &mut State) -> Moment {
        let now = self.clock.now();
        let bounds = state.bounds;
        state.times.observe(now, bounds);
        self.drop_older(state, now);
        now
    }

    fn append_now(
        &self,
        batch: &[Arc<str>],
        sequence: Option<Sequence>,
    ) -> Result<Appended, Error> {
        let mut state = self.tail.lock();
        state.check_open()?;
        let count = batch.len() as u64;
        let topic = &self.tail.identity.name;
        let checked = match &sequence {
            None => None,
            Some(sequence) => {
                for repeat in state.producers.repeats(sequence, count, state.bounds) {
                    // All messages that the topic keeps are recent.
                    let kept = state.recent_at(repeat.offset);
                    repeat.compare(topic, sequence, batch, kept)?;
                }
                Some(
                    state
                        .producers
                        .check(topic, sequence, count, state.bounds)?,
                )
            }
        };
        let duplicates = checked.as_ref().map_or(0, |checked| checked.duplicates);
        let expected = checked.as_ref().map(|checked| checked.known.next);
        // Not more than `count`, which is a length.
        let fresh = &batch[duplicates as usize..];
        let now = self.look(&mut state);
        self.reserve(&state, fresh)?;
        state.times.receive(now);
        let time = state.times.latest;
        let before = std::mem::replace(&mut state.used, now.steady);
        let quiet = state.used.duration_since(before) >= QUIET;
        let first = state.bounds.next;
        for data in fresh {
            state.bytes += Message::retained_bytes(data);
            let data = data.clone();
            state.recent.push_back(Message { time, data });
        }
        let stored = fresh.len() as u64;
        state.bounds.next += stored;
        if let (Some(sequence), Some(checked)) = (sequence, checked) {
            state.producers.remember(sequence.producer, checked.known);
        }
        self.retain(&mut state, now);
        self.tail.release(state, quiet);
        Ok(Appended {
            first: (stored > 0).then_some(first),
            stored,
            duplicates,
            expected,
        })
    }

    /// Counts a batch among what all topics keep.
    fn reserve(&self, state: &State, batch: &[Arc<str>]) -> Result<(), Error> {
        let bytes = batch.iter().map(|text| Message::retained_bytes(text));
        let bytes: u64 = bytes.sum();
        // What this topic drops for the batch.
        let freed = (state.bytes + bytes).saturating_sub(self.retention.bytes);
        self.kept.reserve(bytes, freed)
    }

    /// Drops what the retention of the topic does not allow.
    fn retain(&self, state: &mut State, now: Moment) {
        let retention = &self.retention;
        while state.bounds.count() > retention.messages || state.bytes > retention.bytes {
            self.drop_first(state);
        }
        self.drop_older(state, now);
    }

    fn drop_older(&self, state: &mut State, now: Moment) {
        if self.retention.age.is_none() {
            return;
        }
        let old = |received| self.retention.is_too_old(received, now.time);
        while state.received(state.bounds.earliest).is_some_and(old) {
            self.drop_first(state);
        }
    }

    fn drop_first(&self, state: &mut State) {
        if let Some(message) = state.recent.pop_front() {
            let bytes = Message::retained_bytes(&message.data);
            state.bytes -= bytes;
            state.bounds.earliest += 1;
            self.kept.release(bytes);
        }
    }

    fn start(&self, start: StartAt) -> Result<Offset, Error> {
        let state = self.aged();
        Ok(match self.tail.identity.resolve(start, state.bounds)? {
            Start::At(offset) => offset,
            Start::Since(time) => state.since(time),
        })
    }
}

impl HasTail for MemoryTopic {
    fn tail(&self) -> &Tail {
        &self.tail
    }

    fn state(&self) -> MutexGuard<'_, State> {
        if self.retention.age.is_some() {
            self.aged()
        } else {
            self.tail.lock()
        }
    }
}

impl Readable for MemoryTopic {
    /// All messages that the topic keeps are in its tail: this one is no longer kept.
    fn load(self: Arc<Self>, offset: Offset, _next: Offset) -> Loading {
        let error = self.tail.identity.out_of_range(offset, self.bounds());
        future::ready(Err(error)).boxed()
    }
}

impl Topic for MemoryTopic {
    fn epoch(&self) -> Epoch {
        self.tail.identity.epoch
    }

    fn bounds(&self) -> Bounds {
        self.state().bounds
    }

    fn append(
        &self,
        batch: Vec<Arc<str>>,
        sequence: Option<Sequence>,
    ) -> BoxFuture<'static, Result<Appended, Error>> {
        future::ready(self.append_now(&batch, sequence)).boxed()
    }

    fn expected(&self, producer: &ProducerName) -> BoxFuture<'static, Result<u64, Error>> {
        future::ready(self.state().expected(producer)).boxed()
    }

    fn subscribe(
        self: Arc<Self>,
        start: StartAt,
    ) -> BoxFuture<'static, Result<Box<dyn Cursor>, Error>> {
        let subscribed = self
            .start(start)
            .map(|offset| Box::new(TailCursor::new(self, offset)) as Box<dyn Cursor>);
        future::ready(subscribed).boxed()
    }
}

impl Drop for MemoryTopic {
    fn drop(&mut self) {
        self.kept.release(self.tail.lock().bytes);
    }
}
