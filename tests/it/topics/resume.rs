//! Subscribers, publishers and conversations when connections are lost and servers restart.

use std::io::Write;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{mpsc, Arc, Barrier};
use std::thread;
use std::time::Duration;

use futures::{future, stream, SinkExt, StreamExt};
use futures_timer::Delay;
use greeter_stream::client::{
    Client, Config, JoinOptions, PublishError, PublishOptions, SubscribeError, SubscribeOptions,
};
use greeter_stream::generated::greeter::StreamReqData;
use greeter_stream::protocol::{GET_STREAM, PUT_STREAM};
use grpcio::RpcStatusCode;
use grpcio_streams::Requests;
use testkit::ports;
use testkit::process::{run, text, Process, Signal};
use testkit::relay::Relay;
use testkit::served::serve;
use testkit::wait::{next, soon, PATIENCE};
use topic_log::{ProducerName, StartAt};

use crate::support::messages::response;
use crate::support::program::client as program;
use crate::support::{client_with, server, topic};

fn client(address: &str) -> Client {
    let config = Config {
        servers: vec![address.to_owned()],
        wait: true,
        ..Config::default()
    };
    client_with(config)
}

fn from(start: StartAt) -> SubscribeOptions {
    SubscribeOptions {
        start,
        ..SubscribeOptions::default()
    }
}

#[test]
fn connections_that_are_cut_lose_and_repeat_nothing() {
    const MESSAGES: usize = 3_000;
    const CUTS: usize = 20;
    let server = server::start_quiet(&[]);
    let relay = Relay::to(&server.address);
    let mut messages = client(&relay.address).subscribe(topic("t"), from(StartAt::Earliest));
    let publishing = thread::spawn({
        let client = client(&relay.address);
        move || {
            let mut publisher = client.publish(topic("t"), PublishOptions::default());
            for n in 0..MESSAGES {
                soon("sent", publisher.feed(n.to_string())).expect("not lost");
                if n % 10 == 0 {
                    soon("acknowledged", publisher.flush()).expect("not lost");
                }
            }
            soon("acknowledged", publisher.close()).expect("not lost");
            publisher.receipt().cloned().expect("acknowledged")
        }
    });
    for n in 0..MESSAGES {
        let message = next("message", &mut messages);
        assert_eq!((message.offset, message.data), (n as u64, n.to_string()));
        if n % (MESSAGES / CUTS) == 0 {
            relay.cut();
        }
    }
    let published = publishing.join().expect("no panic");
    // Messages whose acknowledgement was lost were sent again, and count as duplicates.
    let told = published.accepted + published.duplicates;
    assert_eq!(told, MESSAGES as u64, "{published:?}");
}

#[test]
fn a_conversation_over_connections_that_are_cut_is_one_order_for_everyone() {
    const PEOPLE: usize = 3;
    const LINES: usize = 200;
    let server = server::start_quiet(&[]);
    let relay = Relay::to(&server.address);
    let (all_joined, half) = (Barrier::new(PEOPLE), AtomicUsize::new(0));
    let converse = &|person: usize| {
        let client = client(&relay.address);
        let joined = soon("joined", client.join(topic("t"), JoinOptions::default()));
        let (mut says, mut hears) = joined.expect("a server").split();
        all_joined.wait();
        let talking = async {
            for n in 0..LINES {
                says.send(format!("{person}: {n}")).await.expect("not lost");
                if n % 20 == 0 {
                    relay.cut();
                }
            }
            // Each stays until all have said everything.
            half.fetch_add(1, Ordering::SeqCst);
            while half.load(Ordering::SeqCst) < PEOPLE {
                Delay::new(Duration::from_millis(1)).await;
            }
            says.close().await.expect("not lost");
        };
        let hearing = async {
            let mut heard = Vec::new();
            while let Some(message) = hears.next().await {
                let message = message.expect("not lost");
                assert_eq!(message.offset, heard.len() as u64);
                heard.push(message.data);
            }
            heard
        };
        soon("everything", future::join(talking, hearing)).1
    };
    let heard: Vec<_> = thread::scope(|scope| {
        let people: Vec<_> = (0..PEOPLE)
            .map(|person| scope.spawn(move || converse(person)))
            .collect();
        people
            .into_iter()
            .map(|p| p.join().expect("no panic"))
            .collect()
    });
    for (person, heard_by_one) in heard.iter().enumerate() {
        // Each has heard at least up to their own last line.
        let own = format!("{person}: ");
        let own = heard_by_one.iter().filter(|line| line.starts_with(&own));
        let numbers: Vec<_> = (0..LINES).map(|n| format!("{person}: {n}")).collect();
        assert!(own.eq(&numbers), "{person} said {LINES} lines");
        let together = heard_by_one.len().min(heard[0].len());
        assert_eq!(heard_by_one[..together], heard[0][..together]);
    }
}

