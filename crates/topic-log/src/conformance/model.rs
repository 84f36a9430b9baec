//! A store against a plain model: random histories of appends, reads, retention, producers and
//! reopening. A history that fails is shrunk to the shortest that fails.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::harness::Harness;
use super::kit::{append, next, sequence, subscribe, topic, try_subscribe};
use super::wait::{soon, PATIENCE};
use crate::clock::Clock;
use crate::error::Error;
use crate::limits::StoreLimits;
use crate::message::{Message, MESSAGE_OVERHEAD};
use crate::offset::Epoch;
use crate::retention::Retention;
use crate::start_at::StartAt;
use crate::store::{Cursor, Store, Topic};

const RETENTION: Retention = Retention {
    messages: 8,
    bytes: 8 * MESSAGE_OVERHEAD,
    age: None,
};

const CURSORS: usize = 3;

#[derive(Clone, Debug)]
enum Step {
    /// Appends texts of these lengths.
    Append(Vec<usize>),
    /// Appends texts of these lengths from one of a few producers, with its next number plus this.
    /// What has been published under a number is published again, except for the text at this
    /// index.
    Publish(u8, i64, Vec<usize>, Option<usize>),
    /// Places one of the cursors.
    Subscribe(usize, Start),
    /// Reads up to this many messages with one of the cursors.
    Read(usize, usize),
    /// Sets the clock, and appends a text of this length.
    SetClock(ClockSet, usize),
    /// Looks for a time at which a message was received, as a part of those that are kept.
    Since(f64),
    /// Closes the store and opens it again, where topics survive that.
    Reopen,
}

/// How the clock is set: forward or back, by these seconds.
#[derive(Clone, Copy, Debug)]
enum ClockSet {
    Forward(u64),
    Back(u64),
}

#[derive(Clone, Debug)]
enum Start {
    Latest,
    Earliest,
    Last(u64),
    /// The next offset plus this.
    Near(i64),
    OtherEpoch,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let texts = || prop::collection::vec(0_usize..100, 0..5);
    let start = prop_oneof![
        Just(Start::Latest),
        Just(Start::Earliest),
        (0..12_u64).prop_map(Start::Last),
        (-12..3_i64).prop_map(Start::Near),
        Just(Start::OtherEpoch),
    ];
    // A time that goes by meanwhile is short of that.
    let seconds = || (1_u32..9).prop_flat_map(|digits| 60..60 + 10_u64.pow(digits));
    let clock = prop_oneof![
        seconds().prop_map(ClockSet::Forward),
        seconds().prop_map(ClockSet::Back),
    ];
    let step = prop_oneof![
        2 => texts().prop_map(Step::Append),
        3 => (0..3_u8, -4..3_i64, texts(), prop::option::weighted(0.2, 0..5_usize))
            .prop_map(|(p, d, t, other)| Step::Publish(p, d, t, other)),
        2 => (0..CURSORS, start).prop_map(|(c, s)| Step::Subscribe(c, s)),
        4 => (0..CURSORS, 0..6_usize).prop_map(|(c, n)| Step::Read(c, n)),
        1 => (clock, 0_usize..100).prop_map(|(c, l)| Step::SetClock(c, l)),
        2 => (0.0..1.0).prop_map(Step::Since),
        1 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 1..60)
}

/// What a topic is, as plainly as possible.
#[derive(Default)]
struct Model {
    /// Every message that there ever was.
    all: Vec<Arc<str>>,
    earliest: usize,
    /// The first known and the next number of each producer.
    expected: HashMap<u8, (u64, u64)>,
    /// The offset of each number of each producer.
    offsets: HashMap<(u8, u64), usize>,
}

impl Model {
    fn next(&self) -> u64 {
        self.all.len() as u64
    }

    fn append(&mut self, batch: &[Arc<str>]) {
        self.all.extend_from_slice(batch);
        let bytes = |kept: &[Arc<str>]| -> u64 {
            kept.iter().map(|m| m.len() as u64 + MESSAGE_OVERHEAD).sum()
        };
        while (self.all.len() - self.earliest) as u64 > RETENTION.messages
            || bytes(&self.all[self.earliest..]) > RETENTION.bytes
        {
            self.earliest += 1;
        }
    }

    /// Texts of these lengths, each of which says its offset.
    fn texts(&self, lengths: &[usize]) -> Vec<Arc<str>> {
        let text = |(n, length)| format!("{:04}{}", self.all.len() + n, "x".repeat(length)).into();
        lengths.iter().copied().enumerate().map(text).collect()
    }

    /// Texts of these lengths, or what the producer has published before under the numbers from
    /// `first` on, except for the one at the index `other`. Also returns the number and the offset
    /// of a message that is kept and differs.
    fn repeated(
        &self,
        producer: u8,
        first: u64,
        lengths: &[usize],
        other: Option<usize>,
    ) -> (Vec<Arc<str>>, Option<(u64, u64)>) {
        let mut reused = None;
        let mut batch = self.texts(lengths);
        for (index, (number, text)) in (first..).zip(&mut batch).enumerate() {
            let Some(offset) = self.offsets.get(&(producer, number)) else {
                continue;
            };
            if other != Some(index) {
                *text = self.all[*offset].clone();
            } else if *offset >= self.earliest {
                reused = Some((number, *offset as u64));
            }
        }
        (batch, reused)
    }

