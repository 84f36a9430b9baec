//! Why a folder of topics cannot be opened.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why the topics in a folder cannot be opened. Its text names the file, what is wrong, and what to
/// do about it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The folder, or a file in it, cannot be created, read or written.
    #[error(
        "topics cannot be kept in {}: {source}; let this user write there, or use another folder",
        .path.display()
    )]
    Folder {
        /// The folder or file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Another process, or another store of this process, uses the folder.
    #[error("another process uses the topics in {}; stop it, or use another folder", .0.display())]
    InUse(PathBuf),
    /// There are no topics in the folder.
    #[error("there are no topics in {}; name a folder that a store has used", .0.display())]
    Empty(PathBuf),
    /// The format of the files is not one that this version knows.
    #[error(
        "{} contains {found:?}, and this version knows only format {known}; use the version that \
         wrote it, or use another folder",
        .path.display()
    )]
    Format {
        /// The file that names the format.
        path: PathBuf,
        /// What it contains.
        found: String,
        /// The format that this version knows.
        known: u32,
    },
    /// The files are not what was written.
    #[error(
        "the topics in {} are damaged: {why}; put back a copy of the folder, or move it away to \
         begin anew",
        .path.display()
    )]
    Damaged {
        /// The folder or file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The operating system refuses to start a thread.
    #[error("a thread for the topics cannot be started: {0}; allow this user more threads")]
    Thread(#[source] io::Error),
    /// The storage engine cannot use its files.
    #[error("the topics in {} cannot be opened: {why}; correct that, and open them again", .path.display())]
    Engine {
        /// The folder of the engine.
        path: PathBuf,
        /// What it said.
        why: String,
    },
}
