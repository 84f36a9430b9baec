//! Waits that end with what was waited for, or fail the test.

use std::fmt::Debug;
use std::thread;
use std::time::Duration;

use futures::executor::block_on;
use futures::future::{select, Either};
use futures::{pin_mut, Future, Stream, StreamExt};
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

/// The next item of a stream. Panics when it does not come soon, the stream ends, or the item is an
/// error.
pub fn next<T, E: Debug>(what: &str, stream: &mut (impl Stream<Item = Result<T, E>> + Unpin)) -> T {
    let item = soon(what, stream.next());
    let item = item.unwrap_or_else(|| panic!("{what}: the stream has ended"));
    item.unwrap_or_else(|e| panic!("{what}: {e:?}"))
}

/// Lets so many milliseconds pass.
pub fn pause(milliseconds: u64) {
    thread::sleep(Duration::from_millis(milliseconds));
}
