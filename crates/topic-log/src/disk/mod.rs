//! All topics on disk, in one folder of one server.
//!
//! # What is promised
//!
//! A message that was acknowledged or told to a subscriber is there after the process is killed,
//! once, at its offset; with [`Durability::Synced`] also after the machine has lost power. So are
//! the sequence numbers of producers and the epochs of topics. What retention has dropped may be
//! there again after a power failure, until it is dropped again.
//!
//! # How
//!
//! | file | what |
//! |---|---|
//! | [`folder`] | whose folder it is, and in which format |
//! | [`engine`] | the storage engine: nothing else knows which it is |
//! | [`manifest`], [`journal`] | what is checked, and mended, before the engine opens its files |
//! | [`block`], [`record`], [`checksum`] | what is stored, byte by byte |
//! | [`writer`], [`group`] | one thread that writes for everyone, a group at a time |
//! | [`retention`], [`reclaim`] | what is no longer kept, and its disk space |
//! | [`stored`] | what is loaded when a folder is opened, or opened again after a failure |
//! | [`topic`], [`cursor`], [`memory_budget`] | a topic: its bounds, its subscribers, its last messages in memory |
//! | [`hub`] | what all topics share, and the threads that read |
//! | [`summary`], [`snapshot`] | what is in a folder that no server uses |
//!
//! `docs/storage.md` says why this engine, and what it was measured at.

mod block;
mod checksum;
mod cursor;
mod engine;
mod folder;
mod group;
mod hub;
mod journal;
mod manifest;
mod memory_budget;
mod open_error;
mod reclaim;
mod record;
mod retention;
mod snapshot;
mod stored;
mod summary;
mod topic;
mod writer;

use std::fmt;
use std::path::Path;
use std::sync::mpsc::channel;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use futures::executor::ThreadPool;
use parking_lot::{Mutex, RwLock};

pub use self::open_error::OpenError;
pub use self::summary::{list, TopicSummary};

use self::engine::{Engine, Failure};
use self::folder::Folder;
use self::hub::Hub;
use self::stored::Stored;
use self::topic::DiskTopic;
use self::writer::{Work, Writer};
use crate::catch_panic::catch_panic;
use crate::error::Error;
use crate::identity::Identity;
use crate::limits::Limits;
use crate::name::Name;
use crate::notifier::Notifier;
use crate::offset::Epoch;
use crate::registry::{Registry, SWEEP_EVERY};
use crate::retention::Retention;
use crate::store::{Store, Topic};

/// Threads that read what is not in memory.
const READERS: usize = 2;

/// How long closing waits for the engine, which may be merging files.
const ENGINE_CLOSED_WITHIN: Duration = Duration::from_millis(500);

/// What has to be safe before a publisher is answered and a subscriber told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// The message is on the disk: nothing is lost when the machine loses power.
    Synced,
    /// The message is with the operating system, and on the disk within this time: so much may be
    /// lost when the machine loses power or its kernel stops, and nothing when the process does.
    Within(Duration),
}

/// The store that keeps topics in a folder.
pub struct Disk {
    hub: Arc<Hub>,
    topics: Arc<Mutex<Registry<DiskTopic>>>,
    next: Mutex<Next>,
    writer: Mutex<Option<JoinHandle<()>>>,
    /// Unlocked last.
    _folder: Arc<Folder>,
}

/// Of the topic that is made next.
struct Next {
    id: u64,
    /// Higher than that of any topic that had a message and is no more. A topic that never had one
    /// may get its epoch again: no offset of it means anything.
    epoch: u64,
}

