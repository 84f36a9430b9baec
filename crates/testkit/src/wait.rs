//! Waits with a limit, which fail the test when it is exceeded.

use std::fmt::Debug;
use std::thread;
use std::time::Duration;

use futures::executor::block_on;
use futures::future::{select, Either};
use futures::{pin_mut, Future, Stream, StreamExt};
use futures_timer::Delay;

/// A limit for waits. It is far longer than the wait takes, even on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for a future. Panics when it takes longer than `limit`. The message of the panic has
/// `what`.
pub fn within<T>(limit: Duration, what: &str, future: impl Future<Output = T>) -> T {
    pin_mut!(future);
    match block_on(select(future, Delay::new(limit))) {
        Either::Left((output, _)) => output,
        Either::Right(_) => panic!("{what}: not within {limit:?}"),
    }
}

/// Waits for a future [`within`] the limit [`PATIENCE`].
pub fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    within(PATIENCE, what, future)
}

/// The next item of a stream. Panics when it takes longer than [`PATIENCE`], the stream ends, or
/// the item is an error.
pub fn next<T, E: Debug>(what: &str, stream: &mut (impl Stream<Item = Result<T, E>> + Unpin)) -> T {
    let item = soon(what, stream.next());
    let item = item.unwrap_or_else(|| panic!("{what}: the stream has ended"));
    item.unwrap_or_else(|e| panic!("{what}: {e:?}"))
}

/// Sleeps for this many milliseconds.
pub fn pause(milliseconds: u64) {
    thread::sleep(Duration::from_millis(milliseconds));
}
