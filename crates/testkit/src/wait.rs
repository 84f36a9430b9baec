//! Waits that end with what was waited for, or fail the test.

use std::time::Duration;

use futures::executor::block_on;
use futures::future::{select, Either};
use futures::{pin_mut, Future};
use futures_timer::Delay;

/// Longer than anything that works takes, even on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for a future. Panics when it takes longer than `limit`, with `what` was waited for.
pub fn within<T>(limit: Duration, what: &str, future: impl Future<Output = T>) -> T {
    pin_mut!(future);
    match block_on(select(future, Delay::new(limit))) {
        Either::Left((output, _)) => output,
        Either::Right(_) => panic!("{what}: not within {limit:?}"),
    }
}

/// [`within`] the time of [`PATIENCE`].
pub fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    within(PATIENCE, what, future)
}
