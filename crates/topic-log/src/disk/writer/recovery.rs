//! How the engine is opened again after a failure.

use std::collections::HashSet;
use std::sync::Arc;

use super::open::{Open, Removed};
use crate::disk::engine::Engine;
use crate::disk::entry::Entry;
use crate::disk::failure::Failure;
use crate::disk::folder::probe;
use crate::disk::journal::write_again;
use crate::disk::loaded::Loaded;
use crate::disk::shared_engine::SharedEngine;

/// Opens the engine again, checks that it has everything that was acknowledged, and changes the
/// `topics` to what it has.
pub(super) fn reopen(
    shared: &SharedEngine,
    topics: &[Arc<Entry>],
    removed: &mut Removed,
) -> Result<Open, Failure> {
    shared.check_folder()?;
    probe(shared.files())?;
    write_again(shared.files())?;
    // Fails as long as a reader still uses the files.
    let engine = Arc::new(Engine::open(shared.files())?);
    let loaded = Loaded::load(&engine)?;
    for entry in topics {
        loaded.check(entry)?;
    }
    // The group that failed may be stored, with a topic that was dropped since.
    let known: HashSet<_> = topics.iter().map(|entry| entry.id()).collect();
    let stored = loaded.topics.keys().copied();
    removed.topics = stored.filter(|id| !known.contains(id)).collect();
    // Subscribers that are woken now may read.
    shared.set(Ok(engine.clone()));
    let forgotten = topics.iter().flat_map(|entry| loaded.restore(entry));
    let forgotten = forgotten.collect();
    Ok(Open::new(engine, &loaded, forgotten))
}
