//! Decides whether a call is tried again, and after which time.

use std::time::{Duration, Instant};

use futures_timer::Delay;
use grpcio::RpcStatusCode;
use grpcio_streams::Status;

/// Called before each new try, with the status that ended the last try and the time until the next
/// one.
pub type Notice = Box<dyn FnMut(&Status, Duration) + Send + Sync>;

/// The tries of a call that is made again while the server is unavailable. A server that was never
/// reached and a connection that is lost are the same here.
pub(super) struct Retry {
    resume: bool,
    notice: Notice,
    /// How long it is tried, from the first failure in a row.
    timeout: Option<Duration>,
    /// The first failure since the last success.
    failing_since: Option<Instant>,
    backoff: Backoff,
}

impl Retry {
    /// Without `resume` a call is not tried again. With `timeout` it is tried for this time.
    pub(super) fn new(resume: bool, notice: Notice, timeout: Option<Duration>) -> Self {
        Self {
            resume,
            notice,
            timeout,
            failing_since: None,
            backoff: Backoff { bound: FIRST },
        }
    }

    /// Begins again with short waits.
    pub(super) fn succeeded(&mut self) {
        self.failing_since = None;
        self.backoff.bound = FIRST;
    }

    /// Waits before the next try of a call that ended with this status.
    ///
    /// # Errors
    ///
    /// The status, if the call is not tried again.
    pub(super) async fn pause(&mut self, status: Status) -> Result<(), Status> {
        if !(is_unavailable(&status) && self.resume) {
            return Err(status);
        }
        let failing = self
            .failing_since
            .get_or_insert_with(Instant::now)
            .elapsed();
        let left = match self.timeout {
            None => Duration::MAX,
            Some(timeout) => timeout.saturating_sub(failing),
        };
        if left.is_zero() {
            return Err(status);
        }
        let wait = self.backoff.next().min(left);
        (self.notice)(&status, wait);
        Delay::new(wait).await;
        Ok(())
    }

    /// Waits without a failure.
    pub(super) async fn rest(&mut self) {
        Delay::new(self.backoff.next()).await;
    }
}

/// Whether a call that ended with this status is worth trying again.
///
/// CANCELLED counts, because the server's C core sends it during a shutdown: for calls that arrive
/// when the shutdown begins, and for calls that have not ended after the grace. The client gets no
/// status for calls that it cancels itself.
fn is_unavailable(status: &Status) -> bool {
    let codes = [RpcStatusCode::UNAVAILABLE, RpcStatusCode::CANCELLED];
    codes.contains(&status.code())
}

/// Exponential backoff with jitter: each wait is a random time up to a bound that doubles. So the
/// clients of a restarted server do not all connect at the same time.
#[derive(Clone, Debug)]
struct Backoff {
    bound: Duration,
}

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

impl Backoff {
    /// The next wait: between half the bound and the bound.
    fn next(&mut self) -> Duration {
        let wait = self.bound.mul_f64(0.5 + fastrand::f64() / 2.0);
        self.bound = (self.bound * 2).min(LONGEST);
        wait
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;

    use super::*;

    #[test]
    fn waits_grow_to_a_bound() {
        let mut backoff = Backoff { bound: FIRST };
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
    }

    #[test]
    fn a_call_is_tried_again_for_the_time_of_the_timeout() {
        let silent: fn() -> Notice = || Box::new(|_, _| {});
        let unavailable = Status::unavailable("gone");
        let timeout = Duration::from_millis(200);
        let mut retry = Retry::new(true, silent(), Some(timeout));
        let begun = Instant::now();
        while block_on(retry.pause(unavailable.clone())).is_ok() {}
        assert!(begun.elapsed() >= timeout);
        retry.succeeded();
        assert_eq!(block_on(retry.pause(unavailable.clone())), Ok(()));

        let refused = Status::not_found("no");
        assert_eq!(block_on(retry.pause(refused.clone())), Err(refused));
        let mut once = Retry::new(false, silent(), None);
        assert_eq!(block_on(once.pause(unavailable.clone())), Err(unavailable));
    }
}
