//! What every topic on disk shares, and the threads that read.

use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Weak};

use futures::executor::ThreadPool;
use futures::future::{self, BoxFuture, FutureExt};
use futures::task::SpawnExt;
use parking_lot::RwLock;

use super::engine::{Engine, Failure};
use super::folder::Folder;
use super::writer::Work;
use crate::error::Error;
use crate::limits::Limits;
use crate::name::Name;
use crate::notifier::Notifier;
use crate::offset::Offset;
use crate::retention::Retention;

#[derive(Debug)]
pub(super) struct Hub {
    /// What whoever runs the server calls it.
    pub(super) dir: PathBuf,
    /// Where the engine has its files.
    pub(super) store: PathBuf,
    /// The store's, so that whoever holds a topic does not keep the folder.
    pub(super) folder: Weak<Folder>,
    pub(super) retention: Retention,
    pub(super) limits: Limits,
    pub(super) notifier: Notifier,
    pub(super) engine: RwLock<Result<Arc<Engine>, Failure>>,
    /// Reading blocks, which completion queues must not.
    pub(super) readers: ThreadPool,
    pub(super) writer: Sender<Work>,
}

impl Hub {
    /// Fails once the folder is no longer where it was.
    pub(super) fn folder_is_there(&self) -> Result<(), Failure> {
        self.folder
            .upgrade()
            .map_or(Ok(()), |folder| folder.is_there())
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
        let engine = match self.engine() {
            Ok(engine) => engine,
            // Whatever it is, it says nothing of the message.
            Err(why) => return future::ready(Err(Failure::Unusable(why.to_string()))).boxed(),
        };
        let reading = self.readers.spawn_with_handle(async move { read(&engine) });
        match reading {
            Ok(reading) => reading.boxed(),
            Err(e) => future::ready(Err(Failure::Unusable(e.to_string()))).boxed(),
        }
    }

    /// The engine, or why there is none.
    pub(super) fn engine(&self) -> Result<Arc<Engine>, Failure> {
        self.engine.read().clone()
    }

    /// From now on the engine is this one, or there is none and why.
    pub(super) fn set_engine(&self, engine: Result<Arc<Engine>, Failure>) {
        *self.engine.write() = engine;
    }

    /// What is said while nothing can be written, or read.
    pub(super) fn unusable(&self, why: &Failure) -> Error {
        Error::Storage {
            dir: self.dir.clone(),
            why: why.to_string(),
        }
    }

    /// What a publisher is told when the writer does not answer.
    pub(super) fn stopped(&self) -> Error {
        match self.engine() {
            Err(why) => self.unusable(&why),
            Ok(_) => Error::Closed,
        }
    }

    /// What a subscriber is told that cannot have a message which is kept.
    pub(super) fn not_read(&self, topic: &Name, offset: Offset, why: Failure) -> Error {
        match why {
            Failure::Unusable(_) | Failure::StillOpen => self.unusable(&why),
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
