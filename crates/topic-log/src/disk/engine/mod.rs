//! The storage engine: nothing else knows which it is.
//!
//! It is fjall, a log-structured merge tree behind one journal; `docs/storage.md` says why.
//!
//! Everything is in one of its trees, so that what is committed together stays together even where
//! the journal is cut. The first byte of a key says what it is of: a block of messages, a topic, a
//! producer, or the store.

mod batch;

use std::collections::VecDeque;
use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use fjall::config::{BlockSizePolicy, CompressionPolicy, FilterPolicy};
use fjall::{CompressionType, Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use self::batch::Batch;
use super::block::{self, nanos, BlockKey};
use super::checksum::Damaged;
use super::failure::Failure;
use super::journal::cut_last_batch;
use super::snapshot::snapshot;
use super::{manifest, record};
use crate::catch_panic::catch_panic;
use crate::message::Message;
use crate::name::ProducerName;
use crate::offset::{Bounds, Offset};

/// Memory for what is read again and again.
const CACHE_BYTES: u64 = 16 * 1024 * 1024;

/// A read takes so much, or a little more, counted as retention counts.
const READ_BYTES: u64 = 64 * 1024;

/// So much is in memory before it is written to a file of its own, besides the journal.
const MEMTABLE_BYTES: u64 = 32 * 1024 * 1024;

/// Threads that write these files and merge them.
const WORKERS: usize = 2;

/// How long merging files may take to end once they are closed.
const CLOSED_WITHIN: Duration = Duration::from_secs(15);

/// How often it is looked whether the engine has merged enough of its tables.
const WAIT: Duration = Duration::from_millis(2);

/// The key of the epoch of new topics.
const EPOCH: &[u8] = b"s/epoch";

/// A key that is written only to have something to write.
const RECLAIMED: &[u8] = b"s/reclaimed";

pub(super) struct Engine {
    database: Database,
    tree: Keyspace,
}

impl Engine {
    /// Makes an engine's files in an empty folder.
    pub(super) fn create(store: &Path) -> Result<(), Failure> {
        guarded(|| {
            let engine = Self::opened(store)?;
            let mut batch = engine.batch();
            batch.epoch(first_epoch());
            engine.commit(batch)?;
            engine.sync()
        })
    }

    /// Opens an engine's files, and mends what a crash has left.
    pub(super) fn open(store: &Path) -> Result<Self, Failure> {
        guarded(|| {
            manifest::check(store)?;
            match Self::opened(store) {
                Err(fjall::Error::JournalRecovery(why)) => Self::without_torn_batch(store, &why),
                opened => Ok(opened?),
            }
        })
    }

    /// Opens files whose journal fjall does not: where that is because of its last batch, a power
    /// failure has torn it, and nobody was told of it.
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

    /// The same, once this process is done with the files.
    pub(super) fn open_when_closed(store: &Path) -> Result<Self, Failure> {
        let started = Instant::now();
        loop {
            match Self::open(store) {
                Err(Failure::StillOpen) if started.elapsed() < CLOSED_WITHIN => {}
                opened => return opened,
            }
        }
    }

    /// Has `look` look at a copy of an engine's files, which stay what they are.
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
            // The least that there can be: what is behind it is read again when it is opened.
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

    pub(super) fn topics(&self) -> Result<Vec<(u64, record::Topic)>, Failure> {
        let topics = self.tree.prefix([record::TOPIC]).map(|entry| {
            let (key, value) = entry.into_inner()?;
            record::Topic::decode(&key, &value).map_err(|Damaged| damaged("a topic"))
        });
        guarded(|| topics.collect())
    }

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
            let value = self.tree.get(EPOCH)?.ok_or_else(|| damaged("the epoch"))?;
            record::epoch(EPOCH, &value).map_err(|Damaged| damaged("the epoch"))
        })
    }

    /// Messages of a topic from `offset` on, at least one: `next` is behind it.
    pub(super) fn read(
        &self,
        topic: u64,
        offset: Offset,
        next: Offset,
    ) -> Result<VecDeque<Message>, Failure> {
        guarded(|| {
            let mut messages = VecDeque::new();
            let mut bytes = 0;
            let mut expected = offset;
            let missing = |offset| Failure::Damaged(format!("no message is at offset {offset}"));
            for block in self.blocks_from(topic, offset, next)? {
                let block = block.and_then(|(place, value)| {
                    if place.first > expected {
                        return Err(missing(expected));
                    }
                    let what = || damaged(&format!("the block at offset {}", place.first));
                    block::decode(place, &value, offset).map_err(|Damaged| what())
                });
                match block {
                    Ok(block) => {
                        let before = messages.len();
                        messages.extend(block.messages());
                        expected = offset + messages.len() as u64;
                        let read = messages.range(before..);
                        bytes += read.map(|m| Message::retained_bytes(&m.data)).sum::<u64>();
                    }
                    // What is before it can be told; who reads on is told of it.
                    Err(_) if !messages.is_empty() => break,
                    Err(why) => return Err(why),
                }
                if bytes >= READ_BYTES {
                    break;
                }
            }
            // Another thread may have written more than `next` says.
            messages.truncate(usize::try_from(next - offset).unwrap_or(usize::MAX));
            match messages.is_empty() {
                true => Err(missing(offset)),
                false => Ok(messages),
            }
        })
    }

    /// Where the last block of a topic ends, if there is one.
    pub(super) fn end(&self, topic: u64) -> Result<Option<Offset>, Failure> {
        guarded(|| {
            let mut blocks = self.tree.range(key(topic, 0)..=key(topic, Offset::MAX));
            let Some(last) = blocks.next_back() else {
                return Ok(None);
            };
            let (key, value) = last.into_inner()?;
            let place = place_of(&key)?;
            let block = block::decode(place, &value, place.first);
            let block = block.map_err(|Damaged| damaged("the last block of a topic"))?;
            Ok(Some(place.first + block.texts.len() as u64))
        })
    }

    /// The offset of the first message that was received at `time` or later.
    pub(super) fn since(
        &self,
        topic: u64,
        time: SystemTime,
        bounds: Bounds,
    ) -> Result<Offset, Failure> {
        let Bounds { earliest, next } = bounds;
        // Whatever is before `low` is older, and whatever is from `high` on is not.
        let (mut low, mut high) = (earliest, next);
        while low < high {
            let middle = low + (high - low) / 2;
            let (place, block) = guarded(|| {
                let mut blocks = self.blocks_from(topic, middle, next)?;
                let block = blocks.next().ok_or_else(|| damaged("a block"))?;
                let (place, value) = block?;
                let block = block::decode(place, &value, place.first);
                Ok((place, block.map_err(|Damaged| damaged("a block"))?))
            })?;
            // All messages of a block came at one time.
            match block.time < time {
                true => low = place.first + block.texts.len() as u64,
                // Blocks before it may have gone since.
                false => high = place.first.min(middle),
            }
        }
        Ok(low.clamp(earliest, next))
    }

    /// The blocks that have messages from `offset` on and before `next`.
    fn blocks_from(
        &self,
        topic: u64,
        offset: Offset,
        next: Offset,
    ) -> Result<impl Iterator<Item = Result<(BlockKey, fjall::Slice), Failure>>, Failure> {
        let wanted = key(topic, offset);
        // Looking for a block that begins there costs less than looking backwards.
        let first = match self.tree.contains_key(wanted)? {
            true => wanted,
            false => match self.tree.range(key(topic, 0)..=wanted).next_back() {
                Some(entry) => place_of(&entry.key()?)?.key(),
                None => wanted,
            },
        };
        Ok(self.tree.range(first..key(topic, next)).map(|entry| {
            let (key, value) = entry.into_inner()?;
            Ok((place_of(&key)?, value))
        }))
    }

    pub(super) fn batch(&self) -> Batch<'_> {
        Batch {
            engine: self,
            // Nothing stays in this process.
            batch: self.database.batch().durability(Some(PersistMode::Buffer)),
        }
    }

    /// Hands a batch over to the operating system. It may be read from then on.
    pub(super) fn commit(&self, batch: Batch<'_>) -> Result<(), Failure> {
        self.wait_for_room()?;
        guarded(|| Ok(batch.batch.commit()?))
    }

    /// Returns once everything that was committed is on the disk.
    pub(super) fn sync(&self) -> Result<(), Failure> {
        guarded(|| Ok(self.database.persist(PersistMode::SyncData)?))
    }

    /// Writes what is only in the journal into a file of its own.
    fn write_anew(&self) -> Result<(), Failure> {
        guarded(|| Ok(self.tree.rotate_memtable()?))?;
        self.wait_until(|| self.tree.sealed_memtable_count() == 0)?;
        self.sync()
    }

    /// Gives back the space of what has been removed. Takes as long as writing everything that is
    /// kept, and the engine merges nothing else meanwhile.
    pub(super) fn reclaim(&self) -> Result<(), Failure> {
        self.write_anew()?;
        guarded(|| Ok(self.tree.major_compact()?))?;
        // The engine removes files that it has merged only when it has another one to write.
        let mut batch = self.batch();
        batch.batch.insert(&self.tree, RECLAIMED, b"");
        self.commit(batch)?;
        self.write_anew()
    }

    /// The engine makes a commit wait when its tables are too many, and would wait for ever once
    /// the threads that merge them have failed.
    fn wait_for_room(&self) -> Result<(), Failure> {
        self.wait_until(|| self.tree.sealed_memtable_count() < 3 && self.tree.l0_table_count() < 16)
    }

    fn wait_until(&self, done: impl Fn() -> bool) -> Result<(), Failure> {
        while !done() {
            // Fails once one of its threads has.
            guarded(|| Ok(self.database.persist(PersistMode::Buffer)?))?;
            std::thread::sleep(WAIT);
        }
        Ok(())
    }
}

/// What the engine does, its panics contained: a damaged file can cause one.
fn guarded<T>(f: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_panic(f)
        .unwrap_or_else(|why| Err(Failure::Damaged(format!("the engine panicked: {why}"))))
}

/// The key of a block of this topic that begins at `first`.
fn key(topic: u64, first: Offset) -> [u8; 17] {
    BlockKey { topic, first }.key()
}

fn place_of(key: &[u8]) -> Result<BlockKey, Failure> {
    BlockKey::of_key(key).map_err(|Damaged| damaged("a key"))
}

/// Other than that of any folder that was made before.
fn first_epoch() -> u64 {
    nanos(SystemTime::now())
}

fn damaged(what: &str) -> Failure {
    Failure::Damaged(format!("{what} is not what was written"))
}

impl From<fjall::Error> for Failure {
    fn from(e: fjall::Error) -> Self {
        match e {
            fjall::Error::Io(e) | fjall::Error::Storage(fjall::LsmError::Io(e)) => e.into(),
            fjall::Error::Poisoned => Self::Unusable("an earlier write has failed".to_owned()),
            fjall::Error::Locked => Self::StillOpen,
            e => Self::Damaged(e.to_string()),
        }
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Engine")
    }
}
