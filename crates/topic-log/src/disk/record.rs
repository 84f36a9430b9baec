//! What is stored of topics and producers besides the messages. Numbers are big-endian and have
//! eight bytes.

use std::time::{Duration, UNIX_EPOCH};

use super::block::nanos;
use super::checksum::{self, number, Damaged};
use crate::name::{Name, ProducerName};
use crate::offset::{Bounds, Epoch, Offset};
use crate::places::{Places, Run};
use crate::producers::Known;
use crate::times::{Times, Turn};

/// The first byte of the keys of topics.
pub(super) const TOPIC: u8 = b't';
/// The first byte of the keys of producers.
pub(super) const PRODUCER: u8 = b'p';
/// The first byte of the keys of turns of the clock.
pub(super) const TURNS: u8 = b'c';
/// The key of the epoch of new topics.
pub(super) const EPOCH: &[u8] = b"s/epoch";

/// The record of a topic. Its key is [`TOPIC`] and the number of the topic. Its value is the
/// checksum, the numbers in the order of these fields, and the name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Topic {
    pub(super) epoch: Epoch,
    /// The offsets that subscribers can read.
    pub(super) bounds: Bounds,
    /// The first message that is still stored. It may be before the bounds: a block is removed once
    /// the bounds have passed all of it.
    pub(super) stored_from: Offset,
    /// The bytes that the topic keeps, as [`Retention::bytes`](crate::Retention::bytes) counts them.
    pub(super) bytes: u64,
    /// The sum of the next sequence numbers of its producers. Shows whether they and the topic were
    /// written together.
    pub(super) sequenced: u64,
    /// When its messages were received. The turns of the clock have a record of their own, because few
    /// topics have any.
    pub(super) times: Times,
    pub(super) name: Name,
}

/// The record of a producer. Its key is [`PRODUCER`], the number of the topic, and the name of the
/// producer. Its value is the checksum, `first`, `next` and `seen`, and for each run of its places
/// the number and the offset. Records of earlier versions have no places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Producer {
    pub(super) known: Known,
    /// Producers that published later have a higher number.
    pub(super) seen: u64,
}

impl Topic {
    pub(super) fn key(id: u64) -> [u8; 9] {
        prefixed(TOPIC, id)
    }

    pub(super) fn encode(&self, key: &[u8]) -> Vec<u8> {
        let numbers = [
            self.epoch.0,
            self.bounds.earliest,
            self.bounds.next,
            self.stored_from,
            self.bytes,
            self.sequenced,
            nanos(self.times.latest),
        ];
        encode(key, &numbers, self.name.as_str())
    }

    pub(super) fn decode(key: &[u8], value: &[u8]) -> Result<(u64, Self), Damaged> {
        let mut rest = checksum::verify(key, value)?;
        let record = Self {
            epoch: Epoch(number(&mut rest)?),
            bounds: Bounds {
                earliest: number(&mut rest)?,
                next: number(&mut rest)?,
            },
            stored_from: number(&mut rest)?,
            bytes: number(&mut rest)?,
            sequenced: number(&mut rest)?,
            times: Times::new(
                UNIX_EPOCH + Duration::from_nanos(number(&mut rest)?),
                Vec::new(),
            ),
            name: Name::new(text(rest)?).map_err(|_| Damaged)?,
        };
        let id = number(&mut without_prefix(key)?)?;
        let Bounds { earliest, next } = record.bounds;
        let ordered = record.stored_from <= earliest && earliest <= next;
        // Nothing is ever counted up to more than that.
        let small = [id, next, record.bytes].iter().all(|n| *n < 1 << 62);
        if ordered && small {
            Ok((id, record))
        } else {
            Err(Damaged)
        }
    }
}

/// The record of the turns of the clock in a topic. Its key is [`TURNS`] and the number of the topic.
/// Its value is the checksum, the epoch, and the numbers of each turn in the order of its fields.
/// Durations are in nanoseconds, and times in nanoseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Turns {
    /// An older version that drops a topic leaves its turns. The epoch tells that they are not those
    /// of a topic that has the same number later.
    pub(super) epoch: Epoch,
    pub(super) turns: Vec<Turn>,
}

impl Turns {
    pub(super) fn key(topic: u64) -> [u8; 9] {
        prefixed(TURNS, topic)
    }

    pub(super) fn encode(epoch: Epoch, turns: &[Turn], key: &[u8]) -> Vec<u8> {
        let of = |turn: &Turn| {
            let durations = [turn.behind, turn.moved].map(|by| nanos(UNIX_EPOCH + by));
            [turn.from, nanos(turn.time), durations[0], durations[1]]
        };
        let numbers: Vec<_> = [epoch.0]
            .into_iter()
            .chain(turns.iter().flat_map(of))
            .collect();
        encode(key, &numbers, "")
    }

    pub(super) fn decode(key: &[u8], value: &[u8]) -> Result<(u64, Self), Damaged> {
        let mut rest = checksum::verify(key, value)?;
        let epoch = Epoch(number(&mut rest)?);
        let mut turns = Vec::new();
        while !rest.is_empty() {
            turns.push(Turn {
                from: number(&mut rest)?,
                time: UNIX_EPOCH + Duration::from_nanos(number(&mut rest)?),
                behind: Duration::from_nanos(number(&mut rest)?),
                moved: Duration::from_nanos(number(&mut rest)?),
            });
        }
        let topic = number(&mut without_prefix(key)?)?;
        Ok((topic, Self { epoch, turns }))
    }
}

