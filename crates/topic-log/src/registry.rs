//! The topics of a store by name.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::limits::StoreLimits;
use crate::name::Name;
use crate::tail::HasTail;

/// With fewer topics than this it is not worth looking for idle ones.
const SWEEP_FROM: usize = 64;

/// How often all topics are looked at, at most: for idle ones at the limit, and for messages that
/// are too old.
pub(crate) const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// All topics of a store.
#[derive(Debug)]
pub(crate) struct Registry<T> {
    by_name: HashMap<Name, Arc<T>>,
    /// With this number of topics it is time to look for idle ones.
    sweep_at: usize,
    /// When that was done last. At the limit each new name would ask for it.
    swept: Instant,
    /// Whether there was no room for a topic.
    refused: bool,
    closed: bool,
}

impl<T: HasTail> Registry<T> {
    /// A registry of `topics`, which may be more than the limit.
    pub(crate) fn new(topics: impl IntoIterator<Item = (Name, Arc<T>)>) -> Self {
        Self {
            by_name: topics.into_iter().collect(),
            sweep_at: SWEEP_FROM,
            swept: Instant::now(),
            refused: false,
            closed: false,
        }
    }

    /// The topic of this name, which is in use from now on. `None` where there is none.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`].
    pub(crate) fn find(&self, name: &Name) -> Result<Option<Arc<T>>, Error> {
        if self.closed {
            return Err(Error::Closed);
        }
        let topic = self.by_name.get(name);
        Ok(topic.inspect(|topic| topic.tail().touch()).cloned())
    }

    /// Makes room for one more topic by dropping the idle ones, and returns these. A topic is idle
    /// that is empty, that only the registry holds, and that has not been used for a while.
    ///
    /// # Errors
    ///
    /// [`Error::Limit`] when there is no room.
    pub(crate) fn make_room(&mut self, limits: &StoreLimits) -> Result<Vec<Arc<T>>, Error> {
        let count = self.by_name.len();
        let at_limit = count >= limits.topics && self.swept.elapsed() >= SWEEP_EVERY;
        let dropped = if count >= self.sweep_at || at_limit {
            self.sweep(limits.idle)
        } else {
            Vec::new()
        };
        if self.by_name.len() >= limits.topics {
            self.refused = true;
            return Err(Error::Limit {
                of: "topics",
                limit: limits.topics as u64,
            });
        }
        Ok(dropped)
    }

    fn sweep(&mut self, idle: Duration) -> Vec<Arc<T>> {
        let dropped = self.by_name.extract_if(|_, topic| is_idle(topic, idle));
        let dropped = dropped.map(|(_, topic)| topic).collect();
        self.sweep_at = (self.by_name.len() * 2).max(SWEEP_FROM);
        self.swept = Instant::now();
        dropped
    }

    pub(crate) fn insert(&mut self, name: Name, topic: Arc<T>) {
        self.by_name.insert(name, topic);
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<T>> {
        self.by_name.values()
    }

    /// Whether there was no room for a topic since this was asked last.
    pub(crate) fn take_refused(&mut self) -> bool {
        std::mem::take(&mut self.refused)
    }

    /// The number of topics.
    pub(crate) fn len(&self) -> usize {
        self.by_name.len()
    }

    /// The number of topics that make no room for others.
    pub(crate) fn in_use(&self, idle: Duration) -> usize {
        let in_use = self.all().filter(|topic| !is_idle(topic, idle));
        in_use.count()
    }

    /// Ends all subscriptions. From now on there are no topics.
    pub(crate) fn close(&mut self) {
        self.closed = true;
        self.all().for_each(|topic| topic.tail().close());
    }
}

/// Whether a topic is empty, only the registry holds it, and it has not been used for this time.
fn is_idle<T: HasTail>(topic: &Arc<T>, time: Duration) -> bool {
    Arc::strong_count(topic) == 1 && topic.state().is_idle(time)
}
