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

/// What some editors put before UTF-8 text.
const UTF8_MARK: &[u8] = b"\xef\xbb\xbf";

/// What stands before text in UTF-16, in either order of bytes.
const UTF16_MARKS: [&[u8]; 2] = [b"\xff\xfe", b"\xfe\xff"];

/// Reads a whole text file of up to 16 MiB, without the byte order mark that may stand before UTF-8.
/// Blocks.
///
/// # Errors
///
/// When the file cannot be read, is longer than 16 MiB, or is in UTF-16.
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
        Ok(_) if UTF16_MARKS.iter().any(|mark| bytes.starts_with(mark)) => {
            Err(FileError::new(path, "is in UTF-16; save it as UTF-8"))
        }
        Ok(_) => {
            if bytes.starts_with(UTF8_MARK) {
                bytes.drain(..UTF8_MARK.len());
            }
            Ok(bytes)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_byte_order_mark_is_no_part_of_a_text() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let read = |contents: &[u8]| {
            fs::write(&path, contents).unwrap();
            read(&path)
        };
        for (contents, text) in [
            (&b"\xef\xbb\xbfann"[..], &b"ann"[..]),
            (b"\xef\xbb\xbf", b""),
            (b"\xef\xbb", b"\xef\xbb"),
            // One only: a second is a character.
            (b"\xef\xbb\xbf\xef\xbb\xbfa", b"\xef\xbb\xbfa"),
            (b"a\xef\xbb\xbf", b"a\xef\xbb\xbf"),
        ] {
            assert_eq!(read(contents).as_deref(), Ok(text));
        }
        for utf16 in [&b"\xff\xfea\0"[..], b"\xfe\xff\0a"] {
            let why = read(utf16).unwrap_err().to_string();
            assert!(
                why.ends_with("file: is in UTF-16; save it as UTF-8"),
                "{why}"
            );
        }
    }
}
