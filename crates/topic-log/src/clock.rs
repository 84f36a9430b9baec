//! The clock of the machine, which may be wrong, and may be set while a store runs.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use humantime::format_rfc3339_seconds;
use parking_lot::Mutex;

/// A clock that goes back or forward by this much has jumped. A leap second and the small steps by
/// which a clock is kept right are less.
const JUMP: Duration = Duration::from_secs(2);

/// The clock that a store tells the time by. Clones are the same clock.
///
/// It is the clock of the machine. The checks of a store move it, so that they need not wait.
#[allow(unreachable_pub, reason = "exported with the checks")]
#[derive(Clone, Debug, Default)]
pub struct Clock {
    /// By how many nanoseconds the clock has been moved.
    moved: Arc<AtomicI64>,
    /// The last moment at which the clock was looked at.
    seen: Arc<Mutex<Option<Moment>>>,
}

/// A moment, as two clocks show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// The clock that can be set.
    pub(crate) time: SystemTime,
    /// The clock that cannot be set, and means nothing to another process.
    pub(crate) steady: Instant,
}

impl Clock {
    /// Moves the clock by this much, forward or `back`, as if somebody had set it.
    #[cfg(feature = "conformance")]
    pub fn move_by(&self, by: Duration, back: bool) {
        let by = i64::try_from(by.as_nanos()).unwrap_or(i64::MAX);
        let by = if back { -by } else { by };
        self.moved.fetch_add(by, Ordering::SeqCst);
    }

    /// What the clock shows.
    #[cfg(feature = "conformance")]
    pub fn time(&self) -> SystemTime {
        self.look().time
    }

    /// The present moment. The log warns once of each jump of the clock.
    pub(crate) fn now(&self) -> Moment {
        let Some(mut seen) = self.seen.try_lock() else {
            // Another thread compares at this moment.
            return self.look();
        };
        // Under the lock, so that moments follow each other.
        let now = self.look();
        if let Some(before) = seen.replace(now) {
            // What the clock would show.
            warn_of_jump(before.time + (now.steady - before.steady), now.time);
        }
        now
    }

    /// Begins to look for jumps. The log warns when the clock is behind `latest`, the latest time of
    /// what was stored before.
    #[cfg(feature = "disk")]
    pub(crate) fn begin(&self, latest: Option<SystemTime>) -> Moment {
        let now = self.now();
        if let Some(latest) = latest.filter(|latest| *latest > now.time) {
            warn_of_jump(latest, now.time);
        }
        now
    }

    fn look(&self) -> Moment {
        let moved = self.moved.load(Ordering::Relaxed);
        let by = Duration::from_nanos(moved.unsigned_abs());
        let time = SystemTime::now();
        let time = if moved < 0 {
            time.checked_sub(by)
        } else {
            time.checked_add(by)
        };
        Moment {
            // Nothing is stored with an earlier time than that.
            time: time.unwrap_or(UNIX_EPOCH).max(UNIX_EPOCH),
            steady: Instant::now(),
        }
    }
}

/// Warns if the clock shows `shown` where it should show about `expected`.
fn warn_of_jump(expected: SystemTime, shown: SystemTime) {
    let (direction, by, follows) = match shown.duration_since(expected) {
        Ok(by) => (
            "forward",
            by,
            "messages from before may count as older by as much, and be dropped by retention",
        ),
        Err(back) => (
            "back",
            back.duration(),
            "messages with a later time count as received now",
        ),
    };
    if by >= JUMP {
        log::warn!(
            "the clock of this machine has jumped {direction} by {} s, from {} to {}: {follows}. Find \
             out which of the two is right, and what has set the clock",
            by.as_secs(),
            format_rfc3339_seconds(expected),
            format_rfc3339_seconds(shown),
        );
    }
}
