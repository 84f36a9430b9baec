//! Publishers, each of another kind. They note in the ledger what they send and what is acknowledged.

use std::io::Write;
use std::process::Stdio;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use futures::{stream, SinkExt, StreamExt};
use futures_timer::Delay;
use greeter_stream::client::{PublishOptions, SubscribeOptions};
use greeter_stream::generated::greeter::StreamResData;
use grpcio::RpcStatusCode;
use grpcio_streams::{client as calls, Status};
use testkit::process::{run_within, text as utf8, Process};
use testkit::raw;
use testkit::texts::text;
use testkit::wait::{pause, within};
use topic_log::{ProducerName, StartAt};

use super::subscribers::{Seen, Tries};
use super::{count, Scene, LONG};
use crate::support;
use crate::support::messages::request;
use crate::support::program::client as program;

/// How many messages a client of AllStream may have sent that have not come back to it.
const AHEAD: u64 = 50;

/// Publishes with the typed client: a few messages at a time, and now and then many.
pub fn publish(scene: &Scene, topic: &str, me: &str) {
    let mut random = scene.random(me);
    let options = PublishOptions {
        producer: Some(ProducerName::new(me).expect("a name")),
        ..PublishOptions::default()
    };
    let mut publisher = scene.client().publish(support::topic(topic), options);
    let mut next = 0;
    while !scene.is_over() {
        let some = match random.u8(0..30) {
            0 => random.u64(100..2_000),
            _ => random.u64(1..5),
        };
        scene.ledger.sending(topic, me, next + some);
        scene.ledger.under_way(|| {
            for number in next..next + some {
                let fed = within(LONG, "taken", publisher.feed(text(me, number)));
                fed.expect("not lost");
            }
            within(LONG, "acknowledged", publisher.flush()).expect("not lost");
        });
        next += some;
        scene.ledger.acknowledged(me, next);
        pause(random.u64(0..40));
    }
    within(LONG, "acknowledged", publisher.close()).expect("not lost");
    let published = publisher.receipt().expect("acknowledged");
    assert_eq!(published.accepted + published.duplicates, next, "{me}");
    scene
        .counts
        .unheard
        .fetch_add(published.duplicates, Relaxed);
}

/// Publishes with `greeter-client put`, one upload after the other, each with a producer of its own.
/// Some uploads are killed and begun again, and some are sent twice. Every third has its own topic.
pub fn upload(scene: &Scene, topic: &str, name: &str) {
    let mut random = scene.random(name);
    for upload in 0.. {
        if scene.is_over() {
            return;
        }
        let me = &format!("{name}-{upload}");
        let topic = match upload % 3 {
            2 => me,
            _ => topic,
        };
        let messages = match random.u8(0..4) {
            0 => random.u64(500..3_000),
            _ => random.u64(1..100),
        };
        let lines: String = (0..messages).map(|n| text(me, n) + "\n").collect();
        scene.ledger.sending(topic, me, messages);
        if random.u8(0..3) == 0 {
            let given_up = Duration::from_millis(random.u64(1..100));
            give_up(scene, topic, me, &lines, given_up);
        }
        let stored = scene
            .ledger
            .under_way(|| put(scene, topic, me, &lines, messages));
        scene.ledger.acknowledged(me, messages);
        if random.u8(0..4) == 0 {
            let again = put(scene, topic, me, &lines, messages);
            assert_eq!((stored <= messages, again), (true, 0), "{me}, once more");
        }
        pause(random.u64(0..300));
    }
}

fn put_args<'a>(topic: &'a str, me: &'a str) -> [&'a str; 7] {
    [
        "--wait",
        "put",
        "--topic",
        topic,
        "--producer",
        me,
        "--from-start",
    ]
}

