//! What a topic remembers of those who publish exactly once.

use std::num::NonZeroUsize;

use lru::LruCache;

use super::{ProducerName, Sequence};

/// The sequence numbers of each producer, of the most recently seen ones.
#[derive(Debug)]
pub(super) struct Producers {
    known: LruCache<ProducerName, Known>,
    most: usize,
}

/// What a topic has of a producer: everything from `first` on and before `next`.
#[derive(Clone, Copy, Debug)]
struct Known {
    first: u64,
    next: u64,
}

/// Why a batch cannot be appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OutOfSequence {
    /// It leaves out what begins with this number.
    Gap(u64),
    /// It begins before this number, from which on the topic knows its producer.
    Forgotten(u64),
}

impl Producers {
    pub(super) fn new(most: NonZeroUsize) -> Self {
        Self {
            // A bounded one would take all its memory at once.
            known: LruCache::unbounded(),
            most: most.get(),
        }
    }

    /// How many messages of a batch are repetitions.
    pub(super) fn repeated(&self, sequence: &Sequence, count: u64) -> Result<u64, OutOfSequence> {
        match self.known.peek(&sequence.producer) {
            None => Ok(0),
            Some(known) if sequence.first < known.first => {
                Err(OutOfSequence::Forgotten(known.first))
            }
            Some(known) if sequence.first > known.next => Err(OutOfSequence::Gap(known.next)),
            Some(known) => Ok((known.next - sequence.first).min(count)),
        }
    }

    /// A batch has been appended.
    pub(super) fn seen(&mut self, sequence: Sequence, count: u64) {
        let Sequence { producer, first } = sequence;
        let next = first.saturating_add(count);
        let known = self
            .known
            .get_or_insert_mut(producer, || Known { first, next });
        known.next = known.next.max(next);
        if self.known.len() > self.most {
            self.known.pop_lru();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequence(producer: &str, first: u64) -> Sequence {
        let producer = ProducerName::new(producer).unwrap();
        Sequence { producer, first }
    }

    #[test]
    fn repetitions_are_counted_and_gaps_refused() {
        let mut producers = Producers::new(NonZeroUsize::MIN);
        let a = |first| sequence("a", first);
        assert_eq!(
            producers.repeated(&a(7), 3),
            Ok(0),
            "any number of a new producer"
        );
        producers.seen(a(7), 3);
        assert_eq!(producers.repeated(&a(10), 5), Ok(0));
        assert_eq!(producers.repeated(&a(8), 5), Ok(2));
        assert_eq!(producers.repeated(&a(7), 2), Ok(2));
        assert_eq!(producers.repeated(&a(11), 5), Err(OutOfSequence::Gap(10)));
        assert_eq!(
            producers.repeated(&a(6), 5),
            Err(OutOfSequence::Forgotten(7))
        );
        producers.seen(a(7), 1);
        let gap = producers.repeated(&a(11), 5);
        assert_eq!(
            gap,
            Err(OutOfSequence::Gap(10)),
            "a repetition takes nothing back"
        );

        producers.seen(sequence("b", 0), 1);
        assert_eq!(
            producers.repeated(&a(11), 5),
            Ok(0),
            "the least recently seen is forgotten"
        );
    }
}
