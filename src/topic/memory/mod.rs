//! All topics in memory. They are gone when the process is.

mod log;

use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use self::log::Log;
use super::notifier::Notifier;
use super::{Epoch, Error, Name, Retention, Store, Topic};

/// How much there may be in all topics together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Topics.
    pub topics: usize,
    /// Bytes that all topics keep, counted as in [`Retention::bytes`].
    pub bytes: u64,
    /// Producers that each topic remembers.
    pub producers: NonZeroUsize,
    /// How long an empty topic that nobody uses is kept at least: whoever is between two calls
    /// finds the life that it knows.
    pub idle: Duration,
}

impl Default for Limits {
    /// 10,000 topics, 1 GiB, 1,000 producers a topic, 10 seconds.
    fn default() -> Self {
        Self {
            topics: 10_000,
            bytes: 1024 * 1024 * 1024,
            producers: const { NonZeroUsize::new(1_000).unwrap() },
            idle: Duration::from_secs(10),
        }
    }
}

/// The store that keeps topics in memory.
pub struct Memory {
    shared: Arc<Shared>,
    topics: Arc<Mutex<Topics>>,
}

/// What every topic knows of the store.
#[derive(Debug)]
struct Shared {
    retention: Retention,
    limits: Limits,
    notifier: Notifier,
    /// What all topics keep.
    bytes: AtomicU64,
}

struct Topics {
    by_name: HashMap<Name, Arc<Log>>,
    /// Of the topic that is made next. Starts at the time in nanoseconds, so that another process
    /// never lives the same epoch.
    epoch: u64,
    /// Look for topics to drop when there are so many.
    sweep_at: usize,
    /// When that was done last: at the limit every new name would ask for it.
    swept: Instant,
    closed: bool,
}

/// Not worth looking for idle topics among fewer.
const SWEEP_FROM: usize = 64;

/// How often all topics are looked at, at most: for idle ones at the limit, for expired messages.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

impl Memory {
    /// A store without topics, with a thread that wakes subscribers.
    ///
    /// # Panics
    ///
    /// When the operating system refuses to start the thread.
    pub fn new(retention: Retention, limits: Limits) -> Self {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let topics = Topics {
            by_name: HashMap::new(),
            epoch: u64::try_from(now.as_nanos()).unwrap_or_default(),
            sweep_at: SWEEP_FROM,
            swept: Instant::now(),
            closed: false,
        };
        let topics = Arc::new(Mutex::new(topics));
        let all = Arc::downgrade(&topics);
        let expire = move || {
            if let (Some(topics), Some(_)) = (all.upgrade(), retention.age) {
                lock(&topics)
                    .by_name
                    .values()
                    .for_each(|log| log.expire_now());
            }
        };
        Self {
            shared: Arc::new(Shared {
                retention,
                limits,
                notifier: Notifier::start(SWEEP_EVERY, expire),
                bytes: AtomicU64::new(0),
            }),
            topics,
        }
    }
}

fn lock(topics: &Mutex<Topics>) -> MutexGuard<'_, Topics> {
    topics.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Topics {
    /// Drops topics that are empty and that nobody publishes to or follows.
    fn sweep(&mut self, idle: Duration) {
        self.by_name
            .retain(|_, log| Arc::strong_count(log) > 1 || !log.is_idle(idle));
        self.sweep_at = (self.by_name.len() * 2).max(SWEEP_FROM);
        self.swept = Instant::now();
    }
}

impl Store for Memory {
    fn topic(&self, name: &Name) -> Result<Arc<dyn Topic>, Error> {
        let mut topics = lock(&self.topics);
        if topics.closed {
            return Err(Error::Closed);
        }
        if let Some(log) = topics.by_name.get(name) {
            log.touch();
            return Ok(log.clone());
        }
        let limit = self.shared.limits.topics;
        let count = topics.by_name.len();
        let at_limit = count >= limit && topics.swept.elapsed() >= SWEEP_EVERY;
        if count >= topics.sweep_at || at_limit {
            topics.sweep(self.shared.limits.idle);
        }
        if topics.by_name.len() >= limit {
            let limit = limit as u64;
            return Err(Error::Limit {
                of: "topics",
                limit,
            });
        }
        topics.epoch += 1;
        let log = Log::new(name.clone(), Epoch(topics.epoch), self.shared.clone());
        let log = Arc::new(log);
        topics.by_name.insert(name.clone(), log.clone());
        Ok(log)
    }

    fn close(&self) {
        let mut topics = lock(&self.topics);
        topics.closed = true;
        topics.by_name.values().for_each(|log| log.close());
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory")
            .field("shared", &self.shared)
            .finish_non_exhaustive()
    }
}
