//! fjall: a log-structured merge tree behind one journal.

use std::path::Path;

use ::fjall::config::{BlockSizePolicy, CompressionPolicy, FilterPolicy};
use ::fjall::{
    CompressionType, Database, Iter, Keyspace, KeyspaceCreateOptions, KvSeparationOptions,
    PersistMode,
};

use crate::store::{Group, Result, Store, Visit};
use crate::CACHE;

/// What becomes of the blocks' values.
#[derive(Clone, Copy, PartialEq)]
pub enum Values {
    /// All settings are the engine's own
    Default,
    /// In the tree as they are
    Plain,
    /// In the tree, compressed
    Lz4,
    /// Beside the tree, in files of their own
    Blobs,
}

pub struct Fjall {
    db: Database,
    blocks: Part,
    topics: Part,
    producers: Part,
}

/// The entries of one kind: a keyspace, or all keys of one that begin with this.
struct Part {
    keyspace: Keyspace,
    prefix: &'static [u8],
}

impl Part {
    fn key(&self, key: &[u8]) -> Vec<u8> {
        [self.prefix, key].concat()
    }

    fn entries(&self, from: &[u8], to: &[u8]) -> Iter {
        self.keyspace.range(self.key(from)..=self.key(to))
    }

    /// All entries; no key of ours is longer than 256 bytes.
    fn all(&self, mut visit: impl FnMut(&[u8], &[u8]) -> Result<()>) -> Result<()> {
        for guard in self.entries(&[], &[u8::MAX; 256]) {
            let (key, value) = guard.into_inner()?;
            visit(&key[self.prefix.len()..], &value)?;
        }
        Ok(())
    }
}

impl Fjall {
    /// With `one`, everything is in one keyspace.
    pub fn open(dir: &Path, values: Values, one: bool, memtable: u64) -> Result<Self> {
        let builder = Database::builder(dir).cache_size(CACHE as u64);
        let builder = match values {
            Values::Default => builder,
            // A compressed journal costs every commit; what it saves is gone with the next flush.
            _ => builder
                .journal_compression(CompressionType::None)
                .max_journaling_size(64 << 20),
        };
        let db = builder.open()?;
        let options = |memtable| {
            if values == Values::Default {
                return KeyspaceCreateOptions::default();
            }
            let compression = match values {
                Values::Lz4 => CompressionType::Lz4,
                _ => CompressionType::None,
            };
            KeyspaceCreateOptions::default()
                .max_memtable_size(memtable)
                // Blocks are read by ranges only, which no filter helps.
                .filter_policy(FilterPolicy::disabled())
                .data_block_size_policy(BlockSizePolicy::all(16 << 10))
                .data_block_compression_policy(CompressionPolicy::all(compression))
                .with_kv_separation((values == Values::Blobs).then(|| {
                    KvSeparationOptions::default()
                        .compression(CompressionType::None)
                        .separation_threshold(512)
                }))
        };
        let part = |name: &'static str, memtable| -> Result<Part> {
            let (keyspace, prefix) = if one {
                ("log", &name.as_bytes()[..1])
            } else {
                (name, &[][..])
            };
            Ok(Part {
                keyspace: db.keyspace(keyspace, || options(memtable))?,
                prefix,
            })
        };
        Ok(Fjall {
            blocks: part("blocks", memtable)?,
            topics: part("topics", memtable.min(4 << 20))?,
            producers: part("producers", memtable.min(4 << 20))?,
            db,
        })
    }
}

impl Store for Fjall {
    fn commit(&self, group: Group) -> Result<()> {
        let mut batch = self.db.batch().durability(Some(PersistMode::SyncData));
        for (key, value) in group.blocks {
            batch.insert(&self.blocks.keyspace, self.blocks.key(&key), value);
        }
        for key in group.dropped {
            batch.remove(&self.blocks.keyspace, self.blocks.key(&key));
        }
        for (id, value) in group.topics {
            batch.insert(
                &self.topics.keyspace,
                self.topics.key(&id.to_be_bytes()),
                value,
            );
        }
        for (key, value) in group.producers {
            batch.insert(&self.producers.keyspace, self.producers.key(&key), value);
        }
        Ok(batch.commit()?)
    }

    fn blocks(&self, topic: u64, from: u64, visit: &mut Visit<'_>) -> Result<()> {
        let prefix = self.blocks.prefix.len();
        let start = match self
            .blocks
            .entries(&crate::key(topic, 0), &crate::key(topic, from))
            .next_back()
        {
            Some(guard) => guard.key()?[prefix..].to_vec(),
            None => crate::key(topic, from).to_vec(),
        };
        for guard in self.blocks.entries(&start, &crate::key(topic, u64::MAX)) {
            let (key, value) = guard.into_inner()?;
            if !visit(&key[prefix..], &value)? {
                break;
            }
        }
        Ok(())
    }

    fn last(&self, topic: u64, visit: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
        if let Some(guard) = self
            .blocks
            .entries(&crate::key(topic, 0), &crate::key(topic, u64::MAX))
            .next_back()
        {
            let (key, value) = guard.into_inner()?;
            visit(&key[self.blocks.prefix.len()..], &value);
        }
        Ok(())
    }

    fn topics(&self, visit: &mut dyn FnMut(u64, &[u8])) -> Result<()> {
        self.topics.all(|key, value| {
            visit(u64::from_be_bytes(key.try_into()?), value);
            Ok(())
        })
    }

    fn producers(&self, visit: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
        self.producers.all(|key, value| {
            visit(key, value);
            Ok(())
        })
    }

    fn reclaim(&mut self) -> Result<()> {
        for part in [&self.blocks, &self.topics, &self.producers] {
            part.keyspace.rotate_memtable_and_wait()?;
            part.keyspace.major_compact()?;
        }
        Ok(())
    }
}
