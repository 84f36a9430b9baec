//! Topics on disk, in one folder.
//!
//! # Promises
//!
//! A message that was acknowledged or delivered is there after the process is killed, once, at its
//! offset; with [`Durability::Synced`] also after the machine has lost power. The same holds for
//! the sequence numbers of producers and for the epochs of topics. Messages that retention has
//! dropped may be there again after a power failure, until they are dropped again.
//!
//! # Layers
//!
//! From bottom to top; no file knows one that is above it.
//!
//! | file | what |
//! |---|---|
//! | [`checksum`], [`block`], [`record`] | what is stored, byte by byte |
//! | [`failure`], [`open_error`], [`settings`] | why something does not work, and what the user decides |
//! | [`journal`], [`manifest`], [`snapshot`] | what is checked and mended before the engine opens its files |
//! | [`engine`] | the storage engine; nothing else knows which one it is |
//! | [`folder`], [`summary`] | the folder, its lock and format; what is in a folder that no store uses |
//! | [`shared_engine`], [`readers`] | the engine as all threads share it, and the threads that read |
//! | [`entry`] | what there is of one topic |
//! | [`group`] | which batches are accepted, and what they change |
//! | [`repeats`] | whether what is sent again is what is stored |
//! | [`oldest`], [`memory_budget`], [`loaded`], [`reclaim`] | retention, what is in memory, what is loaded, disk space |
//! | [`work`], [`writer`] | the thread that writes for all publishers, a group at a time |
//! | [`disk_topic`] | the handle of a topic |
//!
//! `docs/storage.md` in the repository says why it is this engine, and how fast it is.

mod block;
mod checksum;
mod disk_topic;
mod engine;
mod entry;
mod failure;
mod folder;
mod group;
mod journal;
mod loaded;
mod manifest;
mod memory_budget;
mod oldest;
mod open_error;
mod readers;
mod reclaim;
mod record;
mod repeats;
mod settings;
mod shared_engine;
mod snapshot;
mod summary;
mod work;
mod writer;

use std::fmt;
use std::path::Path;
use std::sync::mpsc::channel;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use futures::future::{self, BoxFuture, FutureExt};
use parking_lot::Mutex;

pub use self::open_error::OpenError;
pub use self::settings::Durability;
pub use self::summary::TopicSummary;

use self::disk_topic::{DiskTopic, Shared};
use self::engine::Engine;
use self::entry::Entry;
use self::failure::Failure;
use self::folder::Folder;
use self::loaded::Loaded;
use self::readers::Readers;
use self::settings::Settings;
use self::shared_engine::SharedEngine;
use self::work::Work;
use self::writer::Writer;
use crate::catch_panic::catch_panic;
use crate::clock::Clock;
use crate::error::Error;
use crate::identity::Identity;
use crate::limits::StoreLimits;
use crate::name::Name;
use crate::notifier::Notifier;
use crate::offset::Epoch;
use crate::registry::{Registry, SWEEP_EVERY};
use crate::retention::Retention;
use crate::store::{Store, Topic};
use crate::tail::HasTail;

/// How long closing waits for the engine, which may be merging files.
const ENGINE_CLOSED_WITHIN: Duration = Duration::from_millis(500);

/// The store that keeps topics in a folder.
///
/// It runs one thread that writes, two that read, and one that wakes subscribers. Dropping the store
/// closes it.
pub struct Disk {
    limits: StoreLimits,
    notifier: Arc<Notifier>,
    shared: Arc<Shared>,
    topics: Arc<Mutex<Registry<Entry>>>,
    next: Mutex<Next>,
    writer: Mutex<Option<JoinHandle<()>>>,
    /// Dropped last, which unlocks it.
    _folder: Arc<Folder>,
}

/// What the next new topic gets.
struct Next {
    id: u64,
    /// Higher than the epoch of any topic that had a message and was dropped. The epoch of a topic
    /// that never had one may be used again, because no offset of it means anything.
    epoch: u64,
}

impl Disk {
    /// Opens the topics in `dir`. The folder is created if it does not exist; only its owner may
    /// enter it then.
    ///
    /// `retention` and `limits` may differ from those of an earlier store. A topic that has too much
    /// for a lower retention drops it within seconds.
    ///
    /// # Errors
    ///
    /// See [`OpenError`].
    ///
    /// # Panics
    ///
    /// When the operating system refuses to start the thread that wakes subscribers.
    pub fn open(
        dir: &Path,
        durability: Durability,
        retention: Retention,
        limits: StoreLimits,
    ) -> Result<Self, OpenError> {
        Self::open_at(dir, Clock::default(), durability, retention, limits)
    }

    /// The same as [`open`](Self::open), with a clock that can be moved.
    ///
    /// # Errors
    ///
    /// See [`OpenError`].
    ///
    /// # Panics
    ///
    /// See [`open`](Self::open).
    #[cfg(feature = "conformance")]
    pub fn open_with_clock(
        dir: &Path,
        clock: Clock,
        durability: Durability,
        retention: Retention,
        limits: StoreLimits,
    ) -> Result<Self, OpenError> {
        Self::open_at(dir, clock, durability, retention, limits)
    }

