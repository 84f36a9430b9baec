//! The topics of a store by their names.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::limits::Limits;
use crate::name::Name;

/// A topic as its store sees it.
pub(super) trait Life {
    /// Somebody uses it.
    fn touch(&self);

    /// Whether it is empty and has not been used for so long.
    fn is_idle(&self, long: Duration) -> bool;

    /// Ends its subscriptions.
    fn close(&self);
}

/// All topics that there are.
#[derive(Debug)]
pub(super) struct Registry<L> {
    by_name: HashMap<Name, Arc<L>>,
    /// Look for topics to drop when there are so many.
    sweep_at: usize,
    /// When that was done last: at the limit every new name would ask for it.
    swept: Instant,
    closed: bool,
}

/// Not worth looking for idle topics among fewer.
const SWEEP_FROM: usize = 64;

/// How often all topics are looked at, at most: for idle ones at the limit, for expired messages.
pub(super) const SWEEP_EVERY: Duration = Duration::from_secs(1);

impl<L: Life> Registry<L> {
    /// Those of `topics`, which may be more than the limit.
    pub(super) fn new(topics: impl IntoIterator<Item = (Name, Arc<L>)>) -> Self {
        Self {
            by_name: topics.into_iter().collect(),
            sweep_at: SWEEP_FROM,
            swept: Instant::now(),
            closed: false,
        }
    }

    /// The topic of this name, for somebody who uses it; None where there is none.
    pub(super) fn find(&self, name: &Name) -> Result<Option<Arc<L>>, Error> {
        if self.closed {
            return Err(Error::Closed);
        }
        let log = self.by_name.get(name);
        Ok(log.inspect(|log| log.touch()).cloned())
    }

    /// Makes room for one more topic by dropping those that are empty and that nobody publishes to
    /// or follows; returns these.
    pub(super) fn make_room(&mut self, limits: &Limits) -> Result<Vec<Arc<L>>, Error> {
        let count = self.by_name.len();
        let at_limit = count >= limits.topics && self.swept.elapsed() >= SWEEP_EVERY;
        let dropped = match count >= self.sweep_at || at_limit {
            true => self.sweep(limits.idle),
            false => Vec::new(),
        };
        if self.by_name.len() >= limits.topics {
            let limit = limits.topics as u64;
            return Err(Error::Limit {
                of: "topics",
                limit,
            });
        }
        Ok(dropped)
    }

    fn sweep(&mut self, idle: Duration) -> Vec<Arc<L>> {
        let unused = |log: &Arc<L>| Arc::strong_count(log) == 1 && log.is_idle(idle);
        let dropped = self.by_name.extract_if(|_, log| unused(log));
        let dropped = dropped.map(|(_, log)| log).collect();
        self.sweep_at = (self.by_name.len() * 2).max(SWEEP_FROM);
        self.swept = Instant::now();
        dropped
    }

    pub(super) fn insert(&mut self, name: Name, log: Arc<L>) {
        self.by_name.insert(name, log);
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<L>> {
        self.by_name.values()
    }

    /// Ends all subscriptions; there are no topics from now on.
    pub(super) fn close(&mut self) {
        self.closed = true;
        self.all().for_each(|log| log.close());
    }
}
