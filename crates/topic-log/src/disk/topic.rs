//! One topic on disk: where it begins and ends, its most recent messages, and who waits for more.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures::channel::oneshot;
use futures::future::{self, BoxFuture, FutureExt};
use parking_lot::{Mutex, MutexGuard};

use super::cursor::{DiskCursor, Loading};
use super::group::Append;
use super::hub::Hub;
use super::record;
use super::writer::Work;
use crate::append::{Appended, Sequence};
use crate::error::Error;
use crate::identity::{Identity, Start};
use crate::message::Message;
use crate::name::ProducerName;
use crate::notifier::Waiters;
use crate::offset::{Bounds, Epoch, Offset};
use crate::producers::{Known, Producers};
use crate::registry::Life;
use crate::start_at::StartAt;
use crate::store::{Cursor, Topic};

/// A cursor takes several recent messages at a time, to lock the log less often: at most these.
const READ_AHEAD_MESSAGES: usize = 64;
const READ_AHEAD_BYTES: usize = 16 * 1024;

/// One life of one topic. Only the writer changes what is in it.
#[derive(Debug)]
pub(super) struct DiskTopic {
    identity: Identity,
    /// Under which the engine has it.
    id: u64,
    hub: Arc<Hub>,
    this: Weak<Self>,
    state: Mutex<State>,
    /// As in `state`, to be read without its lock by subscribers that are at the end.
    next: AtomicU64,
    pub(super) waiters: Arc<Waiters>,
}

/// What is durable of a topic, and what is going on.
#[derive(Debug)]
pub(super) struct State {
    pub(super) bounds: Bounds,
    pub(super) stored_from: Offset,
    /// What is kept, on disk and perhaps in memory.
    pub(super) bytes: u64,
    sequenced: u64,
    /// When the last message was received: the times in a log never go back, even if the
    /// machine's clock does.
    latest_time: SystemTime,
    pub(super) producers: Producers,
    /// The last messages before `bounds.next`.
    recent: VecDeque<Message>,
    /// When somebody published, or came, or went.
    used: Instant,
    closed: bool,
}

/// What a cursor finds.
pub(super) enum Found {
    /// Messages, now in its hands.
    Recent,
    /// That it is at the end.
    End,
    /// That what comes next is only on disk, before this offset.
    Older(Offset),
}

impl DiskTopic {
    /// A topic that has no message yet.
    pub(super) fn new(identity: Identity, id: u64, hub: Arc<Hub>) -> Arc<Self> {
        let record = record::Topic {
            epoch: identity.epoch,
            bounds: Bounds {
                earliest: 0,
                next: 0,
            },
            stored_from: 0,
            bytes: 0,
            sequenced: 0,
            latest_time: UNIX_EPOCH,
            name: identity.name,
        };
        Self::stored(record, id, hub)
    }

    /// A topic that the engine has.
    pub(super) fn stored(record: record::Topic, id: u64, hub: Arc<Hub>) -> Arc<Self> {
        let state = State {
            bounds: record.bounds,
            stored_from: record.stored_from,
            bytes: record.bytes,
            sequenced: record.sequenced,
            latest_time: record.latest_time,
            producers: Producers::new(hub.limits.producers),
            recent: VecDeque::new(),
            used: Instant::now(),
            closed: false,
        };
        Arc::new_cyclic(|this| Self {
            identity: Identity {
                name: record.name,
                epoch: record.epoch,
            },
            id,
            hub,
            this: this.clone(),
            next: AtomicU64::new(state.bounds.next),
            state: Mutex::new(state),
            waiters: Arc::default(),
        })
    }

    pub(super) fn id(&self) -> u64 {
        self.id
    }