    fn open_at(
        dir: &Path,
        clock: Clock,
        durability: Durability,
        retention: Retention,
        limits: StoreLimits,
    ) -> Result<Self, OpenError> {
        let folder = Arc::new(Folder::open(dir)?);
        let opened = Engine::open_when_closed(&folder.store()).and_then(|engine| {
            let loaded = Loaded::load(&engine)?;
            Ok((Arc::new(engine), loaded))
        });
        let (engine, loaded) = opened.map_err(|why| folder.not_opened(why))?;
        log::info!("topics in {}: {loaded}", dir.display());
        let now = clock.begin(loaded.latest_time());
        let notifier = Arc::new(Notifier::start(SWEEP_EVERY, || {}));
        let mut forgotten = Vec::new();
        let entries = loaded.topics.iter().map(|(id, record)| {
            let name = record.name.clone();
            let mut record = record.clone();
            record.times.observe(now, record.bounds);
            let entry = Entry::stored(record, *id, limits.producers, notifier.clone());
            let entry = Arc::new(entry);
            forgotten.extend(loaded.remember(&entry));
            (name, entry)
        });
        let topics = Arc::new(Mutex::new(Registry::new(entries)));
        let shared_engine = Arc::new(SharedEngine::new(dir, &folder, engine.clone()));
        let (sender, work) = channel();
        let writer = Writer::new(
            shared_engine.clone(),
            engine,
            work,
            Arc::downgrade(&topics),
            Settings {
                clock,
                durability,
                retention,
                limits,
            },
            &loaded,
            forgotten,
        );
        let shared = Shared {
            readers: Readers::start(shared_engine.clone()).map_err(OpenError::Thread)?,
            engine: shared_engine.clone(),
            writer: sender,
        };
        let writer = thread::Builder::new()
            .name("topics-write".to_owned())
            .spawn(move || run(writer, &shared_engine))
            .map_err(OpenError::Thread)?;
        Ok(Self {
            limits,
            notifier,
            shared: Arc::new(shared),
            topics,
            next: Mutex::new(Next {
                id: loaded.next_id(),
                epoch: loaded.epoch,
            }),
            writer: Mutex::new(Some(writer)),
            _folder: folder,
        })
    }

    /// The topics in `dir`, by name. Nothing in the folder changes. No store may use it.
    ///
    /// # Errors
    ///
    /// See [`OpenError`].
    pub fn list(dir: &Path) -> Result<Vec<TopicSummary>, OpenError> {
        summary::list(dir)
    }

    fn find_or_create(&self, name: &Name) -> Result<Arc<Entry>, Error> {
        let mut topics = self.topics.lock();
        if let Some(entry) = topics.find(name)? {
            return Ok(entry);
        }
        let mut next = self.next.lock();
        for entry in topics.make_room(&self.limits)? {
            // Nothing is stored of a topic that never had a message.
            if entry.tail().lock().bounds.next > 0 {
                next.epoch += 1;
                self.shared.hand_over(Work::Remove(entry, next.epoch));
            }
        }
        let identity = Identity {
            name: name.clone(),
            epoch: Epoch(next.epoch),
        };
        let (producers, notifier) = (self.limits.producers, self.notifier.clone());
        let entry = Arc::new(Entry::new(identity, next.id, producers, notifier));
        next.id += 1;
        topics.insert(name.clone(), entry.clone());
        Ok(entry)
    }

    /// Closes the engine, also for topics that are still held. Everything is durable by now, and so
    /// nothing is lost when the process ends before the engine has merged its files.
    fn close_engine(&self) {
        let engine = self.shared.engine.get();
        let closed = Failure::Unusable("they are closed".to_owned());
        self.shared.engine.set(Err(closed));
        let (done, closed) = channel::<()>();
        let _ = thread::Builder::new()
            .name("topics-close".to_owned())
            .spawn(move || {
                drop(engine);
                drop(done);
            });
        let _ = closed.recv_timeout(ENGINE_CLOSED_WITHIN);
    }
}

/// Runs the writer. Has publishers refused when it panics, which is a bug.
fn run(writer: Writer, engine: &SharedEngine) {
    if let Err(why) = catch_panic(|| writer.run()) {
        let why = format!("the thread that writes has panicked: {why}; open the store again");
        log::error!("topics in {}: {why}", engine.dir().display());
        engine.set(Err(Failure::Unusable(why)));
    }
}

impl Store for Disk {
    fn topic(&self, name: &Name) -> BoxFuture<'static, Result<Arc<dyn Topic>, Error>> {
        let topic = self.find_or_create(name).map(|entry| {
            let topic = DiskTopic::new(entry, self.shared.clone());
            Arc::new(topic) as Arc<dyn Topic>
        });
        future::ready(topic).boxed()
    }

    fn close(&self) {
        self.topics.lock().close();
        self.shared.hand_over(Work::Stop);
        if let Some(writer) = self.writer.lock().take() {
            // It does not panic: its panics are caught.
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
            .field("limits", &self.limits)
            .field("shared", &self.shared)
            .finish_non_exhaustive()
    }
}