    /// Where a start is, in [`StartAt`]'s terms, and its offset if that is kept.
    fn start(&self, start: &Start, epoch: Epoch) -> (StartAt, Option<u64>) {
        let (earliest, next) = (self.earliest as u64, self.next());
        match *start {
            Start::Latest => (StartAt::Latest, Some(next)),
            Start::Earliest => (StartAt::Earliest, Some(earliest)),
            Start::Last(n) => {
                let offset = next.saturating_sub(n).max(earliest);
                (StartAt::Last(n), Some(offset))
            }
            Start::Near(distance) => {
                let offset = next.saturating_add_signed(distance);
                let kept = (earliest..=next).contains(&offset);
                let start = StartAt::Offset(offset, Some(epoch));
                (start, kept.then_some(offset))
            }
            Start::OtherEpoch => {
                let other = Epoch(epoch.0.wrapping_sub(1));
                (StartAt::Offset(next, Some(other)), None)
            }
        }
    }
}

/// Any history of one topic goes as the model says.
pub fn random_histories_agree_with_the_model<H: Harness>() {
    let config = ProptestConfig {
        cases: H::HISTORIES,
        max_shrink_iters: H::HISTORIES.max(200),
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let checked = TestRunner::new(config).run(&steps(), |steps| {
        let mut history = History::<H>::begin();
        for step in steps {
            history.take(step)?;
        }
        Ok(())
    });
    if let Err(why) = checked {
        panic!("{why}");
    }
}

/// A topic of a store, and the model that it has to agree with.
struct History<H> {
    place: H,
    store: Option<Box<dyn Store>>,
    topic: Arc<dyn Topic>,
    cursors: [Option<Box<dyn Cursor>>; CURSORS],
    clock: Clock,
    model: Model,
}

impl<H: Harness> History<H> {
    fn begin() -> Self {
        let place = H::default();
        let clock = Clock::default();
        let store = place.open_with_clock(clock.clone(), RETENTION, StoreLimits::default());
        Self {
            topic: topic(&*store, "t"),
            store: Some(store),
            place,
            cursors: [const { None }; CURSORS],
            clock,
            model: Model::default(),
        }
    }

    fn take(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Append(lengths) => self.append(&lengths)?,
            Step::Publish(producer, distance, lengths, other) => {
                self.publish(producer, distance, &lengths, other)?;
            }
            Step::Subscribe(cursor, start) => self.subscribe(cursor, &start)?,
            Step::Read(cursor, count) => self.read(cursor, count)?,
            Step::SetClock(set, length) => {
                match set {
                    ClockSet::Forward(by) => self.clock.move_by(Duration::from_secs(by), false),
                    ClockSet::Back(by) => self.clock.move_by(Duration::from_secs(by), true),
                }
                self.append(&[length])?;
            }
            Step::Since(part) => self.since(part)?,
            Step::Reopen if H::SURVIVES_REOPENING => self.reopen()?,
            Step::Reopen => {}
        }
        let bounds = self.topic.bounds();
        prop_assert_eq!(bounds.earliest, self.model.earliest as u64);
        prop_assert_eq!(bounds.next, self.model.next());
        Ok(())
    }

    fn append(&mut self, lengths: &[usize]) -> Result<(), TestCaseError> {
        let batch = self.model.texts(lengths);
        let first = (!batch.is_empty()).then_some(self.model.next());
        let appended = append(&self.topic, batch.clone());
        prop_assert_eq!(appended.first, first);
        prop_assert_eq!(appended.stored, batch.len() as u64);
        self.model.append(&batch);
        Ok(())
    }

    fn publish(
        &mut self,
        producer: u8,
        distance: i64,
        lengths: &[usize],
        other: Option<usize>,
    ) -> Result<(), TestCaseError> {
        let known = self.model.expected.get(&producer).copied();
        let first = known
            .map_or(5, |(_, next)| next)
            .saturating_add_signed(distance);
        let (batch, reused) = self.model.repeated(producer, first, lengths, other);
        let sequence = sequence(&format!("p{producer}"), first);
        let appended = soon("append", self.topic.append(batch.clone(), Some(sequence)));
        match known {
            Some((begun, _)) if first < begun => {
                let refused = matches!(
                    appended,
                    Err(Error::Forgotten { first: f, got, .. }) if f == begun && got == first
                );
                prop_assert!(refused, "{appended:?}");
            }
            Some((_, expected)) if first > expected => {
                let refused = matches!(
                    appended,
                    Err(Error::Gap { expected: e, got, .. }) if e == expected && got == first
                );
                prop_assert!(refused, "{appended:?}");
            }
            _ if reused.is_some() => {
                let refused = matches!(
                    appended,
                    Err(Error::Reused { number, offset, .. }) if reused == Some((number, offset))
                );
                prop_assert!(refused, "{appended:?}, not {reused:?}");
            }
            _ => {
                let repeated = known.map_or(0, |(_, expected)| expected - first);
                let repeated = (repeated as usize).min(batch.len());
                let appended = appended.map_err(|e| TestCaseError::fail(e.to_string()))?;
                prop_assert_eq!(appended.duplicates, repeated as u64);
                prop_assert_eq!(appended.stored, (batch.len() - repeated) as u64);
                let next = first + batch.len() as u64;
                let (_, expected) = self.model.expected.entry(producer).or_insert((first, next));
                *expected = next.max(*expected);
                for number in first + repeated as u64..next {
                    let offset = self.model.all.len() + (number - first) as usize - repeated;
                    self.model.offsets.insert((producer, number), offset);
                }
                self.model.append(&batch[repeated..]);
            }
        }
        Ok(())
    }

    fn subscribe(&mut self, cursor: usize, start: &Start) -> Result<(), TestCaseError> {
        let (start, expected) = self.model.start(start, self.topic.epoch());
        match (try_subscribe(&self.topic, start), expected) {
            (Ok(subscribed), Some(expected)) => {
                prop_assert_eq!(subscribed.offset(), expected);
                self.cursors[cursor] = Some(subscribed);
            }
            (Err(Error::OutOfRange { bounds, .. } | Error::OtherEpoch { bounds, .. }), None) => {
                prop_assert_eq!(bounds.earliest, self.model.earliest as u64);
                prop_assert_eq!(bounds.next, self.model.next());
            }
            (got, expected) => {
                prop_assert!(false, "{:?}, not {expected:?}", got.map(|c| c.offset()));
            }
        }
        Ok(())
    }

    /// The times are in order, and a cursor finds the first message of a time.
    fn since(&self, part: f64) -> Result<(), TestCaseError> {
        let kept = self.model.earliest..self.model.all.len();
        let mut cursor = subscribe(&self.topic, StartAt::Earliest);
        let times: Vec<_> = kept.map(|_| next(&mut cursor).map(|m| m.time)).collect();
        let times = times.into_iter().collect::<Result<Vec<_>, _>>();
        let times = times.map_err(|e| TestCaseError::fail(e.to_string()))?;
        prop_assert!(times.is_sorted(), "{times:?}");
        let Some(time) = times.get((part * times.len() as f64) as usize) else {
            return Ok(());
        };
        let first = self.model.earliest + times.partition_point(|other| other < time);
        let found = subscribe(&self.topic, StartAt::Since(*time)).offset();
        prop_assert_eq!(found, first as u64);
        Ok(())
    }

    fn read(&mut self, cursor: usize, count: usize) -> Result<(), TestCaseError> {
        let Some(cursor) = &mut self.cursors[cursor] else {
            return Ok(());
        };
        let model = &self.model;
        for _ in 0..count {
            let offset = cursor.offset() as usize;
            prop_assert_eq!(cursor.is_behind(), offset < model.all.len());
            match poll(cursor) {
                Poll::Ready(Ok(message)) => {
                    prop_assert_eq!(&message.data, &model.all[offset]);
                    prop_assert_eq!(cursor.offset() as usize, offset + 1);
                }
                Poll::Ready(Err(Error::OutOfRange { wanted, bounds, .. })) => {
                    prop_assert!(offset < model.earliest);
                    prop_assert_eq!(wanted as usize, offset);
                    prop_assert_eq!(bounds.earliest as usize, model.earliest);
                }
                Poll::Ready(Err(e)) => prop_assert!(false, "{e}"),
                Poll::Pending => prop_assert_eq!(offset, model.all.len()),
            }
        }
        Ok(())
    }

    /// Each cursor goes on where it was.
    fn reopen(&mut self) -> Result<(), TestCaseError> {
        let epoch = self.topic.epoch();
        drop(self.store.take());
        let clock = self.clock.clone();
        let limits = StoreLimits::default();
        let store = self.place.open_with_clock(clock, RETENTION, limits);
        self.topic = topic(&*store, "t");
        self.store = Some(store);
        prop_assert_eq!(self.topic.epoch(), epoch);
        for cursor in &mut self.cursors {
            let Some(before) = cursor else { continue };
            let offset = before.offset();
            *cursor = try_subscribe(&self.topic, StartAt::Offset(offset, Some(epoch))).ok();
            prop_assert_eq!(cursor.is_some(), offset >= self.model.earliest as u64);
        }
        Ok(())
    }
}

/// What a cursor returns, once it need not wait for the store.
fn poll(cursor: &mut Box<dyn Cursor>) -> Poll<Result<Message, Error>> {
    let started = Instant::now();
    loop {
        let mut cx = Context::from_waker(Waker::noop());
        let polled = Pin::new(&mut **cursor).poll_next(&mut cx);
        if polled.is_ready() || !cursor.is_behind() {
            return polled;
        }
        assert!(started.elapsed() < PATIENCE, "the message does not come");
        thread::yield_now();
    }
}
