//! How long to wait before trying again.

use std::time::Duration;

/// Exponential backoff with jitter, so that the clients of a server that restarts do not all come
/// back at once: each wait is a random time up to a bound that doubles.
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

    /// Something has worked: begin again with short waits.
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
