//! What every topic on disk shares, and the threads that read.

use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;
use std::sync::{Arc, PoisonError, RwLock};

use futures::executor::ThreadPool;
use futures::future::{self, BoxFuture, FutureExt};
use futures::task::SpawnExt;

use super::engine::{Engine, Failure};
use super::writer::Work;
use crate::topic::notifier::Notifier;
use crate::topic::{Error, Limits, Name, Offset, Retention};

#[derive(Debug)]
pub(super) struct Hub {
    /// What whoever runs the server calls it.
    pub(super) dir: PathBuf,
    pub(super) retention: Retention,
    pub(super) limits: Limits,
    pub(super) notifier: Notifier,
    engine: RwLock<Result<Arc<Engine>, Failure>>,
    /// Reading blocks, which completion queues must not.
    readers: ThreadPool,
    writer: Sender<Work>,
}

impl Hub {
    pub(super) fn new(
        dir: &Path,
        retention: Retention,
        limits: Limits,
        notifier: Notifier,
        engine: Arc<Engine>,
        readers: ThreadPool,
        writer: Sender<Work>,
    ) -> Self {
        Self {
            dir: dir.to_owned(),
            retention,
            limits,
            notifier,
            engine: RwLock::new(Ok(engine)),
            readers,
            writer,
        }
    }

    /// Has the writer do something. Without one nothing is done, and nobody is answered.
    pub(super) fn work(&self, work: Work) {
        let _ = self.writer.send(work);
    }

    /// Reads on a thread that may block. Nothing is read once nobody waits for it.
    pub(super) fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Engine) -> Result<T, Failure> + Send + 'static,
    ) -> BoxFuture<'static, Result<T, Failure>> {
        let engine = match &*self.engine.read().unwrap_or_else(PoisonError::into_inner) {
            Ok(engine) => engine.clone(),
            Err(failure) => return future::ready(Err(failure.clone())).boxed(),
        };
        let reading = self.readers.spawn_with_handle(async move { read(&engine) });
        match reading {
            Ok(reading) => reading.boxed(),
            Err(e) => future::ready(Err(Failure::Unusable(e.to_string()))).boxed(),
        }
    }

    /// From now on the engine is this one, or there is none and why.
    pub(super) fn set_engine(&self, engine: Result<Arc<Engine>, Failure>) {
        *self.engine.write().unwrap_or_else(PoisonError::into_inner) = engine;
    }

    /// What publishers are told while nothing can be written.
    pub(super) fn not_written(&self, why: &Failure) -> Error {
        Error::Storage {
            dir: self.dir.clone(),
            why: why.to_string(),
        }
    }

    /// What a subscriber is told that cannot have a message which is kept.
    pub(super) fn not_read(&self, topic: &Name, offset: Offset, why: Failure) -> Error {
        match why {
            Failure::Unusable(why) => Error::Storage {
                dir: self.dir.clone(),
                why,
            },
            Failure::Damaged(why) => {
                log::error!(
                    "topic {topic} in {} cannot be read at offset {offset}: {why}",
                    self.dir.display()
                );
                Error::Damaged {
                    topic: topic.clone(),
                    offset,
                    dir: self.dir.clone(),
                }
            }
        }
    }
}
