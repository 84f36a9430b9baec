//! What a topic remembers of those who publish exactly once.

use std::num::NonZeroUsize;

use lru::LruCache;

use super::{ProducerName, Sequence};

/// The next sequence number of each producer, of the most recently seen ones.
#[derive(Debug)]
pub(super) struct Producers(LruCache<ProducerName, u64>);

impl Producers {
    pub(super) fn new(most: NonZeroUsize) -> Self {
        Self(LruCache::new(most))
    }

    /// How many messages of a batch are repetitions; or the number that is expected instead.
    pub(super) fn repeated(&self, sequence: &Sequence, count: u64) -> Result<u64, u64> {
        match self.0.peek(&sequence.producer) {
            Some(&expected) if sequence.first > expected => Err(expected),
            Some(&expected) => Ok((expected - sequence.first).min(count)),
            None => Ok(0),
        }
    }

    /// A batch that ends before `next` has been appended.
    pub(super) fn seen(&mut self, producer: ProducerName, next: u64) {
        let expected = self.0.get_or_insert_mut(producer, || next);
        *expected = (*expected).max(next);
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
        producers.seen(a(7).producer, 10);
        assert_eq!(producers.repeated(&a(10), 5), Ok(0));
        assert_eq!(producers.repeated(&a(8), 5), Ok(2));
        assert_eq!(producers.repeated(&a(0), 5), Ok(5));
        assert_eq!(producers.repeated(&a(11), 5), Err(10));
        producers.seen(a(0).producer, 5);
        assert_eq!(
            producers.repeated(&a(11), 5),
            Err(10),
            "a repetition takes nothing back"
        );

        producers.seen(sequence("b", 0).producer, 1);
        assert_eq!(
            producers.repeated(&a(11), 5),
            Ok(0),
            "the least recently seen is forgotten"
        );
    }
}