impl Disk {
    /// The topics in `dir`, which comes into being if it is not there.
    ///
    /// # Errors
    ///
    /// See [`OpenError`].
    pub fn open(
        dir: &Path,
        durability: Durability,
        retention: Retention,
        limits: Limits,
    ) -> Result<Self, OpenError> {
        let folder = Arc::new(Folder::open(dir)?);
        let opened = Engine::open_when_closed(&folder.store()).and_then(|engine| {
            let stored = Stored::load(&engine)?;
            Ok((Arc::new(engine), stored))
        });
        let (engine, stored) = opened.map_err(|why| folder.not_opened(why))?;
        ::log::info!("topics in {}: {stored}", dir.display());
        let started = |source| OpenError::Thread(source);
        let readers = ThreadPool::builder()
            .pool_size(READERS)
            .name_prefix("topics-read-")
            .create()
            .map_err(started)?;
        let (sender, work) = channel();
        let notifier = Notifier::start(SWEEP_EVERY, || {});
        let hub = Arc::new(Hub {
            dir: dir.to_owned(),
            store: folder.store(),
            folder: Arc::downgrade(&folder),
            retention,
            limits,
            notifier,
            engine: RwLock::new(Ok(engine)),
            readers,
            writer: sender,
        });
        let mut forgotten = Vec::new();
        let topics = stored.topics.iter().map(|(id, record)| {
            let log = DiskTopic::stored(record.clone(), *id, hub.clone());
            forgotten.extend(stored.remember(*id, &log));
            (record.name.clone(), log)
        });
        let topics = Arc::new(Mutex::new(Registry::new(topics)));
        let writer = Writer::new(
            hub.clone(),
            work,
            Arc::downgrade(&topics),
            durability,
            &stored,
            forgotten,
        );
        let writer = std::thread::Builder::new()
            .name("topics-write".to_owned())
            .spawn({
                let hub = hub.clone();
                move || run(writer, &hub)
            })
            .map_err(started)?;
        Ok(Self {
            hub,
            topics,
            next: Mutex::new(Next {
                id: stored.next_id(),
                epoch: stored.epoch,
            }),
            writer: Mutex::new(Some(writer)),
            _folder: folder,
        })
    }

    /// Whoever still holds a topic must not keep the files. Everything is safe by now: a server that
    /// stops need not wait for the engine to merge its files.
    fn close_engine(&self) {
        let engine = self.hub.engine();
        let closed = Failure::Unusable("they are closed".to_owned());
        self.hub.set_engine(Err(closed));
        let (done, closed) = channel::<()>();
        let _ = std::thread::Builder::new()
            .name("topics-close".to_owned())
            .spawn(move || {
                drop(engine);
                drop(done);
            });
        let _ = closed.recv_timeout(ENGINE_CLOSED_WITHIN);
    }
}

/// Has publishers refused when the writer panics, which is a mistake of ours.
fn run(writer: Writer, hub: &Hub) {
    if let Err(why) = catch_panic(|| writer.run()) {
        let why = format!("the thread that writes has panicked: {why}; open the store again");
        ::log::error!("topics in {}: {why}", hub.dir.display());
        hub.set_engine(Err(Failure::Unusable(why)));
    }
}

impl Store for Disk {
    fn topic(&self, name: &Name) -> Result<Arc<dyn Topic>, Error> {
        let mut topics = self.topics.lock();
        if let Some(log) = topics.find(name)? {
            return Ok(log);
        }
        let mut next = self.next.lock();
        for log in topics.make_room(&self.hub.limits)? {
            // Of one without messages nothing is stored.
            if log.bounds().next > 0 {
                next.epoch += 1;
                self.hub.work(Work::Remove(log, next.epoch));
            }
        }
        let identity = Identity {
            name: name.clone(),
            epoch: Epoch(next.epoch),
        };
        let log = DiskTopic::new(identity, next.id, self.hub.clone());
        next.id += 1;
        topics.insert(name.clone(), log.clone());
        Ok(log)
    }

    fn close(&self) {
        self.topics.lock().close();
        self.hub.work(Work::Stop);
        if let Some(writer) = self.writer.lock().take() {
            // It has contained its panics.
            let _ = writer.join();
            self.close_engine();
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk")
            .field("hub", &self.hub)
            .finish_non_exhaustive()
    }
}
