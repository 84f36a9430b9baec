//! Subscribers that follow a topic from its first message to its last, each in another way.

use std::collections::HashMap;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::future::{self, Either};
use futures::StreamExt;
use futures_timer::Delay;
use greeter_stream::client::SubscribeOptions;
use testkit::ledger::Id;
use testkit::lines::Lines;
use testkit::process::Process;
use testkit::wait::{pause, within};
use topic_log::StartAt;

use super::{count, Scene, LONG};
use crate::support;
use crate::support::program::client as program;

/// How many messages each topic has in the end, once that is known.
pub type Ends = OnceLock<HashMap<String, usize>>;

/// How often a subscriber that receives nothing looks whether it has seen everything.
const TICK: Duration = Duration::from_millis(50);

/// What a subscriber has seen of a topic.
pub struct Seen {
    who: String,
    pub topic: String,
    epoch: Option<String>,
    pub ids: Vec<Id>,
}

impl Seen {
    pub fn new(who: &str, topic: &str) -> Self {
        Self {
            who: format!("{who} of {topic}"),
            topic: topic.to_owned(),
            epoch: None,
            ids: Vec::new(),
        }
    }

    /// Takes the next message, which must have the next offset; which message it is.
    pub fn take(&mut self, scene: &Scene, epoch: &str, offset: u64, data: &str) -> Id {
        let (who, next) = (&self.who, self.ids.len());
        assert_eq!(offset, next as u64, "{who} misses or repeats something");
        let life = self.epoch.get_or_insert_with(|| epoch.to_owned());
        assert_eq!(life, epoch, "{who}, at offset {offset}");
        let id = scene.ledger.recognise(&self.topic, data);
        self.ids.push(id);
        count(&scene.counts.read);
        id
    }

    /// Takes the next message from a line that `greeter-client get --json` has printed.
    pub fn take_json(&mut self, scene: &Scene, line: &str) -> Id {
        let message: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let text = |key: &str| message[key].as_str().expect("a text");
        let offset = message["offset"].as_u64().expect("a number");
        self.take(scene, text("epoch"), offset, text("data"))
    }

    /// Whether it has seen everything, or the test has failed.
    fn is_over(&self, scene: &Scene) -> bool {
        let end = scene.ends.get().and_then(|ends| ends.get(&self.topic));
        scene.has_failed() || end.is_some_and(|end| self.ids.len() >= *end)
    }

    /// Checks that it has seen the first messages of `log` and nothing else.
    pub fn check(&self, log: &Self) {
        let (who, length) = (&self.who, self.ids.len());
        assert!(
            length <= log.ids.len(),
            "{who} saw {length} messages of {}",
            log.ids.len()
        );
        let differs = (0..length).find(|&offset| self.ids[offset] != log.ids[offset]);
        if let Some(at) = differs {
            let (seen, now) = (self.ids[at], log.ids[at]);
            panic!("{who} saw {seen:?} at offset {at}, where there is {now:?} now");
        }
        if length > 0 {
            assert_eq!(self.epoch, log.epoch, "{who}");
        }
    }
}

/// Follows with one `greeter-client get`, from the first message to the last.
pub fn get(scene: &Scene, topic: &str) -> Seen {
    let mut seen = Seen::new("get", topic);
    let args = [
        "--wait", "get", "--topic", topic, "--from", "earliest", "--json",
    ];
    let mut client = Process::start(&mut program(&scene.address, &args));
    let mut messages = client.lines();
    let mut tries = Tries::of(&mut client);
    while !seen.is_over(scene) {
        match messages.take(TICK) {
            Ok(line) => {
                seen.take_json(scene, &line);
                tries.look(scene);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                let status = client.wait(LONG);
                panic!(
                    "get of {topic} ended with {status}: {:#?}",
                    tries.0.so_far()
                );
            }
        }
    }
    seen
}

/// Follows with `greeter-client get --no-follow` again and again, each from where the last one ended.
pub fn poll(scene: &Scene, topic: &str) -> Seen {
    let mut seen = Seen::new("get --no-follow", topic);
    while !seen.is_over(scene) {
        read_on(scene, &mut seen);
        pause(fastrand::u64(0..300));
    }
    seen
}

/// Reads from where `seen` ends to the present end of the topic.
pub fn read_on(scene: &Scene, seen: &mut Seen) {
    let from = seen.ids.len().to_string();
    let mut args = vec!["--wait", "get", "--no-follow", "--json", "--topic"];
    args.extend([seen.topic.as_str(), "--from", &from]);
    let mut client = Process::start(&mut program(&scene.address, &args));
    let mut messages = client.lines();
    let mut tries = Tries::of(&mut client);
    loop {
        match messages.take(LONG) {
            Ok(line) => {
                seen.take_json(scene, &line);
                tries.look(scene);
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(e) => panic!("{}: {e}", seen.who),
        }
    }
    let status = client.wait(LONG);
    let said = tries.0.so_far();
    assert_eq!(status.code(), Some(0), "{}: {said:#?}", seen.who);
}

/// Checks that `greeter-client get` prints the messages of `log` as they are, without offsets.
pub fn export(scene: &Scene, log: &Seen) {
    let topic = log.topic.as_str();
    let args = ["get", "--topic", topic, "--from", "earliest", "--no-follow"];
    let mut command = program(&scene.address, &args);
    let mut client = Process::start(command.stderr(Stdio::inherit()));
    let mut messages = client.lines();
    for (offset, id) in log.ids.iter().enumerate() {
        let line = messages.take(LONG).expect("more");
        assert_eq!(
            scene.ledger.recognise(topic, &line),
            *id,
            "{topic}, at offset {offset}"
        );
    }
    let more = messages.take(LONG);
    assert!(
        matches!(more, Err(RecvTimeoutError::Disconnected)),
        "{topic}: {more:?}"
    );
    assert_eq!(client.wait(LONG).code(), Some(0));
}

/// Follows with a subscription of the typed client.
pub fn subscribe(scene: &Scene, topic: &str) -> Seen {
    let mut seen = Seen::new("a subscription", topic);
    let lost = Arc::new(AtomicBool::new(false));
    let notice = lost.clone();
    let options = SubscribeOptions {
        start: StartAt::Earliest,
        notice: Box::new(move |_, _| notice.store(true, Relaxed)),
        ..SubscribeOptions::default()
    };
    let mut messages = scene.client().subscribe(support::topic(topic), options);
    while !seen.is_over(scene) {
        let next = future::select(messages.next(), Delay::new(TICK));
        match within(LONG, "a tick", next) {
            Either::Left((message, _)) => {
                let message = message.expect("it follows").expect("nothing is lost");
                let epoch = message.epoch.to_string();
                seen.take(scene, &epoch, message.offset, &message.data);
                if lost.swap(false, Relaxed) {
                    count(&scene.counts.resumes);
                }
            }
            Either::Right(_) => {}
        }
    }
    seen
}

/// The lines on standard error with which a client says that it tries again.
pub struct Tries(pub Lines, usize);

impl Tries {
    pub fn of(client: &mut Process) -> Self {
        Self(client.error_lines(), 0)
    }

    /// Counts a resume when the client has printed such a line since the last message.
    pub fn look(&mut self, scene: &Scene) {
        let said = self.0.so_far().len();
        if said > std::mem::replace(&mut self.1, said) {
            count(&scene.counts.resumes);
        }
    }
}
