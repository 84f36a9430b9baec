//! Topics in memory.

mod kept_bytes;
mod memory_topic;

use std::fmt;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use futures::future::{self, BoxFuture, FutureExt};
use parking_lot::Mutex;

use self::kept_bytes::KeptBytes;
use self::memory_topic::MemoryTopic;
use crate::clock::Clock;
use crate::error::Error;
use crate::identity::Identity;
use crate::limit_watch::LimitWatch;
use crate::limits::StoreLimits;
use crate::name::Name;
use crate::notifier::Notifier;
use crate::offset::Epoch;
use crate::registry::{Registry, SWEEP_EVERY};
use crate::retention::Retention;
use crate::store::{Store, Topic};

/// The store that keeps topics in memory. They end with the process.
pub struct Memory {
    retention: Retention,
    limits: StoreLimits,
    clock: Clock,
    notifier: Arc<Notifier>,
    kept: Arc<KeptBytes>,
    topics: Arc<Mutex<Topics>>,
}

struct Topics {
    registry: Registry<MemoryTopic>,
    /// The epoch of the last topic that was created. It begins at the time in nanoseconds, so that
    /// two processes never use the same epoch.
    epoch: u64,
}

impl Memory {
    /// An empty store. It starts one thread, which wakes subscribers and drops messages that are
    /// too old.
    ///
    /// # Panics
    ///
    /// When the operating system refuses to start the thread.
    pub fn new(retention: Retention, limits: StoreLimits) -> Self {
        Self::start(Clock::default(), retention, limits)
    }

    /// The same as [`new`](Self::new), with a clock that can be moved.
    ///
    /// # Panics
    ///
    /// See [`new`](Self::new).
    #[cfg(feature = "conformance")]
    pub fn with_clock(clock: Clock, retention: Retention, limits: StoreLimits) -> Self {
        Self::start(clock, retention, limits)
    }

    fn start(clock: Clock, retention: Retention, limits: StoreLimits) -> Self {
        let now = clock.now().time.duration_since(UNIX_EPOCH);
        let now = now.unwrap_or_default();
        let topics = Arc::new(Mutex::new(Topics {
            registry: Registry::new([]),
            epoch: u64::try_from(now.as_nanos()).unwrap_or_default(),
        }));
        let kept = Arc::new(KeptBytes::new(limits.bytes));
        let mut watch = LimitWatch::new(limits);
        let all = Arc::downgrade(&topics);
        let (counted, watched) = (kept.clone(), clock.clone());
        let maintain = move || {
            // The log warns when it has jumped, also while nothing is published.
            watched.now();
            if let Some(topics) = all.upgrade() {
                let registry = &mut topics.lock().registry;
                if retention.age.is_some() {
                    registry.all().for_each(|topic| topic.expire());
                }
                watch.look(registry, counted.get(), counted.take_refused());
            }
        };
        Self {
            retention,
            limits,
            clock,
            notifier: Arc::new(Notifier::start(SWEEP_EVERY, maintain)),
            kept,
            topics,
        }
    }

    fn find_or_create(&self, name: &Name) -> Result<Arc<MemoryTopic>, Error> {
        let mut topics = self.topics.lock();
        if let Some(topic) = topics.registry.find(name)? {
            return Ok(topic);
        }
        drop(topics.registry.make_room(&self.limits)?);
        topics.epoch += 1;
        let identity = Identity {
            name: name.clone(),
            epoch: Epoch(topics.epoch),
        };
        let topic = Arc::new(MemoryTopic::new(
            identity,
            self.limits.producers,
            self.retention,
            self.clock.clone(),
            self.kept.clone(),
            self.notifier.clone(),
        ));
        topics.registry.insert(name.clone(), topic.clone());
        Ok(topic)
    }
}

impl Store for Memory {
    fn topic(&self, name: &Name) -> BoxFuture<'static, Result<Arc<dyn Topic>, Error>> {
        let topic = self.find_or_create(name);
        future::ready(topic.map(|topic| topic as Arc<dyn Topic>)).boxed()
    }

    fn close(&self) {
        self.topics.lock().registry.close();
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory")
            .field("retention", &self.retention)
            .field("limits", &self.limits)
            .field("kept", &self.kept)
            .finish_non_exhaustive()
    }
}
