//! What is done to the engine's journal before the engine opens it.
//!
//! fjall's journals are the files `NUMBER.jnl`. It writes to the one with the highest number. A batch
//! in it ends with a tag, a checksum of eight bytes, and [`END`] (fjall 3.1, `journal/entry.rs`).

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// The last bytes of every batch.
const END: &[u8] = b"FJL\x03";

/// The journals of a store. The one that is written to is the last.
pub(super) fn journals(store: &Path) -> io::Result<Vec<PathBuf>> {
    let mut journals = Vec::new();
    for entry in fs::read_dir(store)? {
        let path = entry?.path();
        let number = path
            .file_stem()
            .and_then(|stem| stem.to_str()?.parse().ok());
        if let (Some(number), true) = (number, path.extension() == Some("jnl".as_ref())) {
            journals.push((number, path));
        }
    }
    journals.sort_by_key(|(number, _): &(u64, _)| *number);
    Ok(journals.into_iter().map(|(_, path)| path).collect())
}

/// Writes the contents of the journals again, in place. After a failed sync the operating system may
/// return what never reached the disk, and take it for written. Whatever follows it in the journal
/// would be lost with it.
pub(super) fn write_again(store: &Path) -> io::Result<()> {
    let mut chunk = vec![0; 1024 * 1024];
    for path in journals(store)? {
        let file = File::options().read(true).write(true).open(path)?;
        let mut at = 0;
        loop {
            let read = file.read_at(&mut chunk, at)?;
            if read == 0 {
                break;
            }
            file.write_all_at(&chunk[..read], at)?;
            at += read as u64;
        }
        file.sync_all()?;
    }
    Ok(())
}

/// Cuts off the last batch, in which a power failure may have left a hole.
pub(super) fn cut_last_batch(store: &Path) -> io::Result<()> {
    let Some(path) = journals(store)?.pop() else {
        return Ok(());
    };
    let journal = fs::read(&path)?;
    let ends = journal.windows(END.len()).rposition(|four| four == END);
    let before = ends.and_then(|last| {
        let before = journal[..last].windows(END.len());
        before.rev().position(|four| four == END).map(|n| last - n)
    });
    let file = File::options().write(true).open(path)?;
    // This drops an incomplete batch behind it as well.
    file.set_len(before.unwrap_or(0) as u64)?;
    file.sync_all()
}
