//! Warns when all topics of a store together come near its limits, and when they reach them.

use crate::limits::StoreLimits;
use crate::registry::Registry;
use crate::tail::HasTail;

/// From this share of a limit on, in percent, it is time to do something.
const NEAR: u8 = 80;

/// What is used has to fall by this much below a threshold, in percent of the limit, before the log
/// warns of that threshold again.
const CLEARLY: u8 = 10;

/// The number of topics that a warning names.
const NAMED: usize = 5;

/// What the log has warned of.
#[derive(Debug)]
pub(crate) struct LimitWatch {
    limits: StoreLimits,
    bytes: Level,
    topics: Level,
}

/// How much of a limit is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    #[default]
    Low,
    Near,
    Reached,
}

impl LimitWatch {
    pub(crate) fn new(limits: StoreLimits) -> Self {
        Self {
            limits,
            bytes: Level::Low,
            topics: Level::Low,
        }
    }

    /// Looks at all topics, which keep `kept` bytes. `refused` tells whether messages were refused
    /// since the last look because there was no room for their bytes.
    pub(crate) fn look<T: HasTail>(&mut self, topics: &mut Registry<T>, kept: u64, refused: bool) {
        let limit = self.limits.bytes;
        if let Some(what) = self.bytes.rise(kept, limit, refused) {
            log::warn!(
                "all topics together keep {kept} bytes, and the limit of {limit} (--max-topic-bytes) \
                 is {what}. The largest topics: {}. At the limit messages are refused with \
                 RESOURCE_EXHAUSTED. Raise the limit, or have topics keep less with \
                 --retention-bytes, --retention-messages or --retention-age",
                largest(topics)
            );
        }
        let limit = self.limits.topics as u64;
        let refused = topics.take_refused();
        let mut used = topics.len() as u64;
        if percent(used, limit) >= NEAR.into() {
            used = topics.in_use(self.limits.idle) as u64;
        }
        if let Some(what) = self.topics.rise(used, limit, refused) {
            log::warn!(
                "there are {used} topics that keep messages or are in use, and the limit of {limit} \
                 (--max-topics) is {what}. The largest topics: {}. At the limit calls that name a \
                 new topic are refused with RESOURCE_EXHAUSTED. Raise the limit, or use fewer \
                 topics: one without messages that nobody uses makes room",
                largest(topics)
            );
        }
    }
}

impl Level {
    /// The level once `used` of `limit` is used. Says how much that is if it is more than the log has
    /// warned of.
    fn rise(&mut self, used: u64, limit: u64, refused: bool) -> Option<String> {
        let percent = percent(used, limit);
        let at_least = |most: u8| match percent {
            _ if refused || percent >= most.into() => Self::Reached,
            _ if percent >= (most - (100 - NEAR)).into() => Self::Near,
            _ => Self::Low,
        };
        let is = at_least(100);
        if is > *self {
            *self = is;
            return Some(match is {
                Self::Reached => "reached".to_owned(),
                _ => format!("{percent}% used"),
            });
        }
        *self = (*self).min(at_least(100 - CLEARLY));
        None
    }
}

/// How much of a limit is used. Nothing is 0%, whatever the limit.
fn percent(used: u64, limit: u64) -> u128 {
    u128::from(used) * 100 / u128::from(limit.max(1))
}

/// The largest topics with their bytes.
fn largest<T: HasTail>(topics: &Registry<T>) -> String {
    let sizes = topics
        .all()
        .map(|topic| (topic.tail().lock().bytes, topic.tail()));
    let mut sizes: Vec<_> = sizes.collect();
    sizes.sort_unstable_by_key(|(bytes, _)| std::cmp::Reverse(*bytes));
    let named = sizes.iter().take(NAMED);
    let named = named.map(|(bytes, tail)| format!("{} ({bytes} bytes)", tail.identity.name));
    named.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_told_once_until_it_was_clearly_lower() {
        let mut level = Level::default();
        let told = [
            0, 79, 80, 85, 79, 81, 71, 80, 69, 80, 100, 99, 100, 91, 100, 89, 95, 100, 0, 150,
        ];
        let told = told.map(|used| level.rise(used, 100, false).unwrap_or_default());
        let none = "";
        let near = "80% used";
        let full = "reached";
        let expected = [
            none, none, near, none, none, none, none, none, none, near, full, none, none, none,
            none, none, none, full, none, full,
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn a_refusal_shows_that_a_limit_is_reached() {
        let mut level = Level::default();
        assert_eq!(level.rise(60, 100, true).as_deref(), Some("reached"));
        assert_eq!(level.rise(60, 100, true), None);
        assert_eq!(level.rise(60, 100, false), None);
        assert_eq!(level.rise(60, 100, true).as_deref(), Some("reached"));
        assert_eq!(Level::default().rise(0, 0, false), None);
        assert_eq!(
            Level::default()
                .rise(u64::MAX - 1, u64::MAX, false)
                .as_deref(),
            Some("99% used")
        );
    }
}
