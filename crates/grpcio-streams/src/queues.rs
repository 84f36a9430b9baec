//! The threads that serve calls.

use std::fmt;
use std::sync::mpsc::{channel, Receiver};
use std::sync::Arc;
use std::time::{Duration, Instant};

use grpcio::{EnvBuilder, Environment};
use parking_lot::Mutex;

/// Completion queues with one thread each, and a way to wait until the threads have ended.
///
/// The binding does not wait for its threads. A process that exits while they run destroys the
/// C core while they use it.
pub struct Queues {
    env: Arc<Environment>,
    count: usize,
    stopping: Receiver<()>,
}

impl Queues {
    /// Starts `count` completion queues, at least one. Their threads are called `NAME-0`, `NAME-1`
    /// and so on.
    ///
    /// # Panics
    ///
    /// When the operating system refuses to start a thread.
    pub fn start(name: &str, count: usize) -> Self {
        let count = count.max(1);
        let (stops, stopping) = channel();
        let stops = Mutex::new(stops);
        let stop = move || {
            // `stop` may not have been called.
            let _ = stops.lock().send(());
        };
        let builder = EnvBuilder::new().name_prefix(name).cq_count(count);
        Self {
            env: Arc::new(builder.before_stop(stop).build()),
            count,
            stopping,
        }
    }

    /// The environment that servers and channels are built on. The threads stop when its last clone
    /// is dropped.
    pub fn env(&self) -> Arc<Environment> {
        self.env.clone()
    }

    /// Stops the threads and waits for them, at most for `limit`. Returns whether all have stopped.
    ///
    /// They do not stop while a server, a channel or a call keeps the environment. Must not be called
    /// on one of the threads: it would wait for itself until `limit` has passed.
    #[must_use = "tells whether the threads have stopped"]
    pub fn stop(self, limit: Duration) -> bool {
        drop(self.env);
        let deadline = Instant::now() + limit;
        (0..self.count).all(|_| {
            let left = deadline.saturating_duration_since(Instant::now());
            self.stopping.recv_timeout(left).is_ok()
        })
    }
}

impl fmt::Debug for Queues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut s = f.debug_struct("Queues");
        s.field("count", &self.count).finish_non_exhaustive()
    }
}
