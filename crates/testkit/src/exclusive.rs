//! A lock for tests that must not run at the same time.

use parking_lot::{Mutex, MutexGuard};

/// A test holds this lock while it needs the whole machine: for attacks during which latencies are
/// measured, for thousands of calls, or for kills. One such test runs at a time.
pub fn whole_machine() -> MutexGuard<'static, ()> {
    static WHOLE: Mutex<()> = Mutex::new(());
    WHOLE.lock()
}
