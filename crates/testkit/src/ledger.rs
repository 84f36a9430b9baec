//! A ledger of sent and acknowledged messages, to check topics against.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::texts;

/// A message: its producer and its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Id {
    /// The producer's place in the ledger.
    producer: usize,
    number: u64,
}

/// How many messages of each producer were acknowledged at one time.
pub struct Acknowledged(Vec<u64>);

/// A ledger of messages that [`texts`] makes. Threads can share it.
#[derive(Default)]
pub struct Ledger {
    entries: Mutex<Entries>,
    acknowledging: Condvar,
}

#[derive(Default)]
struct Entries {
    producers: Vec<Producer>,
    by_name: HashMap<String, usize>,
    acknowledged: u64,
    /// How many publishers wait for an acknowledgement.
    under_way: usize,
}

struct Producer {
    topic: String,
    name: String,
    /// How many messages may have been sent.
    sent: u64,
    acknowledged: u64,
}

impl Ledger {
    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock()
    }

    /// Notes that a producer is about to send its messages with numbers below `until`.
    pub fn sending(&self, topic: &str, producer: &str, until: u64) {
        let mut entries = self.entries();
        match entries.by_name.get(producer).copied() {
            Some(place) => {
                let known = &mut entries.producers[place];
                assert_eq!(known.topic, topic, "{producer} has one topic");
                known.sent = known.sent.max(until);
            }
            None => {
                let place = entries.producers.len();
                entries.by_name.insert(producer.to_owned(), place);
                entries.producers.push(Producer {
                    topic: topic.to_owned(),
                    name: producer.to_owned(),
                    sent: until,
                    acknowledged: 0,
                });
            }
        }
    }

    /// Notes that a producer's messages with numbers below `until` are acknowledged.
    pub fn acknowledged(&self, producer: &str, until: u64) {
        let mut entries = self.entries();
        let place = entries.by_name[producer];
        let known = &mut entries.producers[place];
        assert!(
            until <= known.sent,
            "{producer}: {until} acknowledged, {} sent",
            known.sent
        );
        let more = until.saturating_sub(known.acknowledged);
        known.acknowledged += more;
        entries.acknowledged += more;
        drop(entries);
        self.acknowledging.notify_all();
    }

    /// Runs `send`, which waits for an acknowledgement, and counts it as [waiting](Self::waiting)
    /// meanwhile.
    pub fn under_way<T>(&self, send: impl FnOnce() -> T) -> T {
        self.entries().under_way += 1;
        let sent = send();
        self.entries().under_way -= 1;
        sent
    }

    /// How many publishers wait for an acknowledgement.
    pub fn waiting(&self) -> usize {
        self.entries().under_way
    }

    /// How many messages of this producer are acknowledged. Panics when it has sent none.
    pub fn of(&self, producer: &str) -> u64 {
        let entries = self.entries();
        entries.producers[entries.by_name[producer]].acknowledged
    }

    /// How many messages of all producers are acknowledged.
    pub fn total(&self) -> u64 {
        self.entries().acknowledged
    }

    /// Waits until more than `before` messages are acknowledged. Returns whether they are within
    /// `limit`.
    pub fn wait_for_more(&self, before: u64, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        let mut entries = self.entries();
        while entries.acknowledged <= before {
            let waited = self.acknowledging.wait_until(&mut entries, deadline);
            if waited.timed_out() {
                return entries.acknowledged > before;
            }
        }
        true
    }

    /// Finds the message of `topic` with this text. Panics when no producer has sent it there.
    pub fn recognise(&self, topic: &str, data: &str) -> Id {
        let shown = || data.chars().take(80).collect::<String>();
        let Some((producer, number)) = texts::parse(data) else {
            panic!(
                "{topic} has {} bytes that no producer has sent: {}",
                data.len(),
                shown()
            );
        };
        let entries = self.entries();
        let place = entries.by_name.get(producer);
        let place =
            *place.unwrap_or_else(|| panic!("{topic}: there is no such producer: {}", shown()));
        let known = &entries.producers[place];
        assert_eq!(
            known.topic, topic,
            "a message of {producer} is in another topic"
        );
        assert!(
            number < known.sent,
            "{topic}: {producer} has not sent its {number} yet"
        );
        Id {
            producer: place,
            number,
        }
    }

    /// Whether it is a message of this producer.
    pub fn is_of(&self, id: Id, producer: &str) -> bool {
        self.entries().producers[id.producer].name == producer
    }

    /// The topics that messages were sent to.
    pub fn topics(&self) -> Vec<String> {
        let entries = self.entries();
        let mut topics: Vec<_> = entries.producers.iter().map(|p| p.topic.clone()).collect();
        topics.sort();
        topics.dedup();
        topics
    }

    /// How many messages of each producer are acknowledged now.
    pub fn acknowledgements(&self) -> Acknowledged {
        let producers = &self.entries().producers;
        Acknowledged(producers.iter().map(|p| p.acknowledged).collect())
    }

    /// Checks the messages of a topic. Of each producer they must be its first messages, each once and
    /// in order, and all that were acknowledged must be among them. Panics when they are not.
    pub fn check(&self, topic: &str, log: &[Id]) {
        self.check_against(topic, log, &self.acknowledgements());
    }

    /// Checks the messages of a topic like [`check`](Self::check), but only the messages in
    /// `acknowledged` must be among them.
    pub fn check_against(&self, topic: &str, log: &[Id], acknowledged: &Acknowledged) {
        let stored = self.stored(topic, log);
        let entries = self.entries();
        for ((producer, acknowledged), stored) in
            entries.producers.iter().zip(&acknowledged.0).zip(stored)
        {
            assert!(
                producer.topic != topic || stored >= *acknowledged,
                "{topic}: {acknowledged} messages of {} were acknowledged, {stored} are there",
                producer.name
            );
        }
    }

    /// Checks the newest messages of a topic. Of each producer they must be the last messages that were
    /// acknowledged, in order. Panics when they are not.
    pub fn check_tail(&self, log: &[Id]) {
        let mut next: HashMap<usize, u64> = HashMap::new();
        for id in log.iter().rev() {
            let acknowledged = self.entries().producers[id.producer].acknowledged;
            let before = next.insert(id.producer, id.number).unwrap_or(acknowledged);
            assert_eq!(
                id.number + 1,
                before,
                "of {}",
                self.entries().producers[id.producer].name
            );
        }
    }

    /// How many messages of a topic were acknowledged and are not in its log.
    pub fn missing(&self, topic: &str, log: &[Id]) -> u64 {
        let stored = self.stored(topic, log);
        let all = self.acknowledgements().0.into_iter().zip(stored);
        all.map(|(acknowledged, stored)| acknowledged.saturating_sub(stored))
            .sum()
    }

    /// How many messages of each producer a log has. They must be the producer's first ones, in order.
    fn stored(&self, topic: &str, log: &[Id]) -> Vec<u64> {
        let entries = self.entries();
        let mut next = vec![0; entries.producers.len()];
        for (offset, id) in log.iter().enumerate() {
            let expected = &mut next[id.producer];
            let producer = &entries.producers[id.producer].name;
            assert_eq!(
                id.number, *expected,
                "{topic}: of {producer}, at offset {offset}"
            );
            *expected += 1;
        }
        next
    }
}
