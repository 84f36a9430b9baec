//! Reads the blocks of messages.

use std::collections::VecDeque;
use std::time::SystemTime;

use fjall::{Keyspace, Slice};

use super::faults::{damaged, guarded};
use crate::disk::block::{self, BlockKey};
use crate::disk::checksum::Damaged;
use crate::disk::failure::Failure;
use crate::message::Message;
use crate::offset::{Bounds, Offset};
use crate::times::Times;

/// A read takes this many bytes, as retention counts them, and what is left of the last block.
const READ_BYTES: u64 = 64 * 1024;

/// Messages of a topic from `offset` on, at least one. `next` is the offset behind the last.
pub(super) fn read(
    tree: &Keyspace,
    topic: u64,
    offset: Offset,
    next: Offset,
) -> Result<VecDeque<Message>, Failure> {
    guarded(|| {
        let mut messages = VecDeque::new();
        let mut bytes = 0;
        let mut expected = offset;
        let missing = |offset| Failure::Damaged(format!("no message is at offset {offset}"));
        for block in blocks_from(tree, topic, offset, next)? {
            let block = block.and_then(|(key, value)| {
                if key.first > expected {
                    return Err(missing(expected));
                }
                let what = || damaged(&format!("the block at offset {}", key.first));
                block::decode(key, &value, offset).map_err(|Damaged| what())
            });
            match block {
                Ok(block) => {
                    let before = messages.len();
                    messages.extend(block.messages());
                    expected = offset + messages.len() as u64;
                    let read = messages.range(before..);
                    bytes += read
                        .map(|m: &Message| Message::retained_bytes(&m.data))
                        .sum::<u64>();
                }
                // The messages before it can be delivered. The next read reports it.
                Err(_) if !messages.is_empty() => break,
                Err(why) => return Err(why),
            }
            if bytes >= READ_BYTES {
                break;
            }
        }
        // The writer may have written more since.
        messages.truncate(usize::try_from(next - offset).unwrap_or(usize::MAX));
        if messages.is_empty() {
            Err(missing(offset))
        } else {
            Ok(messages)
        }
    })
}

/// The offset behind the last block of a topic. `None` if it has no block.
pub(super) fn end(tree: &Keyspace, topic: u64) -> Result<Option<Offset>, Failure> {
    guarded(|| {
        let mut blocks = tree.range(key(topic, 0)..=key(topic, Offset::MAX));
        let Some(last) = blocks.next_back() else {
            return Ok(None);
        };
        let (key, value) = last.into_inner()?;
        let key = decode_key(&key)?;
        let block = block::decode(key, &value, key.first);
        let block = block.map_err(|Damaged| damaged("the last block of a topic"))?;
        Ok(Some(key.first + block.texts.len() as u64))
    })
}

/// The offset of the first message that was received at `time` or later.
pub(super) fn since(
    tree: &Keyspace,
    topic: u64,
    time: SystemTime,
    bounds: Bounds,
    times: &Times,
) -> Result<Offset, Failure> {
    let Bounds { earliest, next } = bounds;
    // Messages before `low` are older, and messages from `high` on are not.
    let (mut low, mut high) = (earliest, next);
    while low < high {
        let middle = low + (high - low) / 2;
        let (first, block) = guarded(|| {
            let mut blocks = blocks_from(tree, topic, middle, next)?;
            let block = blocks.next().ok_or_else(|| damaged("a block"))?;
            let (key, value) = block?;
            let block = block::decode(key, &value, key.first);
            Ok((key.first, block.map_err(|Damaged| damaged("a block"))?))
        })?;
        // All messages of a block have the same time.
        if times.at(first, block.time) < time {
            low = first + block.texts.len() as u64;
        } else {
            // The block of `middle` may have been removed since.
            high = first.min(middle);
        }
    }
    Ok(low.clamp(earliest, next))
}

/// The keys of up to `most` blocks of a topic that begin between `from` and `to`, both included.
pub(super) fn keys(
    tree: &Keyspace,
    topic: u64,
    from: Offset,
    to: Offset,
    most: usize,
) -> Result<Vec<BlockKey>, Failure> {
    guarded(|| {
        let keys = tree.range(key(topic, from)..=key(topic, to));
        let keys = keys.take(most).map(|entry| decode_key(&entry.key()?));
        keys.collect()
    })
}

/// The blocks that have messages from `offset` on and before `next`.
fn blocks_from(
    tree: &Keyspace,
    topic: u64,
    offset: Offset,
    next: Offset,
) -> Result<impl Iterator<Item = Result<(BlockKey, Slice), Failure>>, Failure> {
    let wanted = key(topic, offset);
    // Looking for a block that begins there costs less than looking backwards.
    let first = if tree.contains_key(wanted)? {
        wanted
    } else {
        match tree.range(key(topic, 0)..=wanted).next_back() {
            Some(entry) => decode_key(&entry.key()?)?.encode(),
            None => wanted,
        }
    };
    Ok(tree.range(first..key(topic, next)).map(|entry| {
        let (key, value) = entry.into_inner()?;
        Ok((decode_key(&key)?, value))
    }))
}

/// The key of a block of this topic that begins at `first`.
fn key(topic: u64, first: Offset) -> [u8; 17] {
    BlockKey { topic, first }.encode()
}

fn decode_key(key: &[u8]) -> Result<BlockKey, Failure> {
    BlockKey::decode(key).map_err(|Damaged| damaged("a key"))
}
