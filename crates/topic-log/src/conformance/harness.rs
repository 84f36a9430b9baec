//! How the checks open a store.

use crate::clock::Clock;
use crate::limits::StoreLimits;
use crate::retention::Retention;
use crate::store::Store;

/// How the checks open a store.
///
/// `default()` makes a place without topics, for example a temporary folder. Each check makes its
/// own. A check opens one store at a time in it: it drops one before it opens the next.
pub trait Harness: Default {
    /// Whether a store has what an earlier store in the same place had.
    const SURVIVES_REOPENING: bool;

    /// How many random histories [`model`](super::model) tries.
    const HISTORIES: u32 = 200;

    /// Opens the store in this place, with this clock.
    fn open_with_clock(
        &self,
        clock: Clock,
        retention: Retention,
        limits: StoreLimits,
    ) -> Box<dyn Store>;

    /// Opens the store in this place, with the clock of the machine.
    fn open(&self, retention: Retention, limits: StoreLimits) -> Box<dyn Store> {
        self.open_with_clock(Clock::default(), retention, limits)
    }
}
