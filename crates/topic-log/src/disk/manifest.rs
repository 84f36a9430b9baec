//! Checks the engine's own list of its files, before the engine reads it.
//!
//! When fjall opens its files, it takes those that its list does not name for leftovers, and removes
//! them. It does not check the list: when one byte of it has changed, fjall may remove all of
//! them and begin with an empty store. So the list is checked here. If it is not what was written,
//! nothing is opened.
//!
//! Each of fjall's trees is a folder `keyspaces/N`. Its file `current` names the list that counts, by
//! number and by the 128 bits of its XXH3, both little-endian, and a zero for the kind of checksum.
//! The list is the file `vNUMBER` (lsm-tree 3, `version/persist.rs`).
//!
//! Where fjall finds no journal (`NUMBER.jnl`), it begins one whose batches are numbered from 0 on.
//! The next time it takes them for older than its tables, and drops them (fjall 3.1, `db.rs`).

use std::fs::{self, File, TryLockError};
use std::path::Path;

use xxhash_rust::xxh3::xxh3_128;

use super::failure::Failure;
use super::journal::journals;

/// The tree of fjall itself, and the tree with the topics.
const TREES: [&str; 2] = ["0", "1"];

/// Checks that the engine will find all of its files.
pub(super) fn check(store: &Path) -> Result<(), Failure> {
    // While the engine has its files open, it changes them.
    if let Ok(lock) = File::open(store.join("lock")) {
        if let Err(TryLockError::WouldBlock) = lock.try_lock() {
            return Err(Failure::StillOpen);
        }
    }
    // Without this file the engine would begin with an empty store.
    let version = store.join("version");
    if !version.try_exists()? {
        return Err(wrong(&version, "is missing"));
    }
    if journals(store)?.is_empty() {
        return Err(wrong(&store.join("*.jnl"), "is missing"));
    }
    TREES
        .iter()
        .try_for_each(|tree| check_tree(&store.join("keyspaces").join(tree)))
}

fn check_tree(tree: &Path) -> Result<(), Failure> {
    let path = tree.join("current");
    let current = match fs::read(&path) {
        Ok(current) => current,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            return Err(wrong(&path, "is missing"))
        }
        Err(e) => return Err(e.into()),
    };
    let parts = current
        .split_first_chunk::<8>()
        .and_then(|(number, rest)| Some((number, rest.split_first_chunk::<16>()?)));
    let Some((number, (sum, [0]))) = parts else {
        return Err(wrong(&path, "is not what was written"));
    };
    let list = tree.join(format!("v{}", u64::from_le_bytes(*number)));
    let bytes = match fs::read(&list) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            return Err(wrong(&path, "names a list that is missing"))
        }
        Err(e) => return Err(e.into()),
    };
    if xxh3_128(&bytes) == u128::from_le_bytes(*sum) {
        Ok(())
    } else {
        Err(wrong(&list, "is not what was written"))
    }
}

fn wrong(path: &Path, what: &str) -> Failure {
    Failure::Damaged(format!("{} {what}", path.display()))
}
