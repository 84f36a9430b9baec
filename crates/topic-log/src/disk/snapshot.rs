//! A copy of the engine's files, in which they can be opened without changing the originals. The
//! engine mends what it opens.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

use tempfile::TempDir;

/// The folders with the files that the engine writes once, and then only reads or removes.
const TABLES: &str = "tables";

/// Copies the files in `store` to a temporary folder, which is removed when it is dropped. The
/// tables, which are nearly all of the bytes, are links.
pub(super) fn snapshot(store: &Path) -> io::Result<TempDir> {
    let copied = tempfile::Builder::new().prefix("topic-log-").tempdir()?;
    copy_folder(&fs::canonicalize(store)?, copied.path())?;
    Ok(copied)
}

fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    let is_tables = from.file_name().is_some_and(|name| name == TABLES);
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            fs::create_dir(&target)?;
            copy_folder(&source, &target)?;
        } else if is_tables {
            symlink(&source, &target)?;
        } else {
            fs::copy(&source, &target)?;
        }
    }
    Ok(())
}
