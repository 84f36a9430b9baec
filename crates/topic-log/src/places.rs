//! Where the messages of a producer are in the log.

use std::ops::Range;
use std::sync::Arc;

use crate::append::Sequence;
use crate::error::Error;
use crate::message::Message;
use crate::name::Name;
use crate::offset::Offset;

/// The number of runs that are remembered of a producer. One run is enough for a producer that
/// publishes alone; each message of another publisher in between begins a new one.
const RUNS: usize = 32;

/// The offsets of the last messages of a producer, by their sequence numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Places(Vec<Run>);

/// Sequence numbers that follow each other at offsets that follow each other. It ends where the
/// next run begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// The first sequence number.
    pub(crate) number: u64,
    /// Its offset.
    pub(crate) offset: Offset,
}

/// Messages of a batch whose sequence numbers the topic has already, at known offsets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Repeat {
    /// Their sequence numbers.
    pub(crate) numbers: Range<u64>,
    /// The offset of the first one.
    pub(crate) offset: Offset,
}

impl Places {
    /// The places of numbers from `first` on and before `next`. None if the runs are not in order.
    #[cfg(feature = "disk")]
    pub(crate) fn checked(runs: Vec<Run>, first: u64, next: u64) -> Option<Self> {
        let places = Self(runs);
        let mut behind = (first, 0);
        let ordered = places.with_ends(next).all(|(run, end)| {
            let before = std::mem::replace(&mut behind, (end, run.offset));
            // No offset is ever as great as that.
            before.0 <= run.number
                && run.number < end
                && before.1 <= run.offset
                && run.offset < 1 << 62
        });
        ordered.then_some(places)
    }

    #[cfg(feature = "disk")]
    pub(crate) fn runs(&self) -> &[Run] {
        &self.0
    }

    /// Notes that the messages from `number` on, which is behind all others, are at `offset` and
    /// the offsets that follow.
    pub(crate) fn add(&mut self, number: u64, offset: Offset) {
        let goes_on = |last: &Run| offset.checked_sub(last.offset) == Some(number - last.number);
        if self.0.last().is_some_and(goes_on) {
            return;
        }
        if self.0.len() == RUNS {
            self.0.remove(0);
        }
        self.0.push(Run { number, offset });
    }

    /// Forgets the runs that are before `earliest`. `next` is the number behind the last one.
    pub(crate) fn forget_before(&mut self, earliest: Offset, next: u64) {
        let gone = self.with_ends(next);
        let gone = gone.take_while(|(run, end)| run.offset + (end - run.number) <= earliest);
        let gone = gone.count();
        self.0.drain(..gone);
    }

    /// Which of `numbers` are at which offsets, from the offset `earliest` on. `next` is the number
    /// behind the last one.
    pub(crate) fn find(&self, numbers: &Range<u64>, earliest: Offset, next: u64) -> Vec<Repeat> {
        let found = self.with_ends(next).filter_map(|(run, end)| {
            let dropped = earliest.saturating_sub(run.offset);
            let start = numbers.start.max(run.number.saturating_add(dropped));
            let numbers = start..numbers.end.min(end);
            (!numbers.is_empty()).then(|| Repeat {
                offset: run.offset + (start - run.number),
                numbers,
            })
        });
        found.collect()
    }

    /// Each run, and the number behind it.
    fn with_ends(&self, next: u64) -> impl Iterator<Item = (Run, u64)> + '_ {
        let ends = self.0.iter().skip(1).map(|run| run.number);
        self.0.iter().copied().zip(ends.chain([next]))
    }
}

impl Repeat {
    /// The offset behind the last one.
    #[cfg(feature = "disk")]
    pub(crate) fn end(&self) -> Offset {
        self.offset + (self.numbers.end - self.numbers.start)
    }

    /// Leaves out the first `count`.
    #[cfg(feature = "disk")]
    pub(crate) fn skip(&mut self, count: u64) {
        self.numbers.start += count;
        self.offset += count;
    }

    /// Compares the messages of a batch with those that the topic has under the same numbers.
    /// `kept` are the messages of the topic from the offset on, as far as they are at hand.
    ///
    /// # Errors
    ///
    /// [`Error::Reused`] for the first that differs.
    pub(crate) fn compare<'m>(
        &self,
        topic: &Name,
        sequence: &Sequence,
        batch: &[Arc<str>],
        kept: impl Iterator<Item = &'m Message>,
    ) -> Result<(), Error> {
        let index = |number: u64| (number - sequence.first) as usize;
        let Range { start, end } = self.numbers;
        let repeated = (start..).zip(&batch[index(start)..index(end)]);
        for ((offset, kept), (number, sent)) in (self.offset..).zip(kept).zip(repeated) {
            if kept.data != *sent {
                return Err(Error::Reused {
                    topic: topic.clone(),
                    producer: sequence.producer.clone(),
                    number,
                    offset,
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repeat(numbers: Range<u64>, offset: Offset) -> Repeat {
        Repeat { numbers, offset }
    }

    #[test]
    fn runs_grow_and_are_found() {
        let mut places = Places::default();
        places.add(5, 100);
        places.add(7, 102);
        places.add(9, 110);
        let found = |numbers, earliest| places.find(&numbers, earliest, 12);
        assert_eq!(found(5..12, 0), [repeat(5..9, 100), repeat(9..12, 110)]);
        assert_eq!(found(8..10, 0), [repeat(8..9, 103), repeat(9..10, 110)]);
        assert_eq!(found(5..12, 103), [repeat(8..9, 103), repeat(9..12, 110)]);
        assert_eq!(found(5..12, 112), [repeat(11..12, 112)]);
        assert_eq!(found(5..12, 113), []);
        assert_eq!(found(0..5, 0), []);
        assert_eq!(found(12..15, 0), []);

        places.forget_before(103, 12);
        assert_eq!(places.0.len(), 2);
        places.forget_before(104, 12);
        assert_eq!(
            places.0,
            [Run {
                number: 9,
                offset: 110
            }]
        );
        places.forget_before(113, 12);
        assert_eq!(places.0, []);
    }

    #[test]
    fn the_last_runs_are_remembered() {
        let mut places = Places::default();
        for number in 0..100 {
            places.add(number, 2 * number);
        }
        let found = places.find(&(0..100), 0, 100);
        assert_eq!(found.len(), RUNS);
        assert_eq!(found[0], repeat(68..69, 136));
    }
}
