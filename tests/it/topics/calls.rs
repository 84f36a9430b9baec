//! Calls that name a topic, through the binding's own client. Any generated stub can make them.

use std::collections::HashSet;
use std::sync::Arc;

use futures::{stream, SinkExt, StreamExt, TryStreamExt};
use greeter_stream::generated::greeter::StreamResData;
use greeter_stream::generated::greeter_grpc::GreeterClient;
use greeter_stream::protocol::GET_STREAM;
use greeter_stream::service::{Config, Greeter};
use grpcio::{CallOption, RpcStatusCode, WriteFlags};
use grpcio_serve::Service;
use grpcio_streams::{client as calls, Status};
use testkit::clock::unix_seconds;
use testkit::process::Signal;
use testkit::raw;
use testkit::served::serve;
use testkit::wait::{next, soon, PATIENCE};
use topic_log::{Memory, Retention, StoreLimits};

use crate::support::messages::request;
use crate::support::server;

pub(super) fn stub(address: &str) -> GreeterClient {
    GreeterClient::new(raw::channel(address))
}

fn options(metadata: &[(&str, &str)]) -> CallOption {
    raw::with_metadata(metadata)
        .timeout(PATIENCE)
        .wait_for_ready(true)
}

/// Publishes messages with PutStream; the receipt, or the failure.
pub(super) fn put(
    stub: &GreeterClient,
    metadata: &[(&str, &str)],
    data: &[&str],
) -> Result<serde_json::Value, Status> {
    let (mut sink, receipt) = stub.put_stream_opt(options(metadata)).expect("starts");
    soon("receipt", async {
        let messages = data
            .iter()
            .map(|data| Ok((request(data), WriteFlags::default())));
        if sink.send_all(&mut stream::iter(messages)).await.is_ok() {
            let _ = sink.close().await;
        }
        let receipt = receipt.await.map_err(Status::from)?;
        Ok(serde_json::from_str(&receipt.data).expect("JSON"))
    })
}

/// Reads a topic to its present end; the first offset and the messages, or the failure.
pub(super) fn read(
    stub: &GreeterClient,
    metadata: &[(&str, &str)],
) -> Result<(Option<u64>, Vec<String>), Status> {
    let mut metadata = metadata.to_vec();
    metadata.push(("follow", "false"));
    let mut messages = stub
        .get_stream_opt(&request(""), options(&metadata))
        .expect("starts");
    soon("the end", async {
        let headers = messages.headers().await.map_err(Status::from)?;
        let offset = headers.iter().find(|(key, _)| *key == "offset");
        let offset =
            offset.map(|(_, value)| String::from_utf8_lossy(value).parse().expect("a number"));
        let messages: Vec<_> = messages.map_ok(|m| m.data).try_collect().await?;
        Ok((offset, messages))
    })
}

#[test]
fn a_topic_is_read_from_wherever_one_likes() {
    let server = server::start(&[]);
    let stub = stub(&server.address);
    let receipt = put(&stub, &[("topic", "t")], &["a", "b", "c", "d"]).expect("a receipt");
    let epoch = receipt["epoch"].as_str().expect("text").to_owned();
    assert_eq!(receipt["topic"], "t");
    assert_eq!(
        (&receipt["first"], &receipt["last"]),
        (&0.into(), &3.into())
    );
    assert_eq!(
        (&receipt["accepted"], &receipt["duplicates"]),
        (&4.into(), &0.into())
    );

    let seconds = unix_seconds();
    let (long_ago, later) = (format!("@{}", seconds - 60), format!("@{}", seconds + 60));
    for (from, first, expected) in [
        ("earliest", Some(0), &["a", "b", "c", "d"][..]),
        ("2", Some(2), &["c", "d"]),
        ("-1", Some(3), &["d"]),
        ("-100", Some(0), &["a", "b", "c", "d"]),
        (&long_ago, Some(0), &["a", "b", "c", "d"]),
        // The response metadata comes with the first message, and here is none.
        (&later, None, &[]),
        ("latest", None, &[]),
        ("4", None, &[]),
    ] {
        let seen = read(&stub, &[("topic", "t"), ("from", from)]);
        let expected = expected.iter().map(ToString::to_string).collect();
        assert_eq!(seen, Ok((first, expected)), "{from}");
    }
    let here = [("topic", "t"), ("from", "3"), ("epoch", &*epoch)];
    assert_eq!(
        read(&stub, &here).map(|seen| seen.1),
        Ok(vec!["d".to_owned()])
    );
    let elsewhere = [("topic", "t"), ("from", "3"), ("epoch", "0000000000000001")];
    for wrong in [&elsewhere[..], &[("topic", "t"), ("from", "5")]] {
        let status = read(&stub, wrong).expect_err("no such offset");
        assert_eq!(status.code(), RpcStatusCode::OUT_OF_RANGE);
        assert!(
            status
                .message()
                .ends_with("its earliest is 0 and its next 4"),
            "{status}"
        );
    }
    let empty = put(&stub, &[("topic", "t")], &[]).expect("a receipt");
    assert!(empty["first"].is_null() && empty["last"].is_null());
}