#[test]
fn a_restart_is_noticed_and_what_is_lost_is_said() {
    const RESTARTS: usize = 20;
    let address = ports::free_address();
    let mut server = server::start_at(&address, &[]);

    let (acknowledged, has_acknowledged) = mpsc::channel();
    let stop = Arc::new(AtomicBool::new(false));
    let publishing = thread::spawn({
        let client = client(&address);
        let stop = stop.clone();
        move || {
            let mut publisher = client.publish(topic("t"), PublishOptions::default());
            let mut losses = Vec::new();
            for n in 0.. {
                if stop.load(Ordering::SeqCst) {
                    break;
                }
                soon("sent", publisher.feed(n.to_string())).expect("only told by a flush");
                match soon("acknowledged", publisher.flush()) {
                    Ok(()) => {}
                    Err(PublishError::Lost { before, now }) => losses.push((before, now)),
                    Err(e) => panic!("{e}"),
                }
                let _ = acknowledged.send(());
                thread::park_timeout(Duration::from_millis(1));
            }
            losses
        }
    });
    // The subscriber goes on until it sees this number, which is set after the last restart.
    let until = Arc::new(AtomicU64::new(u64::MAX));
    let subscribing = thread::spawn({
        let until = until.clone();
        let mut messages = client(&address).subscribe(topic("t"), from(StartAt::Earliest));
        move || {
            let (mut losses, mut expected) = (Vec::new(), None);
            let mut last = None;
            while last < Some(until.load(Ordering::SeqCst)) {
                match soon("message", messages.next()).expect("never ends") {
                    Ok(message) => {
                        let (epoch, offset) =
                            *expected.get_or_insert((message.epoch, message.offset));
                        assert_eq!((message.epoch, message.offset), (epoch, offset));
                        expected = Some((epoch, offset + 1));
                        // The order of publishing holds across restarts.
                        let number: u64 = message.data.parse().expect("a number");
                        assert!(last < Some(number), "{number} after {last:?}");
                        last = Some(number);
                    }
                    Err(SubscribeError::Lost(loss)) => {
                        assert_eq!(Some((loss.epoch, loss.from)), expected);
                        assert_ne!(loss.epoch, loss.now);
                        expected = Some((loss.now, loss.next));
                        losses.push(loss);
                        // The last message may come again: it was delivered before the restart, and
                        // its acknowledgement was lost.
                        last = last.and_then(|number| number.checked_sub(1));
                    }
                    Err(e) => panic!("{e}"),
                }
            }
            losses
        }
    });
    let mut published = 0;
    let mut twenty_more = || {
        // What was acknowledged before does not count, because that may have been another server.
        published += has_acknowledged.try_iter().count() as u64;
        for _ in 0..20 {
            let more = has_acknowledged.recv_timeout(PATIENCE);
            more.expect("publishing goes on");
            published += 1;
        }
        published
    };
    for _ in 0..RESTARTS {
        twenty_more();
        server.process.kill();
        drop(server);
        server = server::start_at(&address, &[]);
    }
    until.store(twenty_more(), Ordering::SeqCst);
    // It tries less often the longer the server is away, and may miss a whole run of the server.
    let losses = subscribing.join().expect("no panic");
    assert!((1..=RESTARTS).contains(&losses.len()), "{losses:?}");
    stop.store(true, Ordering::SeqCst);
    let losses = publishing.join().expect("no panic");
    assert_eq!(losses.len(), RESTARTS);
    for (before, now) in losses {
        assert_ne!(before.epoch, now);
        assert!(before.accepted > 0 && before.first == Some(0), "{before:?}");
    }
}

