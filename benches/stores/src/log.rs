//! The topics' log over a store: what is in a block, and what a group of messages becomes.

use std::collections::VecDeque;
use std::sync::OnceLock;

use xxhash_rust::xxh3::xxh3_64;

use crate::store::{Group, Result};

/// Bytes of a message's text.
pub const TEXT: usize = 100;

/// Bytes of a block's value at most. With redb's own bytes it still fits a page of 64 KiB; one
/// byte more and it takes a page of 128 KiB.
const BLOCK: usize = 65_000;

/// Count, time, cumulative bytes of the topic, checksum of everything else.
const HEADER: usize = 4 + 8 + 8 + 8;

pub fn key(topic: u64, first: u64) -> [u8; 16] {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&topic.to_be_bytes());
    key[8..].copy_from_slice(&first.to_be_bytes());
    key
}

pub fn split(key: &[u8]) -> Result<(u64, u64)> {
    let (topic, first) = key.split_at_checked(8).ok_or("short key")?;
    Ok((
        u64::from_be_bytes(topic.try_into()?),
        u64::from_be_bytes(first.try_into()?),
    ))
}

/// The text of a message, which its place alone decides: words, so that compression has
/// something to do.
pub fn text(topic: u64, offset: u64) -> [u8; TEXT] {
    static WORDS: OnceLock<Vec<u8>> = OnceLock::new();
    let words = WORDS.get_or_init(|| {
        const SYLLABLES: [&str; 16] = [
            "ka", "lo", "mi", "ten", "ru", "sel", "vo", "dan", "pri", "gus", "e", "nor", "tha",
            "by", "quil", "o",
        ];
        let mut random = Random(7);
        let mut words = Vec::new();
        while words.len() < 1 << 20 {
            for _ in 0..1 + random.below(3) {
                words.extend_from_slice(SYLLABLES[random.below(16) as usize].as_bytes());
            }
            words.push(b' ');
        }
        words
    });
    let mut text = [0; TEXT];
    let from = Random(topic << 40 ^ offset).below((words.len() - TEXT) as u64) as usize;
    text.copy_from_slice(&words[from..from + TEXT]);
    text[..8].copy_from_slice(&topic.to_be_bytes());
    text[8..16].copy_from_slice(&offset.to_be_bytes());
    text
}

/// SplitMix64, by Steele, Lea and Flood: enough for places and texts.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

/// The value of a block with these messages.
fn block(topic: u64, first: u64, count: u64) -> Vec<u8> {
    let mut value = Vec::with_capacity(HEADER + count as usize * (4 + TEXT));
    value.extend_from_slice(&(count as u32).to_be_bytes());
    value.extend_from_slice(&(1_700_000_000_000_000_000 + first).to_be_bytes());
    value.extend_from_slice(&(first * TEXT as u64).to_be_bytes());
    value.extend_from_slice(&[0; 8]);
    for offset in first..first + count {
        value.extend_from_slice(&(TEXT as u32).to_be_bytes());
        value.extend_from_slice(&text(topic, offset));
    }
    let sum = xxh3_64(&value);
    value[20..28].copy_from_slice(&sum.to_be_bytes());
    value
}

/// What is in a block.
pub enum Read {
    /// Intact, with this many messages
    Good(u64),
    /// The checksum is not that of the value
    Damaged,
    /// The checksum agrees, the messages are not those that were written
    Wrong,
}

/// The number of messages, which are walked one by one; the checksum is verified.
pub fn walk(value: &[u8], mut visit: impl FnMut(u64, &[u8])) -> Option<u64> {
    let sum = u64::from_be_bytes(value.get(20..28)?.try_into().ok()?);
    let mut hash = xxhash_rust::xxh3::Xxh3::new();
    hash.update(&value[..20]);
    hash.update(&[0; 8]);
    hash.update(&value[28..]);
    if hash.digest() != sum {
        return None;
    }
    let count = u64::from(u32::from_be_bytes(value[..4].try_into().ok()?));
    let mut rest = &value[HEADER..];
    for index in 0..count {
        let (length, tail) = rest.split_at_checked(4)?;
        let (text, tail) =
            tail.split_at_checked(u32::from_be_bytes(length.try_into().ok()?) as usize)?;
        visit(index, text);
        rest = tail;
    }
    Some(count)
}

pub fn verify(topic: u64, first: u64, value: &[u8]) -> Read {
    match walk(value, |_, _| ()) {
        None => Read::Damaged,
        Some(count) if value == block(topic, first, count) => Read::Good(count),
        Some(_) => Read::Wrong,
    }
}

/// One topic while it is written.
#[derive(Default)]
struct Topic {
    next: u64,
    earliest: u64,
    /// First offset of each block that is there
    blocks: VecDeque<u64>,
}

/// The writer's side.
pub struct Log {
    topics: Vec<Topic>,
    /// Messages that a topic keeps
    keep: u64,
}

impl Log {
    pub fn new(topics: u64, keep: u64) -> Self {
        Log {
            topics: (0..topics).map(|_| Topic::default()).collect(),
            keep,
        }
    }

    /// All topics have their messages before this offset.
    pub fn at(topics: u64, next: u64) -> Self {
        let mut log = Log::new(topics, u64::MAX);
        log.topics.iter_mut().for_each(|topic| topic.next = next);
        log
    }

    pub fn next(&self, topic: u64) -> u64 {
        self.topics[topic as usize].next
    }

    /// A group with `count` messages for each of these topics, by one producer each.
    pub fn group(&mut self, topics: impl Iterator<Item = u64>, count: u64) -> Group {
        let mut group = Group::default();
        for id in topics {
            let topic = &mut self.topics[id as usize];
            let (end, new) = (topic.next + count, topic.next == 0);
            while topic.next < end {
                let fit = ((BLOCK - HEADER) / (4 + TEXT)) as u64;
                let count = fit.min(end - topic.next);
                group
                    .blocks
                    .push((key(id, topic.next), block(id, topic.next, count)));
                if self.keep < u64::MAX {
                    topic.blocks.push_back(topic.next);
                }
                topic.next += count;
            }
            let before = group.dropped.len();
            while topic
                .blocks
                .get(1)
                .is_some_and(|second| end - second >= self.keep)
            {
                group
                    .dropped
                    .extend(topic.blocks.pop_front().map(|first| key(id, first)));
                topic.earliest = topic.blocks[0];
            }
            if new || group.dropped.len() > before {
                group.topics.push((id, entry(topic.earliest, id)));
            }
            group.producers.push(producer(id, end));
        }
        group
    }

    /// Groups that drop everything there is.
    pub fn drop_all(&mut self) -> Vec<Group> {
        let mut groups = Vec::new();
        for (id, topic) in self.topics.iter_mut().enumerate() {
            let blocks: Vec<u64> = topic.blocks.drain(..).collect();
            for blocks in blocks.chunks(1_000) {
                groups.push(Group {
                    dropped: blocks.iter().map(|first| key(id as u64, *first)).collect(),
                    topics: vec![(id as u64, entry(topic.next, id as u64))],
                    ..Group::default()
                });
            }
        }
        groups
    }
}

pub fn entry(earliest: u64, id: u64) -> Vec<u8> {
    let mut value = earliest.to_be_bytes().to_vec();
    value.extend_from_slice(format!("topic-{id}").as_bytes());
    value
}

pub fn producer(id: u64, next: u64) -> (Vec<u8>, [u8; 16]) {
    let mut name = id.to_be_bytes().to_vec();
    name.extend_from_slice(format!("producer-of-{id}").as_bytes());
    (name, key(0, next))
}
