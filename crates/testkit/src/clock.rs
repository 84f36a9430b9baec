//! The time of day.

use std::time::UNIX_EPOCH;

/// The Unix time now, in seconds.
pub fn unix_seconds() -> u64 {
    UNIX_EPOCH.elapsed().expect("a time after 1970").as_secs()
}
