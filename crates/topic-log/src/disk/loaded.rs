//! What an engine has of all topics except their messages, as it is loaded when the engine is
//! opened.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use super::engine::Engine;
use super::entry::{Entry, Forgotten};
use super::failure::Failure;
use super::record;
use crate::name::ProducerName;
use crate::offset::Offset;
use crate::tail::HasTail;

#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) topics: HashMap<u64, record::Topic>,
    /// The producers of each topic, in the order in which they were seen.
    producers: HashMap<u64, Vec<(ProducerName, record::Producer)>>,
    /// The epoch of new topics.
    pub(super) epoch: u64,
    /// The highest [`seen`](record::Producer::seen) of all producers.
    pub(super) seen: u64,
}

impl Loaded {
    pub(super) fn load(engine: &Engine) -> Result<Self, Failure> {
        let mut loaded = Self {
            topics: engine.topics()?.into_iter().collect(),
            producers: HashMap::new(),
            epoch: engine.epoch()?,
            seen: 0,
        };
        for (topic, name, producer) in engine.producers()? {
            loaded.seen = loaded.seen.max(producer.seen);
            let known = loaded.producers.entry(topic).or_default();
            known.push((name, producer));
        }
        for known in loaded.producers.values_mut() {
            known.sort_by_key(|(_, producer)| producer.seen);
        }
        let mut names = HashSet::new();
        for (id, topic) in &loaded.topics {
            loaded.check_topic(engine, *id, topic)?;
            if !names.insert(topic.name.clone()) {
                let why = format!("topic {} is stored twice", topic.name);
                return Err(Failure::Damaged(why));
            }
        }
        Ok(loaded)
    }

    /// Checks that the topic, its producers and its last block were written together. The engine
    /// does not check the order of what is in its journal.
    fn check_topic(&self, engine: &Engine, id: u64, topic: &record::Topic) -> Result<(), Failure> {
        let known = self.producers.get(&id).into_iter().flatten();
        let sequenced = known.fold(0, |sum: u64, (_, p)| sum.wrapping_add(p.known.next));
        let end = engine.end(id)?;
        let expected = (topic.stored_from < topic.bounds.next).then_some(topic.bounds.next);
        if end == expected && sequenced == topic.sequenced {
            Ok(())
        } else {
            Err(Failure::Damaged(format!(
                "topic {} and its messages or producers are of different moments",
                topic.name
            )))
        }
    }

    /// The bytes that all topics keep.
    pub(super) fn kept(&self) -> u64 {
        self.topics.values().map(|topic| topic.bytes).sum()
    }

    /// When the last of all messages was received.
    pub(super) fn latest_time(&self) -> Option<SystemTime> {
        self.topics.values().map(|topic| topic.times.latest).max()
    }

    /// The number of the next new topic.
    pub(super) fn next_id(&self) -> u64 {
        self.topics.keys().max().map_or(0, |id| id + 1)
    }

    /// Has a topic remember its producers. Returns those that are too many.
    pub(super) fn remember(&self, entry: &Arc<Entry>) -> Vec<Forgotten> {
        let known = self.producers.get(&entry.id()).into_iter().flatten();
        let forgotten = known
            .filter_map(|(name, producer)| entry.remember(name.clone(), producer.known.clone()));
        forgotten.collect()
    }

    /// Checks that the engine has everything that the topic took for durable.
    pub(super) fn check(&self, entry: &Entry) -> Result<(), Failure> {
        let was = entry.tail().lock().bounds.next;
        let next = |next: Offset| format!("its next offset is {next}");
        let is = self.topics.get(&entry.id()).map(|topic| topic.bounds.next);
        if is.unwrap_or_default() >= was {
            return Ok(());
        }
        Err(Failure::Damaged(format!(
            "topic {} has lost messages that were acknowledged: {} and was {was}",
            entry.identity().name,
            is.map_or_else(|| "it is gone".to_owned(), next),
        )))
    }

    /// Changes a topic to what the engine has of it. Returns the producers that are too many.
    pub(super) fn restore(&self, entry: &Arc<Entry>) -> Vec<Forgotten> {
        if let Some(record) = self.topics.get(&entry.id()) {
            entry.recovered(record);
        }
        self.remember(entry)
    }
}

impl fmt::Display for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let messages: u64 = self.topics.values().map(|t| t.bounds.count()).sum();
        let (topics, bytes) = (self.topics.len(), self.kept());
        write!(f, "{topics} topics with {messages} messages, {bytes} bytes")
    }
}
