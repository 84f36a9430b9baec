//! Waiting with a deadline, so that a lost wake-up fails a check instead of hanging it.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// How long a check waits for something. It is longer than anything that works takes, even on a
/// busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for a future. It is polled only when it was woken.
///
/// # Panics
///
/// When it is not ready within [`PATIENCE`]. The message names `what` was waited for.
pub fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        thread::park_timeout(deadline.saturating_duration_since(Instant::now()));
        assert!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
    }
}

/// Tries again and again until `attempt` returns something. For what a store does now and then.
///
/// # Panics
///
/// When it still returns `None` after [`PATIENCE`]. The message names `what` was waited for.
pub fn eventually<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(done) = attempt() {
            return done;
        }
        assert!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        thread::park_timeout(Duration::from_millis(10));
    }
}