#[test]
fn what_comes_while_a_new_subscriber_is_cut_off_is_not_missed() {
    let server = server::start_quiet(&[]);
    let publish = |data: &str| {
        let mut publisher = client(&server.address).publish(topic("t"), PublishOptions::default());
        soon("acknowledged", publisher.send(data.to_owned())).expect("stored");
    };
    publish("before");
    let relay = Relay::to(&server.address);
    let (lost, was_lost) = mpsc::channel();
    let notice = move |_: &_, _| {
        let _ = lost.send(());
    };
    let options = SubscribeOptions {
        notice: Box::new(notice),
        ..from(StartAt::Latest)
    };
    let mut messages = client(&relay.address).subscribe(topic("t"), options);
    let seen = thread::spawn(move || {
        let mut next = || next("message", &mut messages).data;
        (next(), next())
    });
    // The subscriber has begun, and has seen nothing yet.
    relay.until_quiet();
    relay.cut();
    was_lost.recv_timeout(PATIENCE).expect("it notices");
    publish("meanwhile");
    publish("after");
    let seen = seen.join().expect("no panic");
    assert_eq!(seen, ("meanwhile".to_owned(), "after".to_owned()));
}

#[test]
fn without_resuming_the_first_loss_is_the_end() {
    let mut server = server::start(&[]);
    // A client that waits for a server would wait for the next server.
    let config = Config {
        servers: vec![server.address.clone()],
        ..Config::default()
    };
    let impatient = client_with(config);
    let options = SubscribeOptions {
        resume: false,
        ..from(StartAt::Earliest)
    };
    let mut messages = impatient.subscribe(topic("t"), options);
    let mut publisher = impatient.publish(
        topic("t"),
        PublishOptions {
            resume: false,
            ..PublishOptions::default()
        },
    );
    soon("acknowledged", publisher.send("a".to_owned())).expect("stored");
    next("message", &mut messages);
    server.process.signal(Signal::TERM);
    let Some(Err(SubscribeError::Ended(status))) = soon("the end", messages.next()) else {
        panic!("not an end");
    };
    assert_eq!(status.code(), RpcStatusCode::UNAVAILABLE);
    assert!(soon("the end", messages.next()).is_none());
    server.process.wait(PATIENCE);
    let failed = soon("failure", publisher.send("b".to_owned())).expect_err("no server");
    assert!(matches!(failed, PublishError::Ended(_)), "{failed}");
    assert!(
        soon("failure", publisher.send("c".to_owned())).is_err(),
        "of no more use"
    );
}

#[test]
fn a_server_without_topics_is_found_out() {
    let server = serve(1, |service| {
        let ticks = |_, _: StreamReqData| stream::repeat_with(|| Ok(response("tick")));
        let count =
            |_, requests: Requests<StreamReqData>| async { Ok(response(requests.count().await)) };
        service
            .server_streaming(GET_STREAM, ticks)
            .client_streaming(PUT_STREAM, count)
    });
    for start in [StartAt::Latest, StartAt::Earliest] {
        let mut messages = client(&server.address).subscribe(topic("t"), from(start));
        let Some(Err(SubscribeError::Ended(status))) = soon("the end", messages.next()) else {
            panic!("not an end");
        };
        assert_eq!(status.code(), RpcStatusCode::UNIMPLEMENTED, "{status}");
    }
    let mut publisher = client(&server.address).publish(topic("t"), PublishOptions::default());
    let failed = soon("failure", publisher.send("a".to_owned())).expect_err("no topics");
    assert!(failed
        .to_string()
        .starts_with("UNIMPLEMENTED: the server does not know topics"));
}