#[test]
fn subscribers_follow_what_is_published() {
    let server = server::start(&[]);
    let publisher = stub(&server.address);
    let stubs: Vec<_> = (0..3).map(|_| stub(&server.address)).collect();
    put(&publisher, &[("topic", "t")], &["before"]).expect("a receipt");
    let from = [("topic", "t"), ("from", "earliest")];
    let subscribe = |stub: &GreeterClient| {
        stub.get_stream_opt(&request(""), options(&from))
            .expect("starts")
    };
    let mut subscribers: Vec<_> = stubs.iter().map(subscribe).collect();
    for subscriber in &mut subscribers {
        assert_eq!(next("message", subscriber).data, "before");
    }
    for n in 0..100 {
        put(&publisher, &[("topic", "t")], &[&n.to_string()]).expect("a receipt");
        for subscriber in &mut subscribers {
            assert_eq!(next("message", subscriber).data, n.to_string());
        }
    }
    // Another topic is another log.
    assert_eq!(
        read(&publisher, &[("topic", "u"), ("from", "earliest")]),
        Ok((None, vec![]))
    );
}

#[test]
fn a_producer_publishes_each_message_once() {
    let server = server::start(&[]);
    let stub = stub(&server.address);
    let publish = |sequence: &str, data: &[&str]| {
        let once = [("topic", "t"), ("producer", "p"), ("sequence", sequence)];
        let counts = |r: serde_json::Value| (r["accepted"].as_u64(), r["duplicates"].as_u64());
        put(&stub, &once, data).map(counts)
    };
    assert_eq!(publish("0", &["a", "b"]), Ok((Some(2), Some(0))));
    assert_eq!(publish("0", &["a", "b"]), Ok((Some(0), Some(2))));
    assert_eq!(publish("1", &["b", "c"]), Ok((Some(1), Some(1))));
    let gap = publish("4", &["e"]).expect_err("3 is missing");
    assert_eq!(gap.code(), RpcStatusCode::FAILED_PRECONDITION);
    assert!(
        gap.message()
            .contains("expects sequence 3 of producer p, not 4"),
        "{gap}"
    );
    assert_eq!(publish("3", &["d"]), Ok((Some(1), Some(0))));
    let all = read(&stub, &[("topic", "t"), ("from", "earliest")])
        .expect("messages")
        .1;
    assert_eq!(all, ["a", "b", "c", "d"]);
    let over = publish("18446744073709551615", &["x", "y"]).expect_err("beyond the last number");
    assert_eq!(over.code(), RpcStatusCode::INVALID_ARGUMENT);
}

#[test]
fn everyone_in_a_conversation_sees_one_order() {
    const PEOPLE: usize = 10;
    const ROOMS: usize = 20;
    let server = server::start_quiet(&[]);
    let rooms: Vec<_> = (0..ROOMS)
        .map(|room| {
            let address = server.address.clone();
            std::thread::spawn(move || {
                let topic = format!("room/{room}");
                let stub = stub(&address);
                let join = |_| {
                    let from = [("topic", &*topic), ("from", "earliest")];
                    stub.all_stream_opt(options(&from)).expect("starts")
                };
                let mut people: Vec<_> = (0..PEOPLE).map(join).collect();
                for (n, (sink, _)) in people.iter_mut().enumerate() {
                    for message in 0..5 {
                        let data = request(&format!("{n}: {message}"));
                        soon("sent", sink.send((data, WriteFlags::default()))).expect("sent");
                    }
                }
                let seen = people.iter_mut().map(|(_, receiver)| {
                    let all = receiver
                        .take(PEOPLE * 5)
                        .map_ok(|m| m.data)
                        .try_collect::<Vec<_>>();
                    soon("everything", all).expect("no error")
                });
                let seen: Vec<_> = seen.collect();
                assert_eq!(seen.iter().collect::<HashSet<_>>().len(), 1, "one order");
                // Each call ends with OK after its half-close.
                for (mut sink, mut receiver) in people {
                    match soon("close", sink.close()) {
                        // The call may end before the half-close that ends it is done.
                        Ok(()) | Err(grpcio::Error::RpcFinished(None)) => {}
                        Err(e) => panic!("half-closing: {e}"),
                    }
                    assert!(soon("end", receiver.next()).is_none());
                }
            })
        })
        .collect();
    rooms
        .into_iter()
        .for_each(|room| room.join().expect("no panic"));
}

