//! Reads the files that settings name.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The longest file that is read, in bytes.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// Why a file that a setting names cannot be used: its path, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {why}", path.display())]
pub struct FileError {
    path: PathBuf,
    why: String,
}

impl FileError {
    /// `why` says what is wrong and what to do. The error shows it after the path and a colon.
    pub fn new(path: &Path, why: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            why: why.into(),
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Reads a whole file of up to 16 MiB. Blocks.
///
/// # Errors
///
/// When the file cannot be read, or is longer than 16 MiB.
pub fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes));
    match read {
        Err(e) => Err(FileError::new(path, format!("cannot be read: {e}"))),
        Ok(_) if bytes.len() as u64 > MAX_BYTES => {
            let why =
                format!("has more than {MAX_BYTES} bytes, which is too long; give another file");
            Err(FileError::new(path, why))
        }
        Ok(_) => Ok(bytes),
    }
}