/// Makes a whole upload; how many of its messages were not stored before.
fn put(scene: &Scene, topic: &str, me: &str, lines: &str, messages: u64) -> u64 {
    let mut put = program(&scene.address, &put_args(topic, me));
    let output = run_within(LONG, &mut put, lines.as_bytes());
    let said = utf8(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{me}: {said}");
    accepted(scene, utf8(&output.stdout), me, messages)
}

/// How many messages a receipt counts as stored now. It must count the others as stored before.
fn accepted(scene: &Scene, receipt: &str, me: &str, messages: u64) -> u64 {
    let receipt: serde_json::Value = serde_json::from_str(receipt).expect("a receipt");
    let number = |key: &str| receipt[key].as_u64().expect("a number");
    let (accepted, duplicates) = (number("accepted"), number("duplicates"));
    assert_eq!(accepted + duplicates, messages, "{me}: {receipt}");
    scene.counts.duplicates.fetch_add(duplicates, Relaxed);
    accepted
}

/// Begins an upload, and kills its client after this time.
fn give_up(scene: &Scene, topic: &str, me: &str, lines: &str, after: Duration) {
    let mut put = program(&scene.address, &put_args(topic, me));
    put.stdin(Stdio::piped()).stdout(Stdio::null());
    let mut client = Process::start(put.stderr(Stdio::null()));
    let mut input = client.stdin();
    std::thread::scope(|scope| {
        // The client may not read all of it.
        scope.spawn(move || drop(input.write_all(lines.as_bytes())));
        pause(after.as_millis() as u64);
        drop(client);
    });
}

/// Publishes lines with one `greeter-client put`, as a person types them, until the end.
pub fn type_lines(scene: &Scene, topic: &str, me: &str) {
    let mut random = scene.random(me);
    let mut put = program(&scene.address, &put_args(topic, me));
    let mut client = Process::start(put.stdin(Stdio::piped()));
    let mut input = client.stdin();
    let output = client.lines();
    let mut tries = Tries::of(&mut client);
    let mut typed = 0;
    scene.ledger.sending(topic, me, typed);
    while !scene.is_over() {
        scene.ledger.sending(topic, me, typed + 1);
        writeln!(input, "{}", text(me, typed)).expect("it reads");
        typed += 1;
        pause(random.u64(0..50));
    }
    drop(input);
    let status = client.wait(LONG);
    assert_eq!(status.code(), Some(0), "{me}: {:#?}", tries.0.so_far());
    accepted(scene, &output.rest().concat(), me, typed);
    scene.ledger.acknowledged(me, typed);
}

/// Publishes and subscribes with one `greeter-client all`. It waits for its own lines to come back
/// before it sends many more.
pub fn talk(scene: &Scene, topic: &str, me: &str) -> Seen {
    let mut random = scene.random(me);
    let mut seen = Seen::new(me, topic);
    let args = [
        "--wait", "all", "--topic", topic, "--from", "earliest", "--json",
    ];
    let mut command = program(&scene.address, &args);
    let mut client = Process::start(command.stdin(Stdio::piped()));
    let mut input = client.stdin();
    let mut output = client.lines();
    let mut tries = Tries::of(&mut client);
    let (mut said, mut heard) = (0, 0);
    let mut hear = |line: String, tries: &mut Tries| {
        let id = seen.take_json(scene, &line);
        tries.look(scene);
        if scene.ledger.is_of(id, me) {
            heard += 1;
            scene.ledger.acknowledged(me, heard);
        }
        heard
    };
    let mut own = 0;
    while !scene.is_over() {
        if said < own + AHEAD {
            scene.ledger.sending(topic, me, said + 1);
            writeln!(input, "{}", text(me, said)).expect("it reads");
            said += 1;
        }
        match output.take(Duration::from_millis(random.u64(0..30))) {
            Ok(line) => own = hear(line, &mut tries),
            Err(RecvTimeoutError::Timeout) => {}
            Err(e) => panic!("{me}: {e}: {:#?}", tries.0.so_far()),
        }
    }
    drop(input);
    loop {
        match output.take(LONG) {
            Ok(line) => own = hear(line, &mut tries),
            Err(RecvTimeoutError::Disconnected) => break,
            Err(e) => panic!("{me}: {e}: {:#?}", tries.0.so_far()),
        }
    }
    let status = client.wait(LONG);
    assert_eq!(status.code(), Some(0), "{me}: {:#?}", tries.0.so_far());
    assert_eq!(own, said, "{me} receives what it sends");
    seen
}

/// Publishes and subscribes with AllStream, as any client may use it. A message that comes back is
/// acknowledged. The next call sends what has not come back, and begins at the next offset.
pub fn converse(scene: &Scene, topic: &str, me: &str) -> Seen {
    let mut random = scene.random(me);
    let mut seen = Seen::new(me, topic);
    let from = SubscribeOptions {
        start: StartAt::Earliest,
        ..SubscribeOptions::default()
    };
    let mut start = scene.client().subscribe(support::topic(topic), from);
    within(LONG, "a place", start.begin()).expect("a server");
    let epoch = start.position().expect("a position").epoch.to_string();
    let (mut said, mut heard) = (0, 0);
    while !(scene.is_over() && heard == said) {
        if !scene.is_over() {
            said = said.max(heard + random.u64(1..60));
            scene.ledger.sending(topic, me, said);
        }
        let (offset, sequence) = (seen.ids.len().to_string(), heard.to_string());
        let options = raw::with_metadata(&[
            ("topic", topic),
            ("from", &offset),
            ("epoch", &epoch),
            ("producer", me),
            ("sequence", &sequence),
        ]);
        let waits: Vec<_> = (heard..said).map(|_| random.u64(0..5)).collect();
        let name = me.to_owned();
        let says = stream::iter((heard..said).zip(waits)).then(move |(number, wait)| {
            let message = request(&text(&name, number));
            async move {
                Delay::new(Duration::from_millis(wait)).await;
                Ok::<_, Status>(message)
            }
        });
        let client = raw::client(&scene.address);
        let call =
            calls::duplex::<_, StreamResData, _>(&client, "/Greeter/AllStream", says, options);
        let mut hears = call.expect("starts");
        scene.ledger.under_way(|| loop {
            match within(LONG, "a message", hears.next()) {
                Some(Ok(message)) => {
                    let offset = seen.ids.len() as u64;
                    let id = seen.take(scene, &epoch, offset, &message.data);
                    if scene.ledger.is_of(id, me) {
                        heard += 1;
                        scene.ledger.acknowledged(me, heard);
                    }
                }
                Some(Err(status)) => {
                    // The C core cancels a call that arrives while it begins to stop.
                    let again = [RpcStatusCode::UNAVAILABLE, RpcStatusCode::CANCELLED];
                    assert!(again.contains(&status.code()), "{me}: {status}");
                    count(&scene.counts.resumes);
                    pause(random.u64(20..200));
                    return;
                }
                None => {
                    assert_eq!(heard, said, "{me} receives what it sends before the end");
                    return;
                }
            }
        });
    }
    seen
}
