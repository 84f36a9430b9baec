//! The counters and latencies of a load.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use parking_lot::Mutex;

use grpcio_streams::Status;

/// The time of the measurement.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) begin: Instant,
    pub(super) end: Instant,
}

impl Window {
    pub(super) fn from_now(warmup: Duration, duration: Duration) -> Self {
        let begin = Instant::now() + warmup;
        Self {
            begin,
            end: begin + duration,
        }
    }

    /// The same with a later end.
    pub(super) fn and(self, longer: Duration) -> Self {
        Self {
            end: self.end + longer,
            ..self
        }
    }

    pub(super) fn is_over(&self) -> bool {
        Instant::now() >= self.end
    }

    fn is_open(&self, now: Instant) -> bool {
        (self.begin..self.end).contains(&now)
    }
}

/// Counters and latencies of all streams of a load.
pub(super) struct Meter {
    /// Nothing is measured before this is set.
    pub(super) window: OnceLock<Window>,
    /// How many messages or calls have ended, at any time.
    pub(super) count: AtomicU64,
    /// How many of them ended during the measurement.
    pub(super) measured: AtomicU64,
    /// The latencies in microseconds, with three significant digits. Each thread of the client has
    /// a histogram. One for each stream would take much memory, and threads would wait for a single
    /// one.
    latencies: Vec<Mutex<Histogram<u64>>>,
}

impl Meter {
    pub(super) fn new(threads: usize) -> Result<Self, Status> {
        let histogram = |_| Ok(Mutex::new(empty()?));
        Ok(Self {
            window: OnceLock::new(),
            count: AtomicU64::new(0),
            measured: AtomicU64::new(0),
            latencies: (0..threads).map(histogram).collect::<Result<_, Status>>()?,
        })
    }

    /// Counts a message or call that has ended.
    pub(super) fn count(&self) {
        self.add(Instant::now());
    }

    fn add(&self, now: Instant) -> bool {
        self.count.fetch_add(1, Ordering::Relaxed);
        let measured = self.window.get().is_some_and(|w| w.is_open(now));
        if measured {
            self.measured.fetch_add(1, Ordering::Relaxed);
        }
        measured
    }

    /// Counts a message or call that began, or was to begin, at the time `since`, and records its
    /// latency. `connection` is the number of the connection that it used.
    pub(super) fn record(&self, since: Instant, connection: usize) {
        let now = Instant::now();
        if self.add(now) {
            let latency = now.saturating_duration_since(since).as_micros() as u64;
            let latencies = &self.latencies[connection % self.latencies.len()];
            // The histogram grows as needed, so recording does not fail.
            let _ = latencies.lock().record(latency);
        }
    }

    pub(super) fn latencies(&self) -> Result<Histogram<u64>, Status> {
        let mut all = empty()?;
        for latencies in &self.latencies {
            all.add(&*latencies.lock())
                .map_err(|e| Status::internal(format!("cannot add latencies: {e}")))?;
        }
        Ok(all)
    }
}

fn empty() -> Result<Histogram<u64>, Status> {
    Histogram::new(3).map_err(|e| Status::internal(format!("cannot make a histogram: {e}")))
}
