//! What a topic remembers of those who publish exactly once.

use std::num::NonZeroUsize;

use lru::LruCache;

use crate::append::Sequence;
use crate::error::Error;
use crate::name::{Name, ProducerName};

/// The sequence numbers of each producer, of the most recently seen ones.
#[derive(Debug)]
pub(super) struct Producers {
    known: LruCache<ProducerName, Known>,
    most: usize,
}

/// What a topic has of a producer: everything from `first` on and before `next`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) first: u64,
    pub(super) next: u64,
}

impl Producers {
    pub(super) fn new(most: NonZeroUsize) -> Self {
        Self {
            // A bounded one would take all its memory at once.
            known: LruCache::unbounded(),
            most: most.get(),
        }
    }

    /// How many messages of a batch for `topic` are repetitions.
    ///
    /// # Errors
    ///
    /// [`Error::Gap`] and [`Error::Forgotten`].
    pub(super) fn repeated(
        &self,
        topic: &Name,
        sequence: &Sequence,
        count: u64,
    ) -> Result<u64, Error> {
        let (topic, producer) = (topic.clone(), sequence.producer.clone());
        let got = sequence.first;
        match self.known.peek(&producer) {
            None => Ok(0),
            Some(known) if got < known.first => Err(Error::Forgotten {
                topic,
                producer,
                first: known.first,
                got,
            }),
            Some(known) if got > known.next => Err(Error::Gap {
                topic,
                producer,
                expected: known.next,
                got,
            }),
            Some(known) => Ok((known.next - got).min(count)),
        }
    }

    /// What the topic has of a producer once a batch has been appended.
    pub(super) fn with(&self, sequence: &Sequence, count: u64) -> Known {
        let next = sequence.first.saturating_add(count);
        match self.known.peek(&sequence.producer) {
            None => Known {
                first: sequence.first,
                next,
            },
            Some(known) => Known {
                next: known.next.max(next),
                ..*known
            },
        }
    }

    /// A producer has been seen; returns the one that is forgotten for it.
    pub(super) fn seen(
        &mut self,
        producer: ProducerName,
        known: Known,
    ) -> Option<(ProducerName, Known)> {
        self.known.put(producer, known);
        let forgotten = (self.known.len() > self.most).then(|| self.known.pop_lru());
        forgotten.flatten()
    }

    /// What the topic has of a producer.
    pub(super) fn get(&self, producer: &ProducerName) -> Option<Known> {
        self.known.peek(producer).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequence(producer: &str, first: u64) -> Sequence {
        let producer = ProducerName::new(producer).unwrap();
        Sequence { producer, first }
    }

    fn repeated(producers: &Producers, sequence: &Sequence, count: u64) -> Result<u64, Error> {
        producers.repeated(&Name::new("t").unwrap(), sequence, count)
    }

    fn append(producers: &mut Producers, sequence: Sequence, count: u64) {
        let known = producers.with(&sequence, count);
        producers.seen(sequence.producer, known);
    }

    #[test]
    fn repetitions_are_counted_and_gaps_refused() {
        let mut producers = Producers::new(NonZeroUsize::MIN);
        let a = |first| sequence("a", first);
        let any = repeated(&producers, &a(7), 3);
        assert_eq!(any, Ok(0), "any number of a new producer");
        append(&mut producers, a(7), 3);
        assert_eq!(repeated(&producers, &a(10), 5), Ok(0));
        assert_eq!(repeated(&producers, &a(8), 5), Ok(2));
        assert_eq!(repeated(&producers, &a(7), 2), Ok(2));
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
        assert!(gap(repeated(&producers, &a(11), 5)));
        let early = repeated(&producers, &a(6), 5);
        assert!(matches!(
            early,
            Err(Error::Forgotten {
                first: 7,
                got: 6,
                ..
            })
        ));
        append(&mut producers, a(7), 1);
        let still = gap(repeated(&producers, &a(11), 5));
        assert!(still, "a repetition takes nothing back");

        append(&mut producers, sequence("b", 0), 1);
        let any = repeated(&producers, &a(11), 5);
        assert_eq!(any, Ok(0), "the least recently seen is forgotten");
    }
}