    pub(super) fn identity(&self) -> &Identity {
        &self.identity
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// What is stored of it, as of `state`.
    pub(super) fn record(&self, state: &State) -> record::Topic {
        record::Topic {
            epoch: self.identity.epoch,
            bounds: state.bounds,
            stored_from: state.stored_from,
            bytes: state.bytes,
            sequenced: state.sequenced,
            latest_time: state.latest_time,
            name: self.identity.name.clone(),
        }
    }

    /// A producer has been seen; returns the one that is forgotten for it.
    pub(super) fn remember(
        &self,
        producer: ProducerName,
        known: Known,
    ) -> Option<(ProducerName, Known)> {
        self.state().producers.seen(producer, known)
    }

    /// Messages are durable from now on, and so is everything else in `record`. `quiet` when there
    /// is little to do for the writer. Returns how many bytes were kept before.
    pub(super) fn appended(
        &self,
        record: &record::Topic,
        texts: Vec<Arc<str>>,
        quiet: bool,
    ) -> u64 {
        let mut state = self.state();
        let before = state.bytes;
        state.set(record);
        let time = record.latest_time;
        let messages = texts.into_iter().map(|data| Message { time, data });
        state.recent.extend(messages);
        state.keep_recent(record.bounds.earliest);
        state.used = Instant::now();
        self.next.store(record.bounds.next, Ordering::SeqCst);
        drop(state);
        self.hub.notifier.notify(&self.waiters, quiet);
        before
    }

    /// Retention has moved on.
    pub(super) fn retained(&self, record: &record::Topic) {
        let mut state = self.state();
        state.set(record);
        state.keep_recent(record.bounds.earliest);
    }

    /// No longer keeps in memory what is before `offset`.
    pub(super) fn forget_before(&self, offset: Offset) {
        self.state().keep_recent(offset);
    }

    /// What the engine has after it was opened anew: at least what was durable, and perhaps
    /// messages that it could not say to be.
    pub(super) fn recovered(&self, record: &record::Topic) {
        let mut state = self.state();
        if record.bounds.next != state.bounds.next {
            state.recent.clear();
        }
        state.set(record);
        state.producers = Producers::new(self.hub.limits.producers);
        self.next.store(record.bounds.next, Ordering::SeqCst);
        drop(state);
        self.hub.notifier.notify(&self.waiters, false);
    }

    /// Costs and times of up to `most` messages from `offset` on, as far as they are in memory;
    /// None where the first is not.
    pub(super) fn recent_costs(
        &self,
        offset: Offset,
        most: usize,
    ) -> Option<Vec<(u64, SystemTime)>> {
        let state = self.state();
        let skip = usize::try_from(offset.checked_sub(state.recent_from())?).ok()?;
        let costs = state.recent.iter().skip(skip).take(most);
        Some(
            costs
                .map(|m| (Message::retained_bytes(&m.data), m.time))
                .collect(),
        )
    }

    /// Whether there is a message at `offset`, or behind it.
    pub(super) fn is_before_the_end(&self, offset: Offset) -> bool {
        self.next.load(Ordering::SeqCst) > offset
    }

    /// Takes messages from `offset` on.
    pub(super) fn read(
        &self,
        offset: Offset,
        into: &mut VecDeque<Message>,
    ) -> Result<Found, Error> {
        let state = self.state();
        if offset < state.bounds.earliest {
            return Err(self.identity.out_of_range(offset, state.bounds));
        }
        if state.closed && offset < state.recent_from() {
            return Err(Error::Closed);
        }
        let Some(skip) = offset.checked_sub(state.recent_from()) else {
            return Ok(Found::Older(state.bounds.next));
        };
        let mut bytes = 0;
        // Not beyond the end, which is in memory.
        let recent = state.recent.iter().skip(skip as usize);
        for message in recent.take(READ_AHEAD_MESSAGES) {
            bytes += message.data.len();
            into.push_back(message.clone());
            if bytes >= READ_AHEAD_BYTES {
                break;
            }
        }
        match into.is_empty() {
            false => Ok(Found::Recent),
            true if state.closed => Err(Error::Closed),
            true => Ok(Found::End),
        }
    }

    /// Messages from `offset` on, from the disk.
    pub(super) fn load(self: &Arc<Self>, offset: Offset, next: Offset) -> Loading {
        let log = self.clone();
        let loading = self
            .hub
            .read(move |engine| engine.read(log.id, offset, next));
        let log = self.clone();
        loading
            .map(move |read| read.map_err(|e| log.not_read(offset, e)))
            .boxed()
    }

    /// Why a message that was kept a moment ago could not be read.
    fn not_read(&self, offset: Offset, why: super::engine::Failure) -> Error {
        let bounds = self.state().bounds;
        match offset < bounds.earliest {
            true => self.identity.out_of_range(offset, bounds),
            false => self.hub.not_read(&self.identity.name, offset, why),
        }
    }

    async fn start(self: &Arc<Self>, start: StartAt) -> Result<Offset, Error> {
        let bounds = self.bounds();
        let time = match self.identity.start(start, bounds)? {
            Start::At(offset) => return Ok(offset),
            Start::Since(time) => time,
        };
        {
            let state = self.state();
            let before = state.recent.partition_point(|m| m.time < time);
            // Of what is only on disk nothing is younger than the first that is not.
            if before > 0 || state.recent_from() <= state.bounds.earliest {
                return Ok(state.recent_from() + before as u64);
            }
        }
        let log = self.clone();
        let found = self
            .hub
            .read(move |engine| engine.since(log.id, time, bounds));
        let found = found.await.map_err(|e| self.not_read(bounds.earliest, e))?;
        Ok(found.max(self.bounds().earliest))
    }
}

impl State {
    /// The offset of the first of `recent`.
    fn recent_from(&self) -> Offset {
        self.bounds.next - self.recent.len() as u64
    }

