//! A copy of the engine's files, to look at what is in them without changing them: the engine mends
//! what it opens.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

use tempfile::TempDir;

/// Where the engine has the files that it writes once and then only reads or removes.
const TABLES: &str = "tables";

/// A copy in the folder for temporary files, which is gone when this is dropped. The tables, nearly
/// all of the bytes, are links.
pub(super) fn snapshot(store: &Path) -> io::Result<TempDir> {
    let copied = tempfile::Builder::new()
        .prefix("greeter-topics-")
        .tempdir()?;
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
