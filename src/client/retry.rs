//! Decides whether a call is tried again, and after which time.

use std::time::Duration;

use grpcio::RpcStatusCode;
use grpcio_streams::Status;

/// Called before each new try, with the status that ended the last try and the time until the next
/// one.
pub type Notice = Box<dyn FnMut(&Status, Duration) + Send + Sync>;

/// Whether a call that ended with this status is worth trying again.
///
/// CANCELLED counts, because the server's C core sends it during a shutdown: for calls that arrive
/// when the shutdown begins, and for calls that have not ended after the grace. The client gets no
/// status for calls that it cancels itself.
pub(super) fn is_unavailable(status: &Status) -> bool {
    let codes = [RpcStatusCode::UNAVAILABLE, RpcStatusCode::CANCELLED];
    codes.contains(&status.code())
}

/// Exponential backoff with jitter: each wait is a random time up to a bound that doubles. So the
/// clients of a restarted server do not all connect at the same time.
#[derive(Clone, Debug)]
pub(super) struct Backoff {
    bound: Duration,
}

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

impl Backoff {
    pub(super) fn new() -> Self {
        Self { bound: FIRST }
    }

    /// Begins again with short waits, after a success.
    pub(super) fn reset(&mut self) {
        self.bound = FIRST;
    }

    /// The next wait: between half the bound and the bound.
    pub(super) fn next(&mut self) -> Duration {
        let wait = self.bound.mul_f64(0.5 + fastrand::f64() / 2.0);
        self.bound = (self.bound * 2).min(LONGEST);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_begin_again() {
        let mut backoff = Backoff::new();
        let mut bound = FIRST;
        for _ in 0..20 {
            let wait = backoff.next();
            assert!(
                bound / 2 <= wait && wait <= bound,
                "{wait:?} with {bound:?}"
            );
            bound = (bound * 2).min(LONGEST);
        }
        assert_eq!(bound, LONGEST);
        backoff.reset();
        assert!(backoff.next() <= FIRST);
    }
}