#[test]
fn a_subscriber_that_falls_behind_the_tail_is_told_so() {
    let retention = Retention {
        messages: 100,
        ..Retention::default()
    };
    let store = Arc::new(Memory::new(retention, StoreLimits::default()));
    let greeter = Arc::new(Greeter::new(Config::default(), store));
    let server = serve(2, |builder| greeter.methods(builder));
    let stub = stub(&server.address);
    put(&stub, &[("topic", "t")], &["0"]).expect("a receipt");
    let from = [("topic", "t"), ("from", "earliest")];
    // The binding's own stream may lose a message that comes just before a failure.
    let client = raw::client(&server.address);
    let slow = calls::server_streaming::<_, StreamResData>(
        &client,
        GET_STREAM,
        &request(""),
        options(&from),
    );
    let mut slow = slow.expect("starts");
    next("message", &mut slow);
    // More than the flow-control window takes while nothing is read.
    let large = "x".repeat(1000);
    let many = vec![&*large; 10_000];
    put(&stub, &[("topic", "t")], &many).expect("a receipt");
    let mut seen = 1;
    let status = loop {
        match soon("message", slow.next()) {
            Some(Ok(_)) => seen += 1,
            Some(Err(status)) => break status,
            None => panic!("ended with OK after {seen}"),
        }
    };
    assert_eq!(status.code(), RpcStatusCode::OUT_OF_RANGE);
    // The bounds are those of the moment of the failure, when more messages may still have come.
    let told = status.message();
    let expected = format!("topic t has no offset {seen}: its earliest is ");
    let bounds = told.strip_prefix(&expected).expect(told);
    let (earliest, next) = bounds.split_once(" and its next ").expect(told);
    let number = |text: &str| text.parse::<u64>().expect(told);
    assert!(number(earliest) > seen && number(next) == number(earliest) + 100);
    let status = read(&stub, &[("topic", "t"), ("from", "0")]).expect_err("dropped");
    assert_eq!(status.code(), RpcStatusCode::OUT_OF_RANGE);
}

#[test]
fn wrong_metadata_is_an_invalid_argument_of_every_call() {
    let server = server::start(&[]);
    let stub = stub(&server.address);
    let twice = [("topic", "t"), ("topic", "u")];
    for wrong in [
        &[("topic", "a b")][..],
        &twice,
        &[("topic", "t"), ("from", "soon")],
    ] {
        let get = read(&stub, wrong).expect_err("wrong");
        let put = put(&stub, wrong, &["a"]).expect_err("wrong");
        let (mut sink, receiver) = stub.all_stream_opt(options(wrong)).expect("starts");
        let all = soon("end", async {
            let _ = sink.close().await;
            receiver.try_collect::<Vec<_>>().await
        });
        let all = Status::from(all.expect_err("wrong"));
        for status in [get, put, all] {
            assert_eq!(
                status.code(),
                RpcStatusCode::INVALID_ARGUMENT,
                "{wrong:?}: {status}"
            );
            assert!(status.message().starts_with("metadata `"), "{status}");
        }
    }
}

#[test]
fn subscribers_are_told_when_the_server_stops() {
    let mut server = server::start(&[]);
    let stub = stub(&server.address);
    let mut feed = stub
        .get_stream_opt(&request(""), options(&[("topic", "t")]))
        .expect("starts");
    server.log.wait_for_all(PATIENCE, &["GetStream", "started"]);
    server.process.signal(Signal::TERM);
    let status = Status::from(
        soon("end", feed.next())
            .expect("a status")
            .expect_err("a failure"),
    );
    assert_eq!(status.code(), RpcStatusCode::UNAVAILABLE);
    assert_eq!(server.process.wait(PATIENCE).code(), Some(0));
}
