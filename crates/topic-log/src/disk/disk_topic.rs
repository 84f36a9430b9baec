//! The handle of a topic on disk: it reads the tail, has older messages read from disk, and hands
//! batches to the writer.

use std::sync::mpsc::Sender;
use std::sync::Arc;

use futures::channel::oneshot;
use futures::future::{self, BoxFuture, FutureExt};

use super::engine::Engine;
use super::entry::Entry;
use super::failure::Failure;
use super::group::Append;
use super::readers::Readers;
use super::shared_engine::SharedEngine;
use super::work::Work;
use crate::append::{Appended, Sequence};
use crate::error::Error;
use crate::identity::{Identity, Start};
use crate::name::ProducerName;
use crate::offset::{Bounds, Epoch, Offset};
use crate::start_at::StartAt;
use crate::store::{Cursor, Topic};
use crate::tail::{HasTail, Tail};
use crate::tail_cursor::{Loading, Readable, TailCursor};

/// What all topics of a store use.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) engine: Arc<SharedEngine>,
    pub(super) readers: Readers,
    pub(super) writer: Sender<Work>,
}

#[derive(Debug)]
pub(super) struct DiskTopic {
    entry: Arc<Entry>,
    shared: Arc<Shared>,
}

impl Shared {
    /// Hands work to the writer. After the writer has ended nothing is done, and a batch is not
    /// answered.
    pub(super) fn hand_over(&self, work: Work) {
        let _ = self.writer.send(work);
    }
}

impl DiskTopic {
    pub(super) fn new(entry: Arc<Entry>, shared: Arc<Shared>) -> Self {
        Self { entry, shared }
    }

    fn identity(&self) -> &Identity {
        self.entry.identity()
    }

    async fn start(&self, start: StartAt) -> Result<Offset, Error> {
        let bounds = self.bounds();
        let time = match self.identity().resolve(start, bounds)? {
            Start::At(offset) => return Ok(offset),
            Start::Since(time) => time,
        };
        let times = {
            let state = self.state();
            let (found, recent_from) = (state.since(time), state.recent_from());
            // No message that is only on disk is younger than a recent one.
            if found > recent_from || recent_from <= state.bounds.earliest {
                return Ok(found);
            }
            state.times.clone()
        };
        let id = self.entry.id();
        let since = move |e: &Engine| e.since(id, time, bounds, &times);
        let found = self.shared.readers.read(since).await;
        let found = found.map_err(|why| self.unreadable(bounds.earliest, why))?;
        Ok(found.max(self.bounds().earliest))
    }

    /// Why a message that was kept a moment ago could not be read.
    fn unreadable(&self, offset: Offset, why: Failure) -> Error {
        let bounds = self.bounds();
        if offset < bounds.earliest {
            self.identity().out_of_range(offset, bounds)
        } else {
            let name = &self.identity().name;
            self.shared.engine.unreadable(name, offset, why)
        }
    }
}

impl HasTail for DiskTopic {
    fn tail(&self) -> &Tail {
        self.entry.tail()
    }
}

impl Readable for DiskTopic {
    fn load(self: Arc<Self>, offset: Offset, next: Offset) -> Loading {
        let id = self.entry.id();
        let loading = self.shared.readers.read(move |e| e.read(id, offset, next));
        loading
            .map(move |read| {
                let mut messages = read.map_err(|why| self.unreadable(offset, why))?;
                let times = self.state().times.clone();
                for (offset, message) in (offset..).zip(&mut messages) {
                    message.time = times.at(offset, message.time);
                }
                Ok(messages)
            })
            .boxed()
    }
}

impl Topic for DiskTopic {
    fn epoch(&self) -> Epoch {
        self.identity().epoch
    }

    fn bounds(&self) -> Bounds {
        self.state().bounds
    }

    fn append(
        &self,
        batch: Vec<Arc<str>>,
        sequence: Option<Sequence>,
    ) -> BoxFuture<'static, Result<Appended, Error>> {
        if let Err(closed) = self.state().check_open() {
            return future::ready(Err(closed)).boxed();
        }
        let (reply, answer) = oneshot::channel();
        self.shared.hand_over(Work::Append(Append {
            entry: self.entry.clone(),
            batch,
            sequence,
            reply,
        }));
        let shared = self.shared.clone();
        answer
            .map(move |answer| answer.unwrap_or_else(|_| Err(shared.engine.unanswered())))
            .boxed()
    }

    fn expected(&self, producer: &ProducerName) -> BoxFuture<'static, Result<u64, Error>> {
        future::ready(self.state().expected(producer)).boxed()
    }

    fn subscribe(
        self: Arc<Self>,
        start: StartAt,
    ) -> BoxFuture<'static, Result<Box<dyn Cursor>, Error>> {
        let subscribed = async move {
            let offset = self.start(start).await?;
            Ok(Box::new(TailCursor::new(self, offset)) as Box<dyn Cursor>)
        };
        subscribed.boxed()
    }
}
