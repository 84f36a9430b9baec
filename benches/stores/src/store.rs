//! What both engines have to do, and nothing of how.

use std::error::Error;
use std::path::Path;

use crate::fjall::{Fjall, Values};
use crate::redb::Redb;

pub type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Sees a key and a value, and says whether to go on.
pub type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> Result<bool> + 'a;

/// One group commit: all of it or nothing, synced when `commit` returns.
#[derive(Default)]
pub struct Group {
    /// Key and value of new blocks of messages
    pub blocks: Vec<([u8; 16], Vec<u8>)>,
    /// Keys of blocks at the old end that go
    pub dropped: Vec<[u8; 16]>,
    /// Topic id, and its earliest offset and name
    pub topics: Vec<(u64, Vec<u8>)>,
    /// Topic id and producer, and the first and the next of its sequence numbers
    pub producers: Vec<(Vec<u8>, [u8; 16])>,
}

pub trait Store: Send + Sync {
    fn commit(&self, group: Group) -> Result<()>;

    /// The blocks of a topic in order, from the one that holds `from`, until `visit` says false.
    fn blocks(&self, topic: u64, from: u64, visit: &mut Visit<'_>) -> Result<()>;

    /// The last block of a topic.
    fn last(&self, topic: u64, visit: &mut dyn FnMut(&[u8], &[u8])) -> Result<()>;

    fn topics(&self, visit: &mut dyn FnMut(u64, &[u8])) -> Result<()>;

    fn producers(&self, visit: &mut dyn FnMut(&[u8], &[u8])) -> Result<()>;

    /// What the engine offers beyond its usual work to give disk back.
    fn reclaim(&mut self) -> Result<()>;
}

/// The engines, and the settings that a column may name.
pub const ENGINES: [&str; 7] = [
    "fjall",
    "fjall-default",
    "fjall-three",
    "fjall-lz4",
    "fjall-blobs",
    "redb",
    "redb-quick",
];

/// Opens or creates; `memtable` bounds fjall's, in bytes, and means nothing to redb.
pub fn open(engine: &str, dir: &Path, memtable: u64) -> Result<Box<dyn Store>> {
    let fjall = |values, one| {
        Fjall::open(dir, values, one, memtable).map(|store| Box::new(store) as Box<dyn Store>)
    };
    let redb = |quick, checked| {
        Redb::open(dir, quick, checked).map(|store| Box::new(store) as Box<dyn Store>)
    };
    match engine {
        "fjall" => fjall(Values::Plain, true),
        "fjall-default" => fjall(Values::Default, false),
        "fjall-three" => fjall(Values::Plain, false),
        "fjall-lz4" => fjall(Values::Lz4, true),
        "fjall-blobs" => fjall(Values::Blobs, true),
        "redb" => redb(false, false),
        "redb-quick" => redb(true, false),
        "redb-checked" => redb(false, true),
        other => Err(format!("no engine called {other}").into()),
    }
}
