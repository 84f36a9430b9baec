//! A topic on disk, with publishers and subscribers that keep a ledger of its messages.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use futures::{SinkExt, StreamExt};
use greeter_stream::client::{
    Client, Config, PublishError, PublishOptions, SubscribeError, SubscribeOptions, Subscription,
};
use grpcio_streams::Status;
use testkit::ledger::{Id, Ledger};
use testkit::texts::text;
use testkit::wait::{soon, within, PATIENCE};
use topic_log::{ProducerName, StartAt};

use crate::support::{client_with, topic};

/// The name of the topic.
pub const TOPIC: &str = "t";

/// The topic of a server, and its ledger.
pub struct Account {
    address: String,
    pub ledger: Ledger,
    /// How many messages [`follow`](Self::follow) has seen.
    followed: AtomicU64,
}

impl Account {
    /// The topic of the server at this address, of which nothing is known yet.
    pub fn of(address: &str) -> Self {
        Self {
            address: address.to_owned(),
            ledger: Ledger::default(),
            followed: AtomicU64::new(0),
        }
    }

    fn client(&self) -> Client {
        client_with(Config {
            servers: vec![self.address.clone()],
            ..Config::default()
        })
    }

    /// Publishes this many messages as the producer `me`, or until the server refuses one; how it
    /// refuses.
    pub fn publish(&self, me: &str, messages: u64) -> Result<(), Status> {
        self.publish_in_batches(me, messages, 1)
    }

    /// The same with `batch` messages at a time.
    pub fn publish_in_batches(&self, me: &str, messages: u64, batch: u64) -> Result<(), Status> {
        let options = PublishOptions {
            producer: Some(ProducerName::new(me).expect("a name")),
            from_start: true,
            resume: false,
            ..PublishOptions::default()
        };
        let mut publisher = self.client().publish(topic(TOPIC), options);
        let mut next = 0;
        while next < messages {
            let end = messages.min(next + batch);
            self.ledger.sending(TOPIC, me, end);
            let sent = async {
                for number in next..end {
                    publisher.feed(text(me, number)).await?;
                }
                publisher.flush().await
            };
            match soon("an answer", sent) {
                Ok(()) => self.ledger.acknowledged(me, end),
                Err(PublishError::Ended(status)) => return Err(status),
                Err(e) => panic!("{e}"),
            }
            next = end;
        }
        Ok(())
    }

    /// Publishes until `over` is set, and tries again after each failure.
    pub fn publish_patiently(&self, me: &str, over: &AtomicBool) {
        let options = PublishOptions {
            producer: Some(ProducerName::new(me).expect("a name")),
            ..PublishOptions::default()
        };
        let mut publisher = self.client().publish(topic(TOPIC), options);
        let mut number = 0;
        while !over.load(Relaxed) {
            self.ledger.sending(TOPIC, me, number + 1);
            let sent = publisher.send(text(me, number));
            within(3 * PATIENCE, "acknowledged", sent).expect("not lost");
            number += 1;
            self.ledger.acknowledged(me, number);
            thread::park_timeout(Duration::from_millis(5));
        }
    }

    /// A subscription that ends with its first failure.
    pub fn subscribe(&self, start: StartAt, follow: bool) -> Subscription {
        let options = SubscribeOptions {
            start,
            follow,
            resume: false,
            ..SubscribeOptions::default()
        };
        self.client().subscribe(topic(TOPIC), options)
    }

    /// Reads the topic from `start` to its present end.
    pub fn read(&self, start: StartAt) -> Vec<Id> {
        let messages = self.subscribe(start, false).map(|message| {
            let message = message.expect("readable");
            self.ledger.recognise(TOPIC, &message.data)
        });
        soon("the log", messages.collect())
    }

    /// Reads the topic from its first message until the subscription fails.
    pub fn follow(&self) -> Vec<Id> {
        let mut messages = self.subscribe(StartAt::Earliest, true);
        let mut seen = Vec::new();
        loop {
            match within(3 * PATIENCE, "a message", messages.next()) {
                Some(Ok(message)) => {
                    assert_eq!(message.offset, seen.len() as u64);
                    seen.push(self.ledger.recognise(TOPIC, &message.data));
                    self.followed.store(seen.len() as u64, Relaxed);
                }
                Some(Err(SubscribeError::Ended(_))) => return seen,
                other => panic!("{other:?}"),
            }
        }
    }

    /// Waits until [`follow`](Self::follow) has seen so many messages.
    pub fn until_followed(&self, messages: u64) {
        let begun = Instant::now();
        while self.followed.load(Relaxed) < messages {
            let followed = self.followed.load(Relaxed);
            assert!(begun.elapsed() < PATIENCE, "{followed} of {messages}");
            thread::park_timeout(Duration::from_millis(5));
        }
    }
}
