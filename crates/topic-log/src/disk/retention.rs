//! What a topic no longer keeps.
//!
//! Bounds move message by message, and only in memory: what is before them goes from disk block by
//! block. How much a message counts is known from memory, or read together with its block.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::SystemTime;

use super::engine::{Engine, Failure};
use super::record;
use super::topic::DiskTopic;
use crate::message::{Message, MESSAGE_OVERHEAD};
use crate::offset::Offset;
use crate::retention::Retention;

/// So many of a topic's oldest messages are looked at together.
const LOOK_AHEAD: usize = 64;

/// So many messages of a topic are dropped together at most: the others wait for it. There are
/// more only when a server starts with less retention, or after a long rest.
const AT_ONCE: usize = 100_000;

/// The oldest messages of the topics that have too many.
#[derive(Debug, Default)]
pub(super) struct Oldest {
    by_topic: HashMap<u64, Front>,
}

#[derive(Debug, Default)]
struct Front {
    /// The offset of the first.
    from: Offset,
    /// What each counts, and when it came.
    messages: VecDeque<(u64, SystemTime)>,
}

impl Oldest {
    /// Moves the bounds in `record` to what `retention` keeps at `now`, by at most [`AT_ONCE`].
    /// `record` is what the topic is once `fresh` is appended.
    pub(super) fn retain(
        &mut self,
        engine: &Engine,
        retention: &Retention,
        now: SystemTime,
        log: &DiskTopic,
        record: &mut record::Topic,
        fresh: &[Arc<str>],
    ) {
        let kept = |record: &record::Topic| record.bounds.next - record.bounds.earliest;
        for _ in 0..AT_ONCE {
            let count = kept(record);
            let too_many = count > retention.messages || record.bytes > retention.bytes;
            if count == 0 || (!too_many && retention.age.is_none()) {
                return;
            }
            let (cost, time) = match self.first(engine, log, record, fresh) {
                Ok(Some(first)) => first,
                // It is not known what it counts, but it has to go.
                Err(Failure::Damaged(why)) if too_many => {
                    let (name, earliest) = (&record.name, record.bounds.earliest);
                    log::error!(
                        "topic {name}: offset {earliest} is dropped, and is damaged: {why}"
                    );
                    (MESSAGE_OVERHEAD, now)
                }
                Ok(None) | Err(_) => return,
            };
            let too_old = |age| now.duration_since(time).is_ok_and(|is| is > age);
            if !too_many && !retention.age.is_some_and(too_old) {
                return;
            }
            record.bounds.earliest += 1;
            record.bytes = match kept(record) {
                0 => 0,
                _ => record.bytes.saturating_sub(cost),
            };
        }
    }

    /// What the oldest message counts, and when it came.
    fn first(
        &mut self,
        engine: &Engine,
        log: &DiskTopic,
        record: &record::Topic,
        fresh: &[Arc<str>],
    ) -> Result<Option<(u64, SystemTime)>, Failure> {
        let earliest = record.bounds.earliest;
        let front = self.by_topic.entry(log.id()).or_default();
        while front.from < earliest && front.messages.pop_front().is_some() {
            front.from += 1;
        }
        if front.from == earliest {
            if let Some(first) = front.messages.front() {
                return Ok(Some(*first));
            }
        }
        front.from = earliest;
        front.messages = look(engine, log, record, fresh)?;
        Ok(front.messages.front().copied())
    }

    pub(super) fn forget(&mut self, topic: u64) {
        self.by_topic.remove(&topic);
    }

    pub(super) fn forget_all(&mut self) {
        self.by_topic.clear();
    }
}

fn look(
    engine: &Engine,
    log: &DiskTopic,
    record: &record::Topic,
    fresh: &[Arc<str>],
) -> Result<VecDeque<(u64, SystemTime)>, Failure> {
    let earliest = record.bounds.earliest;
    let appended_from = record.bounds.next - fresh.len() as u64;
    if let Some(skip) = earliest.checked_sub(appended_from) {
        let fresh = fresh.iter().skip(skip as usize).take(LOOK_AHEAD);
        return Ok(fresh
            .map(|text| (Message::retained_bytes(text), record.latest_time))
            .collect());
    }
    if let Some(recent) = log.recent_costs(earliest, LOOK_AHEAD) {
        return Ok(recent.into());
    }
    let stored = engine.read(log.id(), earliest, appended_from)?;
    let stored = stored.iter().take(LOOK_AHEAD);
    Ok(stored
        .map(|m| (Message::retained_bytes(&m.data), m.time))
        .collect())
}
