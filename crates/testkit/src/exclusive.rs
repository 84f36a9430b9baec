//! Tests that must not run at the same time as others of their kind.

use parking_lot::{Mutex, MutexGuard};

/// A test holds this while it takes the whole machine: for an attack during which the waits of
/// others are measured, for thousands of calls, or for kills. One such test runs at a time.
pub fn whole_machine() -> MutexGuard<'static, ()> {
    static WHOLE: Mutex<()> = Mutex::new(());
    WHOLE.lock()
}