    fn set(&mut self, record: &record::Topic) {
        self.bounds = record.bounds;
        self.stored_from = record.stored_from;
        self.bytes = record.bytes;
        self.sequenced = record.sequenced;
        self.latest_time = record.latest_time;
    }

    fn keep_recent(&mut self, from: Offset) {
        let old = from.saturating_sub(self.recent_from());
        let old = usize::try_from(old).unwrap_or(usize::MAX);
        self.recent.drain(..old.min(self.recent.len()));
    }
}

impl Life for DiskTopic {
    fn touch(&self) {
        self.state().used = Instant::now();
    }

    fn is_idle(&self, long: Duration) -> bool {
        let state = self.state();
        state.bounds.earliest == state.bounds.next && state.used.elapsed() >= long
    }

    fn close(&self) {
        self.state().closed = true;
        self.hub.notifier.notify(&self.waiters, false);
    }
}

impl Topic for DiskTopic {
    fn epoch(&self) -> Epoch {
        self.identity.epoch
    }

    fn bounds(&self) -> Bounds {
        self.state().bounds
    }

    fn append(
        &self,
        batch: Vec<Arc<str>>,
        sequence: Option<Sequence>,
    ) -> BoxFuture<'static, Result<Appended, Error>> {
        let (Some(log), false) = (self.this.upgrade(), self.state().closed) else {
            return future::ready(Err(Error::Closed)).boxed();
        };
        let (reply, answer) = oneshot::channel();
        let append = Append {
            log,
            batch,
            sequence,
            reply,
        };
        self.hub.work(Work::Append(append));
        let hub = self.hub.clone();
        // The writer has stopped if it does not answer.
        answer
            .map(move |answer| answer.unwrap_or_else(|_| Err(hub.stopped())))
            .boxed()
    }

    fn subscribe(
        self: Arc<Self>,
        start: StartAt,
    ) -> BoxFuture<'static, Result<Box<dyn Cursor>, Error>> {
        let subscribed = async move {
            let offset = self.start(start).await?;
            let cursor = DiskCursor::new(self, offset);
            Ok(Box::new(cursor) as Box<dyn Cursor>)
        };
        subscribed.boxed()
    }
}
