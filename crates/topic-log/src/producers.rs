//! What a topic remembers of the producers that publish exactly once.

use std::num::NonZeroUsize;

use lru::LruCache;

use crate::append::Sequence;
use crate::error::Error;
use crate::name::{Name, ProducerName};
use crate::offset::Bounds;
use crate::places::{Places, Repeat};

/// The sequence numbers of the producers that were seen most recently.
#[derive(Debug)]
pub(crate) struct Producers {
    known: LruCache<ProducerName, Known>,
    most: usize,
}

/// The sequence numbers that a topic has of a producer: all from `first` on and before `next`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) first: u64,
    pub(crate) next: u64,
    /// Where the last of them are.
    pub(crate) places: Places,
}

/// What a batch with a sequence number means to a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checked {
    /// How many of its messages, the first ones, the topic has already.
    pub(crate) duplicates: u64,
    /// What the topic has of the producer once the batch is appended.
    pub(crate) known: Known,
}

impl Producers {
    /// Remembers at most this number of producers.
    pub(crate) fn new(most: NonZeroUsize) -> Self {
        Self {
            // A bounded cache would allocate for all of them at once.
            known: LruCache::unbounded(),
            most: most.get(),
        }
    }

    /// What the topic has of a producer.
    pub(crate) fn get(&self, producer: &ProducerName) -> Option<&Known> {
        self.known.peek(producer)
    }

    /// The number that the topic expects next of a producer, which is 0 for one that it does not
    /// know.
    pub(crate) fn expected(&self, producer: &ProducerName) -> u64 {
        self.get(producer).map_or(0, |known| known.next)
    }

    /// Which of the `count` messages of a batch the topic has already, as far as it knows where
    /// they are, and keeps them.
    pub(crate) fn repeats(&self, sequence: &Sequence, count: u64, bounds: Bounds) -> Vec<Repeat> {
        let numbers = sequence.first..sequence.first.saturating_add(count);
        match self.get(&sequence.producer) {
            Some(known) if known.first <= numbers.start => {
                known.places.find(&numbers, bounds.earliest, known.next)
            }
            _ => Vec::new(),
        }
    }

    /// Checks a batch of `count` messages for `topic`, whose offsets are `bounds` before it.
    ///
    /// # Errors
    ///
    /// [`Error::Gap`] and [`Error::Forgotten`].
    pub(crate) fn check(
        &self,
        topic: &Name,
        sequence: &Sequence,
        count: u64,
        bounds: Bounds,
    ) -> Result<Checked, Error> {
        let got = sequence.first;
        let next = got.saturating_add(count);
        let mut known = match self.get(&sequence.producer) {
            Some(known) => known.clone(),
            None => Known {
                first: got,
                next: got,
                places: Places::default(),
            },
        };
        if got < known.first {
            return Err(Error::Forgotten {
                topic: topic.clone(),
                producer: sequence.producer.clone(),
                first: known.first,
                got,
            });
        }
        if got > known.next {
            return Err(Error::Gap {
                topic: topic.clone(),
                producer: sequence.producer.clone(),
                expected: known.next,
                got,
            });
        }
        let duplicates = (known.next - got).min(count);
        if duplicates < count {
            let Known { places, next, .. } = &mut known;
            places.forget_before(bounds.earliest, *next);
            places.add(*next, bounds.next);
        }
        known.next = known.next.max(next);
        Ok(Checked { duplicates, known })
    }

    /// Remembers what the topic has of a producer, which is the most recently seen one now. Returns
    /// the producer that is forgotten for it.
    pub(crate) fn remember(
        &mut self,
        producer: ProducerName,
        known: Known,
    ) -> Option<(ProducerName, Known)> {
        self.known.put(producer, known);
        if self.known.len() > self.most {
            self.known.pop_lru()
        } else {
            None
        }
    }

    /// Forgets all producers.
    #[cfg(feature = "disk")]
    pub(crate) fn clear(&mut self) {
        self.known.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: Bounds = Bounds {
        earliest: 0,
        next: 0,
    };

    fn sequence(producer: &str, first: u64) -> Sequence {
        let producer = ProducerName::new(producer).unwrap();
        Sequence { producer, first }
    }

    fn check(producers: &Producers, sequence: &Sequence, count: u64) -> Result<u64, Error> {
        let topic = Name::new("t").unwrap();
        let checked = producers.check(&topic, sequence, count, EMPTY)?;
        Ok(checked.duplicates)
    }

    fn append(producers: &mut Producers, sequence: Sequence, count: u64) {
        let topic = Name::new("t").unwrap();
        let checked = producers.check(&topic, &sequence, count, EMPTY).unwrap();
        producers.remember(sequence.producer, checked.known);
    }

    #[test]
    fn duplicates_are_counted_and_gaps_refused() {
        let mut producers = Producers::new(NonZeroUsize::MIN);
        let a = |first| sequence("a", first);
        let any = check(&producers, &a(7), 3);
        assert_eq!(any, Ok(0), "a new producer may begin at any number");
        append(&mut producers, a(7), 3);
        assert_eq!(check(&producers, &a(10), 5), Ok(0));
        assert_eq!(check(&producers, &a(8), 5), Ok(2));
        assert_eq!(check(&producers, &a(7), 2), Ok(2));
        let gap = |r| {
            matches!(
                r,
                Err(Error::Gap {
                    expected: 10,
                    got: 11,
                    ..
                })
            )
        };
        assert!(gap(check(&producers, &a(11), 5)));
        let early = check(&producers, &a(6), 5);
        assert!(matches!(
            early,
            Err(Error::Forgotten {
                first: 7,
                got: 6,
                ..
            })
        ));
        append(&mut producers, a(7), 1);
        let still = gap(check(&producers, &a(11), 5));
        assert!(still, "a duplicate does not lower the expected number");

        append(&mut producers, sequence("b", 0), 1);
        let any = check(&producers, &a(11), 5);
        assert_eq!(any, Ok(0), "the least recently seen producer is forgotten");
    }
}
