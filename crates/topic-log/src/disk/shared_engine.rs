//! The engine as all threads of a store share it: open, or closed for a reason.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use parking_lot::RwLock;

use super::engine::Engine;
use super::failure::Failure;
use super::folder::Folder;
use crate::error::Error;
use crate::name::Name;
use crate::offset::Offset;

#[derive(Debug)]
pub(super) struct SharedEngine {
    /// The folder, by the name that the user gave it.
    dir: PathBuf,
    /// Where the engine has its files.
    files: PathBuf,
    /// Weak, so that a topic that is still held does not keep the folder locked.
    folder: Weak<Folder>,
    engine: RwLock<Result<Arc<Engine>, Failure>>,
}

impl SharedEngine {
    pub(super) fn new(dir: &Path, folder: &Arc<Folder>, engine: Arc<Engine>) -> Self {
        Self {
            dir: dir.to_owned(),
            files: folder.store(),
            folder: Arc::downgrade(folder),
            engine: RwLock::new(Ok(engine)),
        }
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn files(&self) -> &Path {
        &self.files
    }

    /// The engine, or the reason why it is closed.
    pub(super) fn get(&self) -> Result<Arc<Engine>, Failure> {
        self.engine.read().clone()
    }

    /// Replaces the engine, or the reason why it is closed.
    pub(super) fn set(&self, engine: Result<Arc<Engine>, Failure>) {
        *self.engine.write() = engine;
    }

    /// Fails once the folder is no longer where it was.
    pub(super) fn check_folder(&self) -> Result<(), Failure> {
        match self.folder.upgrade() {
            Some(folder) => folder.is_there(),
            None => Ok(()),
        }
    }

    /// The error while nothing can be written or read.
    pub(super) fn unusable(&self, why: &Failure) -> Error {
        Error::Storage {
            dir: self.dir.clone(),
            why: why.to_string(),
        }
    }

    /// The error for a publisher that the writer does not answer.
    pub(super) fn unanswered(&self) -> Error {
        match self.get() {
            Err(why) => self.unusable(&why),
            Ok(_) => Error::Closed,
        }
    }

    /// The error for a subscriber when a message that is kept cannot be read.
    pub(super) fn unreadable(&self, topic: &Name, offset: Offset, why: Failure) -> Error {
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
