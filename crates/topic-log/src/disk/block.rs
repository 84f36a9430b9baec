//! The blocks that messages are stored in. The messages of a block were appended together.
//!
//! | bytes | what |
//! |---|---|
//! | 8 | the checksum ([`checksum`]) |
//! | 8 | when the messages were received, in nanoseconds since 1970 |
//! | 4 | the number of messages: n |
//! | 4 n | the length of each text |
//! | | the texts |
//!
//! Numbers are big-endian.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::checksum::{self, number, Damaged};
use crate::message::Message;
use crate::offset::Offset;

/// The first byte of the keys of blocks.
const BLOCK: u8 = b'b';

/// A block that has this many bytes of text is full.
const FULL: usize = 16 * 1024;

const HEADER: usize = checksum::LENGTH + 8 + 4;

/// Which block it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct BlockKey {
    /// The number of its topic.
    pub(super) topic: u64,
    /// The offset of its first message.
    pub(super) first: Offset,
}

/// The messages of a block from some offset on.
pub(super) struct Block {
    /// When all of them were received.
    pub(super) time: SystemTime,
    pub(super) texts: VecDeque<Arc<str>>,
}

impl BlockKey {
    /// The key as bytes, which are in the order of the offsets.
    pub(super) fn encode(self) -> [u8; 17] {
        let mut key = [BLOCK; 17];
        key[1..9].copy_from_slice(&self.topic.to_be_bytes());
        key[9..].copy_from_slice(&self.first.to_be_bytes());
        key
    }

    pub(super) fn decode(key: &[u8]) -> Result<Self, Damaged> {
        let Some((&BLOCK, mut rest)) = key.split_first() else {
            return Err(Damaged);
        };
        Ok(Self {
            topic: number(&mut rest)?,
            first: number(&mut rest)?,
        })
    }
}

/// Splits `texts` into blocks.
pub(super) fn split(mut texts: &[Arc<str>]) -> impl Iterator<Item = &[Arc<str>]> {
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let full = texts.iter().position(|text| {
            bytes += 4 + text.len();
            bytes >= FULL
        });
        let (block, rest) = texts.split_at(full.map_or(texts.len(), |last| last + 1));
        texts = rest;
        (!block.is_empty()).then_some(block)
    })
}

pub(super) fn encode(key: BlockKey, time: SystemTime, texts: &[Arc<str>]) -> Vec<u8> {
    let bytes: usize = texts.iter().map(|text| 4 + text.len()).sum();
    let mut block = Vec::with_capacity(HEADER + bytes);
    block.extend_from_slice(&[0; checksum::LENGTH]);
    block.extend_from_slice(&nanos(time).to_be_bytes());
    // Each text counts at least four bytes towards FULL, so that there are fewer than 2^32. A text
    // is shorter than 4 GiB, as every message of gRPC is.
    block.extend_from_slice(&(texts.len() as u32).to_be_bytes());
    for text in texts {
        block.extend_from_slice(&(text.len() as u32).to_be_bytes());
    }
    for text in texts {
        block.extend_from_slice(text.as_bytes());
    }
    checksum::write(&key.encode(), block)
}

/// The messages of a block from `offset` on; none where the block ends before it.
pub(super) fn decode(key: BlockKey, block: &[u8], offset: Offset) -> Result<Block, Damaged> {
    let mut rest = checksum::verify(&key.encode(), block)?;
    let time = number(&mut rest)?;
    let (count, rest) = rest.split_first_chunk::<4>().ok_or(Damaged)?;
    let count = u32::from_be_bytes(*count) as usize;
    let (lengths, mut rest) = rest.split_at_checked(4 * count).ok_or(Damaged)?;
    let skip = offset.saturating_sub(key.first);
    let mut texts = VecDeque::with_capacity(count.saturating_sub(skip as usize));
    for (n, length) in (0_u64..).zip(lengths.as_chunks::<4>().0) {
        let length = u32::from_be_bytes(*length) as usize;
        let (text, after) = rest.split_at_checked(length).ok_or(Damaged)?;
        if n >= skip {
            let text = std::str::from_utf8(text).map_err(|_| Damaged)?;
            texts.push_back(text.into());
        }
        rest = after;
    }
    Ok(Block {
        time: UNIX_EPOCH + Duration::from_nanos(time),
        texts,
    })
}

impl Block {
    pub(super) fn messages(self) -> impl Iterator<Item = Message> {
        let time = self.time;
        let message = move |data| Message { time, data };
        self.texts.into_iter().map(message)
    }
}

/// Nanoseconds since 1970: until 2554.
pub(super) fn nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: BlockKey = BlockKey {
        topic: 3,
        first: 40,
    };

    fn texts() -> Vec<Arc<str>> {
        ["", "a", "grüße", "last"].map(Arc::from).to_vec()
    }

    #[test]
    fn what_is_written_is_read_from_any_offset() {
        let time = UNIX_EPOCH + Duration::from_nanos(1_700_000_000_123_456_789);
        let block = encode(KEY, time, &texts());
        for skip in 0..6 {
            let read = decode(KEY, &block, 40 + skip as u64).unwrap();
            assert_eq!(read.time, time);
            assert_eq!(Vec::from(read.texts), texts()[skip.min(4)..]);
        }
        assert_eq!(BlockKey::decode(&KEY.encode()), Ok(KEY));
    }

    #[test]
    fn a_changed_block_or_one_in_another_place_is_damaged() {
        let block = encode(KEY, UNIX_EPOCH, &texts());
        for at in 0..block.len() {
            let mut changed = block.clone();
            changed[at] ^= 1;
            assert!(decode(KEY, &changed, 40).is_err(), "byte {at}");
            assert!(decode(KEY, &block[..at], 40).is_err(), "cut at {at}");
        }
        let elsewhere = BlockKey { first: 41, ..KEY };
        assert!(decode(elsewhere, &block, 41).is_err());
    }

    #[test]
    fn blocks_are_full_or_the_last() {
        let long: Arc<str> = "x".repeat(FULL / 2).into();
        let all = [&long, &long, &long, &long, &long].map(Arc::clone);
        let counts: Vec<_> = split(&all).map(<[_]>::len).collect();
        assert_eq!(counts, [2, 2, 1]);
        assert_eq!(split(&[]).count(), 0);
        let empty = vec![Arc::from(""); FULL];
        assert_eq!(split(&empty).count(), 4, "a text without bytes costs four");
    }
}
