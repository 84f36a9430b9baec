//! The engine's own list of its files, looked at before the engine does.
//!
//! On opening, fjall takes what its list does not name for left over, and removes it. It does not
//! check the list: with a byte of it changed it may begin anew and remove everything. So the list is
//! checked here, and nothing is opened where it is not what was written.
//!
//! Of each of fjall's trees, `keyspaces/N`, the file `current` names the list that counts: its
//! number and its XXH3 of 128 bits, in little-endian, and a zero for the kind of checksum. The list
//! is the file `vNUMBER` (lsm-tree 3, `version/persist.rs`).
//!
//! Where it finds no journal, `NUMBER.jnl`, it begins one with batches that are numbered from 0 on,
//! and on the next opening takes them for older than its tables, and drops them (fjall 3.1,
//! `db.rs`).

use std::fs::{self, File, TryLockError};
use std::path::Path;

use xxhash_rust::xxh3::xxh3_128;

use super::failure::Failure;
use super::journal::journals;

/// fjall's own tree, and ours.
const TREES: [&str; 2] = ["0", "1"];

/// Whether the engine would find all of its files.
pub(super) fn check(store: &Path) -> Result<(), Failure> {
    // Who has them open still changes them.
    if let Ok(lock) = File::open(store.join("lock")) {
        if let Err(TryLockError::WouldBlock) = lock.try_lock() {
            return Err(Failure::StillOpen);
        }
    }
    // Without it the engine would begin anew.
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
    match xxh3_128(&bytes) == u128::from_le_bytes(*sum) {
        true => Ok(()),
        false => Err(wrong(&list, "is not what was written")),
    }
}

fn wrong(path: &Path, what: &str) -> Failure {
    Failure::Damaged(format!("{} {what}", path.display()))
}
