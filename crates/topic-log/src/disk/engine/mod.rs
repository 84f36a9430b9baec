//! The storage engine. Nothing else knows which one it is.
//!
//! It is fjall, a log-structured merge tree with one journal. `docs/storage.md` in the repository
//! says why.
//!
//! Everything is in one tree, so that what is committed together stays together even where the
//! journal is cut. The first byte of a key says what it belongs to: a block of messages, a topic, a
//! producer, or the store.

mod batch;
mod blocks;
mod faults;

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use fjall::config::{BlockSizePolicy, CompressionPolicy, FilterPolicy};
use fjall::{CompressionType, Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use self::batch::Batch;
use self::faults::{damaged, guarded};
use super::block::nanos;
use super::checksum::Damaged;
use super::failure::Failure;
use super::journal::cut_last_batch;
use super::snapshot::snapshot;
use super::{manifest, record};
use crate::message::Message;
use crate::name::ProducerName;
use crate::offset::{Bounds, Offset};
use crate::times::Times;

/// Memory for what is read again and again.
const CACHE_BYTES: u64 = 16 * 1024 * 1024;

/// What is written is in memory up to this size, besides in the journal, before it is written to a
/// file of its own.
const MEMTABLE_BYTES: u64 = 32 * 1024 * 1024;

/// Threads that write these files and merge them.
const WORKERS: usize = 2;

/// How long the engine may take to finish merging files once it is closed.
const CLOSED_WITHIN: Duration = Duration::from_secs(15);

/// The pause between two looks at whether the engine has merged enough of its tables.
const WAIT: Duration = Duration::from_millis(2);

pub(super) struct Engine {
    database: Database,
    tree: Keyspace,
}

impl Engine {
    /// Creates the files of an engine in an empty folder.
    pub(super) fn create(store: &Path) -> Result<(), Failure> {
        guarded(|| {
            let engine = Self::opened(store)?;
            let mut batch = engine.batch();
            batch.epoch(first_epoch());
            engine.commit(batch)?;
            engine.sync()
        })
    }

    /// Opens the files of an engine, and mends what a crash has left.
    pub(super) fn open(store: &Path) -> Result<Self, Failure> {
        guarded(|| {
            manifest::check(store)?;
            match Self::opened(store) {
                Err(fjall::Error::JournalRecovery(why)) => Self::without_torn_batch(store, &why),
                opened => Ok(opened?),
            }
        })
    }

    /// Opens files whose journal fjall refuses. If that is only because of the last batch, a power
    /// failure has torn it before anything in it was acknowledged.
    fn without_torn_batch(store: &Path, why: &dyn fmt::Debug) -> Result<Self, Failure> {
        let tried = snapshot(store)?;
        cut_last_batch(tried.path())?;
        if Self::opened(tried.path()).is_err() {
            let why = format!("its journal is not what was written: {why:?}");
            return Err(Failure::Damaged(why));
        }
        log::warn!(
            "the last batch in the journal of {} is torn, as by a power failure, and is dropped",
            store.display()
        );
        cut_last_batch(store)?;
        Ok(Self::opened(store)?)
    }

    /// The same as [`open`](Self::open). Waits until this process no longer uses the files.
    pub(super) fn open_when_closed(store: &Path) -> Result<Self, Failure> {
        let started = Instant::now();
        loop {
            match Self::open(store) {
                Err(Failure::StillOpen) if started.elapsed() < CLOSED_WITHIN => {}
                opened => return opened,
            }
        }
    }

    /// Runs `look` with a copy of the files of an engine, which do not change.
    pub(super) fn look_at<T>(
        store: &Path,
        look: impl FnOnce(&Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        manifest::check(store)?;
        let copy = snapshot(store).map_err(|e| {
            let folder = std::env::temp_dir();
            let folder = folder.display();
            Failure::Unusable(format!(
                "a copy of the journal cannot be made in {folder}: {e}; name another folder for \
                 temporary files with TMPDIR"
            ))
        })?;
        let engine = Self::open(copy.path())?;
        look(&engine)
    }

    fn opened(store: &Path) -> fjall::Result<Self> {
        let database = Database::builder(store)
            .cache_size(CACHE_BYTES)
            // The smallest size that is possible: all of it is read again on opening.
            .max_journaling_size(64 * 1024 * 1024)
            // Publishers would wait for it.
            .journal_compression(CompressionType::None)
            .worker_threads(WORKERS)
            .open()?;
        let tree = database.keyspace("topics", || {
            KeyspaceCreateOptions::default()
                .max_memtable_size(MEMTABLE_BYTES)
                // Blocks are read in their order, where no filter helps.
                .filter_policy(FilterPolicy::disabled())
                .data_block_size_policy(BlockSizePolicy::all(16 * 1024))
                .data_block_compression_policy(CompressionPolicy::all(CompressionType::Lz4))
        })?;
        Ok(Self { database, tree })
    }

    /// All topics, by their numbers.
    pub(super) fn topics(&self) -> Result<Vec<(u64, record::Topic)>, Failure> {
        let topics = self.tree.prefix([record::TOPIC]).map(|entry| {
            let (key, value) = entry.into_inner()?;
            record::Topic::decode(&key, &value).map_err(|Damaged| damaged("a topic"))
        });
        let turns = self.tree.prefix([record::TURNS]).map(|entry| {
            let (key, value) = entry.into_inner()?;
            record::Turns::decode(&key, &value).map_err(|Damaged| damaged("a turn of the clock"))
        });
        guarded(|| {
            let mut turns = turns.collect::<Result<HashMap<_, _>, Failure>>()?;
            let topics = topics.map(|topic| {
                let (id, mut topic) = topic?;
                let turns = turns.remove(&id).filter(|turns| turns.epoch == topic.epoch);
                topic.times.turns = turns.map_or_else(Vec::new, |turns| turns.turns);
                Ok((id, topic))
            });
            topics.collect()
        })
    }

    /// The producers of all topics.
    pub(super) fn producers(&self) -> Result<Vec<(u64, ProducerName, record::Producer)>, Failure> {
        let producers = self.tree.prefix([record::PRODUCER]).map(|entry| {
            let (key, value) = entry.into_inner()?;
            record::Producer::decode(&key, &value).map_err(|Damaged| damaged("a producer"))
        });
        guarded(|| producers.collect())
    }

    /// The epoch of new topics.
    pub(super) fn epoch(&self) -> Result<u64, Failure> {
        guarded(|| {
            let value = self.tree.get(record::EPOCH)?;
            let value = value.ok_or_else(|| damaged("the epoch"))?;
            record::decode_epoch(&value).map_err(|Damaged| damaged("the epoch"))
        })
    }

    /// Messages of a topic from `offset` on, at least one. `next` is the offset behind the last.
    pub(super) fn read(
        &self,
        topic: u64,
        offset: Offset,
        next: Offset,
    ) -> Result<VecDeque<Message>, Failure> {
        blocks::read(&self.tree, topic, offset, next)
    }

    /// The offset behind the last block of a topic. `None` if it has no block.
    pub(super) fn end(&self, topic: u64) -> Result<Option<Offset>, Failure> {
        blocks::end(&self.tree, topic)
    }

    /// The offset of the first message that was received at `time` or later.
    pub(super) fn since(
        &self,
        topic: u64,
        time: SystemTime,
        bounds: Bounds,
        times: &Times,
    ) -> Result<Offset, Failure> {
        blocks::since(&self.tree, topic, time, bounds, times)
    }

    /// An empty batch.
    pub(super) fn batch(&self) -> Batch<'_> {
        Batch::new(&self.database, &self.tree)
    }

    /// Hands a batch to the operating system. It can be read from then on.
    pub(super) fn commit(&self, batch: Batch<'_>) -> Result<(), Failure> {
        self.wait_for_room()?;
        guarded(|| Ok(batch.commit()?))
    }

    /// Returns once everything that was committed is on the disk.
    pub(super) fn sync(&self) -> Result<(), Failure> {
        guarded(|| Ok(self.database.persist(PersistMode::SyncData)?))
    }

    /// Writes what is only in the journal and in memory to a file of its own.
    fn write_anew(&self) -> Result<(), Failure> {
        guarded(|| Ok(self.tree.rotate_memtable()?))?;
        self.wait_until(|| self.tree.sealed_memtable_count() == 0)?;
        self.sync()
    }

    /// Gives back the space of what has been removed. Takes as long as writing everything that is
    /// kept. The engine merges nothing else meanwhile.
    pub(super) fn reclaim(&self) -> Result<(), Failure> {
        self.write_anew()?;
        guarded(|| Ok(self.tree.major_compact()?))?;
        // The engine removes the files that it has merged only when it has another one to write.
        let mut batch = self.batch();
        batch.mark();
        self.commit(batch)?;
        self.write_anew()
    }

    /// Waits while the engine has too many tables. It would make a commit wait itself, and forever
    /// once the threads that merge them have failed.
    fn wait_for_room(&self) -> Result<(), Failure> {
        self.wait_until(|| self.tree.sealed_memtable_count() < 3 && self.tree.l0_table_count() < 16)
    }

    fn wait_until(&self, done: impl Fn() -> bool) -> Result<(), Failure> {
        while !done() {
            // Fails once one of the engine's threads has failed.
            guarded(|| Ok(self.database.persist(PersistMode::Buffer)?))?;
            thread::sleep(WAIT);
        }
        Ok(())
    }
}

/// An epoch that no folder has used that was created before.
fn first_epoch() -> u64 {
    nanos(SystemTime::now())
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Engine")
    }
}
