//! How messages lie on disk: in blocks of messages that were appended together.
//!
//! | bytes | what |
//! |---|---|
//! | 8 | the checksum ([`checksum`]) |
//! | 8 | when they were received, in nanoseconds since 1970 |
//! | 4 | how many messages: n |
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

/// What the keys of blocks begin with.
const BLOCK: u8 = b'b';

/// A block is closed once it has so many bytes of text.
const FULL: usize = 16 * 1024;

const HEADER: usize = checksum::LENGTH + 8 + 4;

/// Where a block lies: which topic's, from which offset on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct BlockKey {
    pub(super) topic: u64,
    pub(super) first: Offset,
}

/// The messages of a block that were asked for.
pub(super) struct Block {
    pub(super) time: SystemTime,
    /// From the offset that was asked for on.
    pub(super) texts: VecDeque<Arc<str>>,
}

impl BlockKey {
    /// In the order of the offsets.
    pub(super) fn key(self) -> [u8; 17] {
        let mut key = [BLOCK; 17];
        key[1..9].copy_from_slice(&self.topic.to_be_bytes());
        key[9..].copy_from_slice(&self.first.to_be_bytes());
        key
    }

    pub(super) fn of_key(key: &[u8]) -> Result<Self, Damaged> {
        let Some((&BLOCK, mut rest)) = key.split_first() else {
            return Err(Damaged);
        };
        Ok(Self {
            topic: number(&mut rest)?,
            first: number(&mut rest)?,
        })
    }
}

/// `texts` in blocks, each with how many it has.
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

pub(super) fn encode(place: BlockKey, time: SystemTime, texts: &[Arc<str>]) -> Vec<u8> {
    let bytes: usize = texts.iter().map(|text| 4 + text.len()).sum();
    let mut block = Vec::with_capacity(HEADER + bytes);
    block.extend_from_slice(&[0; checksum::LENGTH]);
    block.extend_from_slice(&nanos(time).to_be_bytes());
    // Each counts at least four towards FULL, and a text is shorter than 4 GiB: gRPC's lengths are.
    block.extend_from_slice(&(texts.len() as u32).to_be_bytes());
    for text in texts {
        block.extend_from_slice(&(text.len() as u32).to_be_bytes());
    }
    for text in texts {
        block.extend_from_slice(text.as_bytes());
    }
    checksum::write(&place.key(), block)
}

/// The messages of a block from `offset` on; none where the block ends before it.
pub(super) fn decode(place: BlockKey, block: &[u8], offset: Offset) -> Result<Block, Damaged> {
    let mut rest = checksum::verify(&place.key(), block)?;
    let time = number(&mut rest)?;
    let (count, rest) = rest.split_first_chunk::<4>().ok_or(Damaged)?;
    let count = u32::from_be_bytes(*count) as usize;
    let (lengths, mut rest) = rest.split_at_checked(4 * count).ok_or(Damaged)?;
    let skip = offset.saturating_sub(place.first);
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
        assert_eq!(BlockKey::of_key(&KEY.key()), Ok(KEY));
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
