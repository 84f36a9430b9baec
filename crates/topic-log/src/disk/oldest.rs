//! Which of its oldest messages a topic no longer keeps.
//!
//! Retention moves the bounds of a topic message by message. The blocks before the bounds are
//! removed from disk later. The size and time of a message are known from memory, or are read from
//! its block.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::SystemTime;

use super::engine::Engine;
use super::entry::Entry;
use super::failure::Failure;
use super::record;
use crate::message::{Message, MESSAGE_OVERHEAD};
use crate::offset::Offset;
use crate::retention::Retention;

/// The number of messages of a topic that are looked up together.
const LOOK_AHEAD: usize = 64;

/// The largest number of messages of a topic that are dropped together, because the other topics
/// wait for it. There are more only after the retention was lowered, or after a long pause.
const AT_ONCE: usize = 100_000;

/// The oldest messages of the topics that have too many.
#[derive(Debug, Default)]
pub(super) struct Oldest {
    by_topic: HashMap<u64, Front>,
}

#[derive(Debug, Default)]
struct Front {
    /// The offset of the first message.
    from: Offset,
    messages: VecDeque<Size>,
}

/// The bytes that a message counts for, and the time that it is stored with.
type Size = (u64, SystemTime);

impl Oldest {
    /// Moves the bounds in `record` to what `retention` keeps at `now`, by at most [`AT_ONCE`]
    /// messages. `record` describes the topic after `fresh` is appended.
    pub(super) fn retain(
        &mut self,
        engine: &Engine,
        retention: &Retention,
        now: SystemTime,
        entry: &Entry,
        record: &mut record::Topic,
        fresh: &[Arc<str>],
    ) {
        for _ in 0..AT_ONCE {
            let count = record.bounds.count();
            let too_many = count > retention.messages || record.bytes > retention.bytes;
            if count == 0 || (!too_many && retention.age.is_none()) {
                return;
            }
            let (bytes, time) = match self.first(engine, entry, record, fresh) {
                Ok(Some(first)) => first,
                // Its size is unknown, but it has to go.
                Err(Failure::Damaged(why)) if too_many => {
                    let (name, earliest) = (&record.name, record.bounds.earliest);
                    log::error!(
                        "topic {name}: the message at offset {earliest} is dropped, and is \
                         damaged: {why}"
                    );
                    (MESSAGE_OVERHEAD, now)
                }
                Ok(None) | Err(_) => return,
            };
            let received = record.times.at(record.bounds.earliest, time);
            if !too_many && !retention.is_too_old(received, now) {
                return;
            }
            record.bounds.earliest += 1;
            record.bytes = if record.bounds.is_empty() {
                0
            } else {
                record.bytes.saturating_sub(bytes)
            };
        }
    }

    /// The size of the oldest message.
    fn first(
        &mut self,
        engine: &Engine,
        entry: &Entry,
        record: &record::Topic,
        fresh: &[Arc<str>],
    ) -> Result<Option<Size>, Failure> {
        let earliest = record.bounds.earliest;
        let front = self.by_topic.entry(entry.id()).or_default();
        while front.from < earliest && front.messages.pop_front().is_some() {
            front.from += 1;
        }
        if front.from == earliest {
            if let Some(first) = front.messages.front() {
                return Ok(Some(*first));
            }
        }
        front.from = earliest;
        front.messages = look_up(engine, entry, record, fresh)?;
        Ok(front.messages.front().copied())
    }

    /// Drops what is known of a topic that was removed.
    pub(super) fn forget(&mut self, topic: u64) {
        self.by_topic.remove(&topic);
    }
}

/// The sizes of the oldest messages: from `fresh`, from memory, or from disk.
fn look_up(
    engine: &Engine,
    entry: &Entry,
    record: &record::Topic,
    fresh: &[Arc<str>],
) -> Result<VecDeque<Size>, Failure> {
    let earliest = record.bounds.earliest;
    let appended_from = record.bounds.next - fresh.len() as u64;
    if let Some(skip) = earliest.checked_sub(appended_from) {
        let fresh = fresh.iter().skip(skip as usize).take(LOOK_AHEAD);
        let sizes = fresh.map(|text| (Message::retained_bytes(text), record.times.latest));
        return Ok(sizes.collect());
    }
    if let Some(recent) = entry.recent_bytes(earliest, LOOK_AHEAD) {
        return Ok(recent.into());
    }
    let stored = engine.read(entry.id(), earliest, appended_from)?;
    let stored = stored.iter().take(LOOK_AHEAD);
    let sizes = stored.map(|m| (Message::retained_bytes(&m.data), m.time));
    Ok(sizes.collect())
}
