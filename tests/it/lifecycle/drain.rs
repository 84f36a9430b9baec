//! A server that stops while a topic has many subscribers, and calls that arrive meanwhile.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use futures::channel::mpsc::{unbounded, UnboundedSender};
use futures::stream::BoxStream;
use futures::{future, stream, SinkExt, StreamExt};
use greeter_stream::client::{Client, Config, PublishOptions};
use greeter_stream::generated::greeter::{StreamReqData, StreamResData};
use greeter_stream::protocol::{ALL_STREAM, GET_STREAM};
use grpcio_streams::{client as calls, Status};
use testkit::environment::number;
use testkit::exclusive::whole_machine;
use testkit::process::Signal;
use testkit::raw;
use testkit::wait::{soon, within, PATIENCE};
use topic_log::Epoch;

use crate::support;
use crate::support::messages::request;
use crate::support::{client_with, server, topic};

const GRACE: Duration = Duration::from_secs(5);

/// A typed client that does not wait for a server that is gone.
fn client(address: &str) -> Client {
    client_with(Config {
        servers: vec![address.to_owned()],
        ..Config::default()
    })
}

/// How many subscribers there are and how often a server is drained. The environment may say more.
fn size() -> (usize, usize) {
    (
        number("GREETER_TEST_READERS").unwrap_or(300),
        number("GREETER_TEST_DRAINS").unwrap_or(3),
    )
}

#[test]
fn every_reader_is_told_where_it_goes_on() {
    let _alone = whole_machine();
    let (readers, drains) = size();
    for _ in 0..drains {
        drain(readers);
    }
}

fn drain(readers: usize) {
    let mut server = server::start_quiet(&["--threads", "2", "--grace", "5s"]);
    let epoch = publish("0", &client(&server.address)).expect("stored");
    let connections: Vec<_> = (0..10).map(|_| raw::client(&server.address)).collect();
    let (told, all_told) = unbounded();
    let reading = (0..readers).map(|n| {
        let connection = connections[n % connections.len()].clone();
        read(connection, [GET_STREAM, ALL_STREAM][n % 2], told.clone())
    });
    let reading = future::join_all(reading);
    let reading = thread::spawn(move || within(2 * PATIENCE, "the ends", reading));
    let all = all_told.take(readers).for_each(|()| future::ready(()));
    within(2 * PATIENCE, "a message for each", all);
    let publishing = thread::spawn({
        let client = client(&server.address);
        move || {
            (1..)
                .take_while(|n| publish(&n.to_string(), &client).is_some())
                .count()
        }
    });
    thread::park_timeout(Duration::from_millis(200));

    server.process.signal(Signal::TERM);
    let signalled = Instant::now();
    let ends = reading.join().expect("no panic");
    assert_eq!(server.process.wait(PATIENCE).code(), Some(0));
    let took = signalled.elapsed();
    assert!(took < GRACE + Duration::from_secs(1), "{took:?}");
    assert!(
        publishing.join().expect("no panic") > 0,
        "nothing was published"
    );

    assert_eq!(ends.len(), readers);
    for (end, messages) in ends {
        let expected = format!(
            "UNAVAILABLE: the server is shutting down; try again, or try another server: topic t \
             goes on at offset {messages} of epoch {epoch}"
        );
        assert_eq!(end.to_string(), expected);
    }
}

/// Publishes one message; the topic's epoch, or None when the server refuses.
fn publish(message: &str, client: &Client) -> Option<Epoch> {
    let options = PublishOptions {
        resume: false,
        ..PublishOptions::default()
    };
    let mut publisher = client.publish(topic("t"), options);
    soon("published", publisher.send(message.to_owned())).ok()?;
    publisher.receipt().map(|published| published.epoch)
}

/// Follows the topic from its first message; the status of the call, and how many messages came before.
async fn read(
    connection: grpcio::Client,
    call: &'static str,
    told: UnboundedSender<()>,
) -> (Status, u64) {
    let options = raw::with_metadata(&[("topic", "t"), ("from", "earliest")]);
    let mut messages: BoxStream<'_, Result<StreamResData, Status>> = match call {
        GET_STREAM => calls::server_streaming(&connection, call, &request(""), options)
            .expect("starts")
            .boxed(),
        _ => {
            let silent = stream::pending::<Result<StreamReqData, Status>>();
            let conversation = calls::duplex(&connection, call, silent, options);
            conversation.expect("starts").boxed()
        }
    };
    let mut count = 0;
    loop {
        match messages.next().await.expect("no end") {
            Ok(message) => {
                assert_eq!(message.data, count.to_string());
                if count == 0 {
                    let _ = told.unbounded_send(());
                }
                count += 1;
            }
            Err(status) => return (status, count),
        }
    }
}

#[test]
fn a_call_that_arrives_while_the_server_stops_is_tried_again() {
    let (_, drains) = size();
    let mut server = server::start_quiet(&[]);
    let address = server.address.clone();
    let done = Arc::new(AtomicBool::new(false));
    let callers: Vec<_> = (0..4)
        .map(|_| {
            let (done, client) = (done.clone(), support::client(&address));
            thread::spawn(move || {
                while !done.load(Ordering::SeqCst) {
                    let mut publisher = client.publish(topic("t"), PublishOptions::default());
                    soon("published", publisher.send("a".to_owned())).expect("tried again");
                }
            })
        })
        .collect();
    // The C core cancels calls that the binding has not yet taken. Half of these servers had such calls.
    for _ in 0..10 * drains {
        thread::park_timeout(Duration::from_millis(30));
        assert_eq!(server.stop(PATIENCE).code(), Some(0));
        server = server::start_with(&address, &[], "warn");
    }
    done.store(true, Ordering::SeqCst);
    for caller in callers {
        caller.join().expect("no panic");
    }
}
