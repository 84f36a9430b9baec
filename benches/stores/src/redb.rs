//! redb: a copy-on-write B-tree in one file.

use std::path::Path;

use ::redb::{Database, Durability, ReadableDatabase, ReadableTable, TableDefinition};

use crate::store::{Group, Result, Store, Visit};
use crate::CACHE;

const BLOCKS: TableDefinition<'_, [u8; 16], &[u8]> = TableDefinition::new("blocks");
const TOPICS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("topics");
const PRODUCERS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("producers");

pub struct Redb {
    db: Database,
    quick_repair: bool,
}

impl Redb {
    /// `checked` verifies every page when it opens, not only after a crash.
    pub fn open(dir: &Path, quick_repair: bool, checked: bool) -> Result<Self> {
        std::fs::create_dir_all(dir)?;
        let db = Database::builder()
            .set_cache_size(CACHE)
            .set_check_integrity_on_open(checked)
            .create(dir.join("store.redb"))?;
        Ok(Redb { db, quick_repair })
    }
}

impl Store for Redb {
    fn commit(&self, group: Group) -> Result<()> {
        let mut write = self.db.begin_write()?;
        write.set_durability(Durability::Immediate)?;
        write.set_quick_repair(self.quick_repair);
        {
            let mut blocks = write.open_table(BLOCKS)?;
            for (key, value) in &group.blocks {
                blocks.insert(key, &value[..])?;
            }
            for key in &group.dropped {
                blocks.remove(key)?;
            }
            let mut topics = write.open_table(TOPICS)?;
            for (id, value) in &group.topics {
                topics.insert(id, &value[..])?;
            }
            let mut producers = write.open_table(PRODUCERS)?;
            for (key, value) in &group.producers {
                producers.insert(&key[..], &value[..])?;
            }
        }
        Ok(write.commit()?)
    }

    fn blocks(&self, topic: u64, from: u64, visit: &mut Visit<'_>) -> Result<()> {
        let table = self.db.begin_read()?.open_table(BLOCKS)?;
        let start = match table
            .range(crate::key(topic, 0)..=crate::key(topic, from))?
            .next_back()
        {
            Some(entry) => entry?.0.value(),
            None => crate::key(topic, from),
        };
        for entry in table.range(start..=crate::key(topic, u64::MAX))? {
            let (key, value) = entry?;
            if !visit(&key.value(), value.value())? {
                break;
            }
        }
        Ok(())
    }

    fn last(&self, topic: u64, visit: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
        let table = self.db.begin_read()?.open_table(BLOCKS)?;
        if let Some(entry) = table
            .range(crate::key(topic, 0)..=crate::key(topic, u64::MAX))?
            .next_back()
        {
            let (key, value) = entry?;
            visit(&key.value(), value.value());
        }
        Ok(())
    }

    fn topics(&self, visit: &mut dyn FnMut(u64, &[u8])) -> Result<()> {
        for entry in self.db.begin_read()?.open_table(TOPICS)?.iter()? {
            let (key, value) = entry?;
            visit(key.value(), value.value());
        }
        Ok(())
    }

    fn producers(&self, visit: &mut dyn FnMut(&[u8], &[u8])) -> Result<()> {
        for entry in self.db.begin_read()?.open_table(PRODUCERS)?.iter()? {
            let (key, value) = entry?;
            visit(key.value(), value.value());
        }
        Ok(())
    }

    fn reclaim(&mut self) -> Result<()> {
        self.db.compact()?;
        Ok(())
    }
}
