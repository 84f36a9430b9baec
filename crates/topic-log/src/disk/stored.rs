//! All that an engine has of the topics beside the messages, as it is loaded when it is opened.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use super::engine::{Engine, Failure};
use super::record;
use super::topic::DiskTopic;
use super::writer::Forgotten;
use crate::name::ProducerName;
use crate::offset::Offset;

#[derive(Debug)]
pub(super) struct Stored {
    pub(super) topics: HashMap<u64, record::Topic>,
    /// Of each topic, in the order in which they were seen.
    producers: HashMap<u64, Vec<(ProducerName, record::Producer)>>,
    /// Of topics that are new.
    pub(super) epoch: u64,
    /// The last number that a producer got for being seen.
    pub(super) seen: u64,
}

impl fmt::Display for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = self
            .topics
            .values()
            .map(|t| t.bounds.next - t.bounds.earliest);
        let messages: u64 = kept.sum();
        let (topics, bytes) = (self.topics.len(), self.kept());
        write!(f, "{topics} topics with {messages} messages, {bytes} bytes")
    }
}

impl Stored {
    pub(super) fn load(engine: &Engine) -> Result<Self, Failure> {
        let mut stored = Self {
            topics: engine.topics()?.into_iter().collect(),
            producers: HashMap::new(),
            epoch: engine.epoch()?,
            seen: 0,
        };
        for (topic, name, producer) in engine.producers()? {
            stored.seen = stored.seen.max(producer.seen);
            let known = stored.producers.entry(topic).or_default();
            known.push((name, producer));
        }
        for known in stored.producers.values_mut() {
            known.sort_by_key(|(_, producer)| producer.seen);
        }
        let mut names = HashSet::new();
        for (id, topic) in &stored.topics {
            stored.check_topic(engine, *id, topic)?;
            if !names.insert(topic.name.clone()) {
                let why = format!("topic {} is stored twice", topic.name);
                return Err(Failure::Damaged(why));
            }
        }
        Ok(stored)
    }

    /// Whether the topic, its producers and its last block are of one moment. Of what its journal
    /// has, the engine does not check the order.
    fn check_topic(&self, engine: &Engine, id: u64, topic: &record::Topic) -> Result<(), Failure> {
        let known = self.producers.get(&id).into_iter().flatten();
        let sequenced = known.fold(0, |sum: u64, (_, p)| sum.wrapping_add(p.known.next));
        let end = engine.end(id)?;
        let expected = (topic.stored_from < topic.bounds.next).then_some(topic.bounds.next);
        match end == expected && sequenced == topic.sequenced {
            true => Ok(()),
            false => Err(Failure::Damaged(format!(
                "topic {} is of one moment, and its messages or producers are of another",
                topic.name
            ))),
        }
    }

    /// What all topics keep.
    pub(super) fn kept(&self) -> u64 {
        self.topics.values().map(|topic| topic.bytes).sum()
    }

    /// The id of the next new topic.
    pub(super) fn next_id(&self) -> u64 {
        self.topics.keys().max().map_or(0, |id| id + 1)
    }

    /// Gives a topic what is known of its producers; returns those that are too many.
    pub(super) fn remember<'s>(
        &'s self,
        id: u64,
        log: &'s Arc<DiskTopic>,
    ) -> impl Iterator<Item = Forgotten> + 's {
        let known = self.producers.get(&id).into_iter().flatten();
        known.filter_map(|(name, producer)| {
            let (name, known) = log.remember(name.clone(), producer.known)?;
            Some((log.clone(), name, known))
        })
    }

    /// Whether everything that `log` took for durable is there.
    pub(super) fn check(&self, log: &Arc<DiskTopic>) -> Result<(), Failure> {
        let next = |next: Offset| format!("its next offset is {next}");
        let was = log.state().bounds.next;
        let is = self.topics.get(&log.id()).map(|topic| topic.bounds.next);
        if is.unwrap_or_default() >= was {
            return Ok(());
        }
        Err(Failure::Damaged(format!(
            "topic {} has lost messages that were acknowledged: {} and was {was}",
            log.identity().name,
            is.map_or_else(|| "it is gone".to_owned(), next),
        )))
    }

    /// Has `log` be what is stored; returns the producers that are too many.
    pub(super) fn restore(&self, log: &Arc<DiskTopic>) -> Vec<Forgotten> {
        if let Some(record) = self.topics.get(&log.id()) {
            log.recovered(record);
        }
        self.remember(log.id(), log).collect()
    }
}
