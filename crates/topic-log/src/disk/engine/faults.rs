//! How errors and panics of fjall become failures of the engine.

use crate::catch_panic::catch_panic;
use crate::disk::failure::Failure;

/// Runs `f`. A panic becomes a failure: a damaged file can cause one.
pub(super) fn guarded<T>(f: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_panic(f)
        .unwrap_or_else(|why| Err(Failure::Damaged(format!("the engine panicked: {why}"))))
}

/// `what` was found, and is not what was written.
pub(super) fn damaged(what: &str) -> Failure {
    Failure::Damaged(format!("{what} is not what was written"))
}

impl From<fjall::Error> for Failure {
    fn from(e: fjall::Error) -> Self {
        match e {
            fjall::Error::Io(e) | fjall::Error::Storage(fjall::LsmError::Io(e)) => e.into(),
            fjall::Error::Poisoned => Self::Unusable("an earlier write has failed".to_owned()),
            fjall::Error::Locked => Self::StillOpen,
            e => Self::Damaged(e.to_string()),
        }
    }
}
