//! What a store on disk has of one topic: its tail, and what is stored of it.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use super::record;
use crate::identity::Identity;
use crate::message::Message;
use crate::name::ProducerName;
use crate::notifier::Notifier;
use crate::offset::{Bounds, Offset};
use crate::producers::{Known, Producers};
use crate::tail::{HasTail, State, Tail};
use crate::times::Times;

/// One incarnation of one topic. Only the writer changes what it has.
#[derive(Debug)]
pub(super) struct Entry {
    /// The number of the topic in the engine.
    id: u64,
    tail: Tail,
    /// [`stored_from`](record::Topic::stored_from) of the record. Only the writer uses it, and so
    /// it is not behind the lock of the tail.
    stored_from: AtomicU64,
    /// [`sequenced`](record::Topic::sequenced) of the record, in the same way.
    sequenced: AtomicU64,
}

/// A producer that the engine still has, and that its topic no longer remembers.
#[derive(Debug)]
pub(super) struct Forgotten {
    pub(super) entry: Arc<Entry>,
    pub(super) producer: ProducerName,
    pub(super) known: Known,
}

impl Entry {
    /// A topic without messages that remembers this number of producers.
    pub(super) fn new(
        identity: Identity,
        id: u64,
        producers: NonZeroUsize,
        notifier: Arc<Notifier>,
    ) -> Self {
        let record = record::Topic {
            epoch: identity.epoch,
            bounds: Bounds {
                earliest: 0,
                next: 0,
            },
            stored_from: 0,
            bytes: 0,
            sequenced: 0,
            times: Times::new(UNIX_EPOCH, Vec::new()),
            name: identity.name,
        };
        Self::stored(record, id, producers, notifier)
    }

    /// A topic that the engine has.
    pub(super) fn stored(
        record: record::Topic,
        id: u64,
        producers: NonZeroUsize,
        notifier: Arc<Notifier>,
    ) -> Self {
        let identity = Identity {
            name: record.name,
            epoch: record.epoch,
        };
        let state = State::new(
            record.bounds,
            record.bytes,
            Producers::new(producers),
            record.times,
        );
        Self {
            id,
            tail: Tail::new(identity, state, notifier),
            stored_from: AtomicU64::new(record.stored_from),
            sequenced: AtomicU64::new(record.sequenced),
        }
    }

    pub(super) fn id(&self) -> u64 {
        self.id
    }

    pub(super) fn identity(&self) -> &Identity {
        &self.tail.identity
    }

    /// What is stored of the topic.
    pub(super) fn record(&self) -> record::Topic {
        let state = self.tail.lock();
        record::Topic {
            epoch: self.identity().epoch,
            bounds: state.bounds,
            stored_from: self.stored_from.load(Ordering::Relaxed),
            bytes: state.bytes,
            sequenced: self.sequenced.load(Ordering::Relaxed),
            times: state.times.clone(),
            name: self.identity().name.clone(),
        }
    }

    /// Messages, and everything else in `record`, are durable now. `quiet` says that the writer has
    /// little to do. Returns the bytes that the topic kept before.
    pub(super) fn appended(
        &self,
        record: &record::Topic,
        texts: Vec<Arc<str>>,
        quiet: bool,
    ) -> u64 {
        let mut state = self.tail.lock();
        let before = state.bytes;
        self.set(&mut state, record);
        state.times.unsaved = false;
        let time = record.times.latest;
        let messages = texts.into_iter().map(|data| Message { time, data });
        state.recent.extend(messages);
        forget_recent(&mut state, record.bounds.earliest);
        state.used = Instant::now();
        self.tail.release(state, quiet);
        before
    }

    /// Retention has moved the bounds, or the clock was looked at.
    pub(super) fn retained(&self, record: &record::Topic) {
        let mut state = self.tail.lock();
        self.set(&mut state, record);
        forget_recent(&mut state, record.bounds.earliest);
    }

    /// No longer keeps messages before `offset` in memory.
    pub(super) fn forget_before(&self, offset: Offset) {
        forget_recent(&mut self.tail.lock(), offset);
    }

    /// The engine was opened again and has this record. It has at least what was durable, and
    /// perhaps messages of which it could not report that they were. All producers are forgotten.
    pub(super) fn recovered(&self, record: &record::Topic) {
        let mut state = self.tail.lock();
        if record.bounds.next != state.bounds.next {
            state.recent.clear();
        }
        self.set(&mut state, record);
        state.producers.clear();
        self.tail.release(state, false);
    }

    /// Remembers a producer. Returns the one that is forgotten for it.
    pub(super) fn remember(
        self: &Arc<Self>,
        producer: ProducerName,
        known: Known,
    ) -> Option<Forgotten> {
        let (producer, known) = self.tail.lock().producers.remember(producer, known)?;
        Some(Forgotten {
            entry: self.clone(),
            producer,
            known,
        })
    }

    /// The bytes and stored times of up to `most` messages from `offset` on, as far as they are in
    /// memory. `None` where the first is not.
    pub(super) fn recent_bytes(
        &self,
        offset: Offset,
        most: usize,
    ) -> Option<Vec<(u64, SystemTime)>> {
        let state = self.tail.lock();
        if offset < state.recent_from() {
            return None;
        }
        let recent = state.recent_at(offset).take(most);
        let bytes = recent.map(|m| (Message::retained_bytes(&m.data), m.time));
        Some(bytes.collect())
    }

    fn set(&self, state: &mut State, record: &record::Topic) {
        state.bounds = record.bounds;
        state.bytes = record.bytes;
        state.times.clone_from(&record.times);
        self.stored_from
            .store(record.stored_from, Ordering::Relaxed);
        self.sequenced.store(record.sequenced, Ordering::Relaxed);
    }
}

impl HasTail for Entry {
    fn tail(&self) -> &Tail {
        &self.tail
    }
}

/// Drops the recent messages before `offset` from memory.
fn forget_recent(state: &mut State, offset: Offset) {
    let old = offset.saturating_sub(state.recent_from());
    let old = usize::try_from(old).unwrap_or(usize::MAX);
    let old = old.min(state.recent.len());
    state.recent.drain(..old);
}
