//! The same with a topic that keeps few messages. Messages that were dropped do not come back, and
//! messages that are kept do not change.

use std::collections::HashMap;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;

use futures::StreamExt;
use greeter_stream::client::{SubscribeError, SubscribeOptions};
use testkit::exclusive::whole_machine;
use testkit::folder::Folder;
use testkit::ledger::Id;
use testkit::wait::{pause, within};
use topic_log::StartAt;

use super::{publishers, Scene, LONG};
use crate::support::durable::Durable;
use crate::support::topic;

const CRASHES: u64 = 10;
const TOPIC: &str = "short";
const KEPT: u64 = 1_000;

/// What a subscriber has seen at each offset.
#[derive(Default)]
struct Known {
    ids: HashMap<u64, Id>,
    earliest: u64,
    next: u64,
}

impl Known {
    /// Reads the topic and compares it with what was there before.
    fn read(&mut self, scene: &Scene) {
        let options = SubscribeOptions {
            start: StartAt::Earliest,
            follow: false,
            ..SubscribeOptions::default()
        };
        let mut messages = scene.client().subscribe(topic(TOPIC), options);
        let mut first = None;
        while let Some(message) = within(LONG, "a message", messages.next()) {
            let message = match message {
                Ok(message) => message,
                // The next message was dropped meanwhile.
                Err(SubscribeError::Lost(loss)) if loss.epoch == loss.now => continue,
                Err(e) => panic!("{e}"),
            };
            let offset = message.offset;
            let id = scene.ledger.recognise(TOPIC, &message.data);
            let known = self.ids.entry(offset).or_insert(id);
            assert_eq!(*known, id, "at offset {offset}");
            self.next = self.next.max(offset + 1);
            first.get_or_insert(offset);
        }
        let first = first.expect("a message");
        assert!(
            first >= self.earliest,
            "the message at {first} is back, the first was {}",
            self.earliest
        );
        self.earliest = first;
    }
}

#[test]
fn a_topic_that_keeps_a_few_messages_keeps_the_newest() {
    let _alone = whole_machine();
    let folder = Folder::new();
    let kept = KEPT.to_string();
    let flags = ["--retention-messages", kept.as_str()];
    let mut server = Durable::start(&folder.path("data"), &flags);
    let scene = &Scene::new(&server.address, fastrand::u64(..));
    let known = thread::scope(|scope| {
        let publish = |me| move || scene.work(|scene| publishers::publish(scene, TOPIC, me));
        let publishers = ["one", "two"].map(|me| scope.spawn(publish(me)));
        let reader = scope.spawn(|| {
            scene.work(|scene| {
                let mut known = Known::default();
                while !scene.is_over() {
                    // There is nothing before the first acknowledgement.
                    if scene.ledger.total() > 0 {
                        known.read(scene);
                    }
                    pause(20);
                }
                known
            })
        });
        scene.work(|scene| {
            scene.end_again_and_again(&mut server, CRASHES);
            while scene.ledger.total() < 5 * KEPT {
                let more = scene.ledger.wait_for_more(scene.ledger.total(), LONG);
                assert!(more && !scene.has_failed(), "it goes on");
            }
            scene.over.store(true, Relaxed);
            for publisher in publishers {
                publisher.join().expect("no panic");
            }
            reader.join().expect("no panic")
        })
    });

    // Everything is acknowledged, and each message was stored once.
    let mut known = known;
    for _ in 0..2 {
        known.read(scene);
        assert_eq!(known.next, scene.ledger.total());
        assert_eq!(known.earliest, known.next - KEPT);
        let tail: Vec<_> = (known.earliest..known.next)
            .map(|o| known.ids[&o])
            .collect();
        scene.ledger.check_tail(&tail);
        server.kill();
        server.start_again();
    }
}
