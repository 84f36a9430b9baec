//! Files that settings name.

use std::error::Error;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// More than any file that a setting names has.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// Why a file that a setting names is of no use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileError {
    path: PathBuf,
    why: String,
}

impl FileError {
    pub(crate) fn new(path: &Path, why: impl Into<String>) -> Self {
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

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.why)
    }
}

impl Error for FileError {}

/// The whole of a file, of up to 16 MiB.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes));
    match read {
        Err(e) => Err(FileError::new(path, format!("cannot be read: {e}"))),
        Ok(_) if bytes.len() as u64 > MAX_BYTES => {
            let why = format!("has more than {MAX_BYTES} bytes, which no such file has");
            Err(FileError::new(path, why))
        }
        Ok(_) => Ok(bytes),
    }
}