impl Producer {
    pub(super) fn key(topic: u64, name: &ProducerName) -> Vec<u8> {
        [&Self::prefix(topic), name.as_str().as_bytes()].concat()
    }

    /// The first bytes of the keys of all producers of a topic.
    pub(super) fn prefix(topic: u64) -> [u8; 9] {
        prefixed(PRODUCER, topic)
    }

    pub(super) fn encode(&self, key: &[u8]) -> Vec<u8> {
        let Known {
            first,
            next,
            places,
        } = &self.known;
        let mut numbers = vec![*first, *next, self.seen];
        numbers.extend(places.runs().iter().flat_map(|r| [r.number, r.offset]));
        encode(key, &numbers, "")
    }

    pub(super) fn decode(key: &[u8], value: &[u8]) -> Result<(u64, ProducerName, Self), Damaged> {
        let mut rest = checksum::verify(key, value)?;
        let (first, next) = (number(&mut rest)?, number(&mut rest)?);
        let seen = number(&mut rest)?;
        let mut runs = Vec::new();
        while !rest.is_empty() {
            runs.push(Run {
                number: number(&mut rest)?,
                offset: number(&mut rest)?,
            });
        }
        let places = Places::checked(runs, first, next).ok_or(Damaged)?;
        let known = Known {
            first,
            next,
            places,
        };
        let mut key = without_prefix(key)?;
        let topic = number(&mut key)?;
        let name = ProducerName::new(text(key)?).map_err(|_| Damaged)?;
        Ok((topic, name, Self { known, seen }))
    }
}

/// The value of [`EPOCH`].
pub(super) fn encode_epoch(epoch: u64) -> Vec<u8> {
    encode(EPOCH, &[epoch], "")
}

pub(super) fn decode_epoch(value: &[u8]) -> Result<u64, Damaged> {
    number(&mut checksum::verify(EPOCH, value)?)
}

fn prefixed(prefix: u8, id: u64) -> [u8; 9] {
    let mut key = [prefix; 9];
    key[1..].copy_from_slice(&id.to_be_bytes());
    key
}

fn without_prefix(key: &[u8]) -> Result<&[u8], Damaged> {
    key.split_first().map(|(_, rest)| rest).ok_or(Damaged)
}

fn encode(key: &[u8], numbers: &[u64], name: &str) -> Vec<u8> {
    let mut value = vec![0; checksum::LENGTH];
    value.extend(numbers.iter().flat_map(|number| number.to_be_bytes()));
    value.extend_from_slice(name.as_bytes());
    checksum::write(key, value)
}

fn text(bytes: &[u8]) -> Result<&str, Damaged> {
    std::str::from_utf8(bytes).map_err(|_| Damaged)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let topic = Topic {
            epoch: Epoch(1),
            bounds: Bounds {
                earliest: 3,
                next: 4,
            },
            stored_from: 2,
            bytes: 5,
            sequenced: 6,
            times: Times::new(UNIX_EPOCH + Duration::from_nanos(7), Vec::new()),
            name: Name::new("stocks/aaa").unwrap(),
        };
        let key = Topic::key(8);
        let value = topic.encode(&key);
        assert_eq!(Topic::decode(&key, &value), Ok((8, topic)));
        assert_eq!(Topic::decode(&Topic::key(9), &value), Err(Damaged));

        let turn = |from| Turn {
            from,
            time: UNIX_EPOCH + Duration::from_nanos(from + 1),
            behind: Duration::from_nanos(2),
            moved: Duration::from_nanos(3),
        };
        let turns = vec![turn(5), turn(6)];
        let key = Turns::key(7);
        let value = Turns::encode(Epoch(4), &turns, &key);
        let epoch = Epoch(4);
        assert_eq!(Turns::decode(&key, &value), Ok((7, Turns { epoch, turns })));
        assert_eq!(Turns::decode(&Turns::key(8), &value), Err(Damaged));

        let mut places = Places::default();
        places.add(1, 100);
        places.add(5, 200);
        let producer = Producer {
            known: Known {
                first: 1,
                next: 9,
                places,
            },
            seen: 3,
        };
        let name = ProducerName::new("p").unwrap();
        let key = Producer::key(7, &name);
        let value = producer.encode(&key);
        assert_eq!(Producer::decode(&key, &value), Ok((7, name, producer)));
        for at in 0..value.len() {
            let mut changed = value.clone();
            changed[at] ^= 1;
            assert_eq!(Producer::decode(&key, &changed), Err(Damaged));
            assert_eq!(Producer::decode(&key, &value[..at]), Err(Damaged));
        }
    }

    #[test]
    fn the_record_of_an_earlier_version_has_no_places() {
        let name = ProducerName::new("p").unwrap();
        let key = Producer::key(7, &name);
        let known = Known {
            first: 1,
            next: 9,
            places: Places::default(),
        };
        let value = encode(&key, &[1, 9, 3], "");
        let producer = Producer { known, seen: 3 };
        assert_eq!(Producer::decode(&key, &value), Ok((7, name, producer)));
        for runs in [[0, 5], [1, u64::MAX], [9, 5]] {
            let [number, offset] = runs;
            let value = encode(&key, &[1, 9, 3, number, offset], "");
            assert_eq!(Producer::decode(&key, &value), Err(Damaged), "{runs:?}");
        }
    }
}