#[test]
fn a_file_that_is_put_into_a_topic_comes_out_again() {
    let server = server::start_quiet(&[]);
    let lines: String = (0..20_000)
        .map(|n| format!("line {n} \u{df}\r\n"))
        .collect();
    let put = [
        "put",
        "--topic",
        "files/a",
        "--producer",
        "me",
        "--from-start",
    ];
    for (accepted, duplicates) in [(20_000, 0), (0, 20_000)] {
        let output = run(&mut program(&server.address, &put), lines.as_bytes());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let receipt: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(receipt["accepted"], accepted);
        assert_eq!(receipt["duplicates"], duplicates);
    }
    let get = [
        "get",
        "--topic",
        "files/a",
        "--from",
        "earliest",
        "--no-follow",
    ];
    let output = run(&mut program(&server.address, &get), b"");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout) == lines, "not the same bytes");

    let get = [
        "get", "--topic", "files/a", "--from", "-1", "--count", "1", "--json",
    ];
    let output = run(&mut program(&server.address, &get), b"");
    let message: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(
        (&message["topic"], &message["offset"]),
        (&"files/a".into(), &19_999.into())
    );
    assert_eq!(message["data"], "line 19999 \u{df}\r");
    assert!(
        message["epoch"].is_string() && message["time"].is_f64(),
        "{message}"
    );
}

#[test]
fn what_a_restarted_server_cannot_know_is_not_taken_for_a_repetition() {
    let producer = || PublishOptions {
        producer: Some(ProducerName::new("p").expect("a name")),
        from_start: true,
        ..PublishOptions::default()
    };
    let mut server = server::start(&[]);
    let address = server.address.clone();
    let mut publisher = client(&address).publish(topic("t"), producer());
    for n in 0..10 {
        soon("acknowledged", publisher.send(n.to_string())).expect("stored");
    }
    server.process.kill();
    drop(server);
    let _server = server::start_at(&address, &[]);
    let lost = soon("loss", publisher.send("10".to_owned())).expect_err("told");
    let PublishError::Lost { before, .. } = lost else {
        panic!("{lost}");
    };
    assert_eq!((before.first, before.last), (Some(0), Some(9)));
    soon("the rest", publisher.close()).expect("nothing more to tell");

    // The restarted server has message 10 only. It must not take 0 to 9 for known.
    let mut again = client(&address).publish(topic("t"), producer());
    let refused = soon("failure", again.send("0".to_owned())).expect_err("unknown");
    let PublishError::Ended(status) = refused else {
        panic!("{refused}");
    };
    assert_eq!(status.code(), RpcStatusCode::FAILED_PRECONDITION);
    let why = "knows producer p from sequence 10 on, and not whether it has 0";
    assert!(status.message().contains(why), "{status}");
}

#[test]
fn the_lines_before_a_bad_one_are_published() {
    let server = server::start_quiet(&[]);
    let output = run(
        &mut program(&server.address, &["put", "--topic", "t"]),
        b"a\nb\nc \xff\nd\n",
    );
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("line 3 of standard input is not UTF-8"));
    let get = ["get", "--topic", "t", "--from", "earliest", "--no-follow"];
    let output = run(&mut program(&server.address, &get), b"");
    assert_eq!(text(&output.stdout), "a\nb\n");
}

#[test]
fn people_in_a_room_see_the_same_conversation() {
    let server = server::start(&[]);
    let join = |name: &str| {
        let args = [
            "all", "--topic", "room", "--name", name, "--from", "earliest",
        ];
        let mut person = Process::start(program(&server.address, &args).stdin(Stdio::piped()));
        let input = person.stdin();
        let output = person.lines();
        (person, input, output)
    };
    let mut people = ["ann", "bob", "eve"].map(join);
    let mut said = Vec::new();
    for round in 0..3 {
        for speaker in 0..3 {
            let name = ["ann", "bob", "eve"][speaker];
            writeln!(people[speaker].1, "round {round}").expect("written");
            said.push(format!("{name}: round {round}"));
            for (_, _, output) in &mut people {
                output.wait_for(PATIENCE, |line| line == said[said.len() - 1]);
            }
        }
    }
    for (mut person, input, output) in people {
        drop(input);
        assert_eq!(person.wait(PATIENCE).code(), Some(0));
        assert_eq!(output.rest(), said);
    }
    // A person who comes later, says something and leaves sees the last lines and their own.
    let args = ["all", "--topic", "room", "--name", "zoe", "--from", "-2"];
    let output = run(&mut program(&server.address, &args), b"bye\n");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(
        text(&output.stdout),
        "bob: round 2\neve: round 2\nzoe: bye\n"
    );
}
