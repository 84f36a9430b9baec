//! Why the storage engine did not do what it was asked for.

use std::io;

use thiserror::Error;

/// Why the storage engine did not do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum Failure {
    /// It cannot read or write now, for this reason.
    #[error("{0}")]
    Unusable(String),
    /// Its files are not what was written. The text says how.
    #[error("{0}")]
    Damaged(String),
    /// This process has had the files open before, and still uses them.
    #[error("its files are still being read or merged")]
    StillOpen,
}

impl From<io::Error> for Failure {
    fn from(e: io::Error) -> Self {
        match e.kind() {
            io::ErrorKind::NotFound
            | io::ErrorKind::UnexpectedEof
            | io::ErrorKind::InvalidData
            | io::ErrorKind::InvalidInput => {
                Self::Damaged(format!("a file is cut or missing: {e}"))
            }
            _ => Self::Unusable(e.to_string()),
        }
    }
}
