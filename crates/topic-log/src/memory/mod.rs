//! All topics in memory. They are gone when the process is.

mod topic;

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;

use self::topic::MemoryTopic;
use crate::error::Error;
use crate::identity::Identity;
use crate::limits::Limits;
use crate::name::Name;
use crate::notifier::Notifier;
use crate::offset::Epoch;
use crate::registry::{Registry, SWEEP_EVERY};
use crate::retention::Retention;
use crate::store::{Store, Topic};

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
    registry: Registry<MemoryTopic>,
    /// Of the topic that is made next. Starts at the time in nanoseconds, so that another process
    /// never lives the same epoch.
    epoch: u64,
}

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
        let topics = Arc::new(Mutex::new(Topics {
            registry: Registry::new([]),
            epoch: u64::try_from(now.as_nanos()).unwrap_or_default(),
        }));
        let all = Arc::downgrade(&topics);
        let expire = move || {
            if let (Some(topics), Some(_)) = (all.upgrade(), retention.age) {
                let topics = topics.lock();
                topics.registry.all().for_each(|log| log.expire_now());
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

impl Store for Memory {
    fn topic(&self, name: &Name) -> Result<Arc<dyn Topic>, Error> {
        let mut topics = self.topics.lock();
        if let Some(log) = topics.registry.find(name)? {
            return Ok(log);
        }
        drop(topics.registry.make_room(&self.shared.limits)?);
        topics.epoch += 1;
        let identity = Identity {
            name: name.clone(),
            epoch: Epoch(topics.epoch),
        };
        let log = Arc::new(MemoryTopic::new(identity, self.shared.clone()));
        topics.registry.insert(name.clone(), log.clone());
        Ok(log)
    }

    fn close(&self) {
        self.topics.lock().registry.close();
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory")
            .field("shared", &self.shared)
            .finish_non_exhaustive()
    }
}
