//! A topic with many subscribers, also with some that do not read.
//!
//! `GREETER_FAN_OUT=100000` in the environment sets the number of messages. Without it there are few
//! enough for every run.

use std::sync::mpsc;

use futures::{stream, TryStreamExt};
use greeter_stream::generated::greeter::{StreamReqData, StreamResData};
use greeter_stream::protocol::{GET_STREAM, PUT_STREAM};
use grpcio::{ChannelBuilder, RpcStatusCode};
use grpcio_streams::{client as calls, Queues, Status};
use testkit::environment::number;
use testkit::http2::{connect, Event};
use testkit::raw::{self, with_metadata};
use testkit::wait::{next, PATIENCE};

use crate::support::messages::request;
use crate::support::server;

const SUBSCRIBERS: usize = 1_000;
const CONNECTIONS: usize = 10;

/// Publishes messages with one PutStream.
fn put(client: &grpcio::Client, messages: impl Iterator<Item = String> + Send + 'static) {
    let caller = client.clone();
    let requests = stream::iter(messages.map(|data| Ok::<_, Status>(request(&data))));
    let put = async move {
        let topic = with_metadata(&[("topic", "t")]);
        calls::client_streaming::<StreamReqData, StreamResData, _>(
            &caller, PUT_STREAM, requests, topic,
        )
        .await
    };
    calls::run(client, put).expect("stored");
}

#[test]
fn everyone_sees_everything_in_order() {
    assert_eq!(fan_out(100_000), SUBSCRIBERS);
}

#[test]
fn who_falls_behind_a_short_tail_is_told_where() {
    assert!(fan_out(50) < SUBSCRIBERS, "nobody fell behind");
}

/// Publishes at full speed to a topic that keeps `retention` messages. Each subscriber sees all of them
/// in order, or its call ends with the offset of the first one that is gone; how many saw all.
fn fan_out(retention: u64) -> usize {
    let messages = number("GREETER_FAN_OUT").unwrap_or(2_000);
    let server = server::start_quiet(&["--retention-messages", &retention.to_string()]);
    let queues = Queues::start("subscribers", 2);
    let connect = |_| {
        let channel = ChannelBuilder::new(queues.env())
            .raw_cfg_int(c"grpc.use_local_subchannel_pool".into(), 1)
            .connect(&server.address);
        grpcio::Client::new(channel)
    };
    let connections: Vec<_> = (0..CONNECTIONS).map(connect).collect();
    let before = server.resident();

    let (done, is_done) = mpsc::channel();
    let (begun, has_begun) = mpsc::channel();
    for n in 0..SUBSCRIBERS {
        let connection = &connections[n % CONNECTIONS];
        let earliest = with_metadata(&[("topic", "t"), ("from", "earliest")]);
        let feed = calls::server_streaming(connection, GET_STREAM, &request(""), earliest);
        let mut feed = feed.expect("starts");
        let (begun, done) = (begun.clone(), done.clone());
        connection.spawn(async move {
            let mut seen = 0_u64;
            let end = loop {
                match feed.try_next().await {
                    Ok(Some(StreamResData { data, .. })) if data == seen.to_string() => seen += 1,
                    Ok(other) => break Err(format!("{other:?} after {seen}")),
                    Err(status) => break Ok((seen, Some(status))),
                }
                if seen == 1 {
                    let _ = begun.send(());
                }
                if seen == messages {
                    break Ok((seen, None));
                }
            };
            let _ = done.send(end);
        });
    }
    let publisher = connect(0);
    let number = |n: u64| n.to_string();
    put(&publisher, (0..1).map(number));
    for _ in 0..SUBSCRIBERS {
        has_begun
            .recv_timeout(PATIENCE)
            .expect("every subscriber sees the first message");
    }
    put(&publisher, (1..messages).map(number));

    let mut complete = 0;
    for _ in 0..SUBSCRIBERS {
        let end = is_done
            .recv_timeout(PATIENCE * 30)
            .expect("every subscriber ends");
        match end.expect("in order") {
            (_, None) => complete += 1,
            (seen, Some(status)) => {
                assert_eq!(status.code(), RpcStatusCode::OUT_OF_RANGE);
                let told = format!("topic t has no offset {seen}: its earliest is ");
                assert!(status.message().starts_with(&told), "{status} after {seen}");
            }
        }
    }
    let grown = server.resident().saturating_sub(before);
    // A message that is kept takes no more than 200 bytes. A stream takes about 14 KiB and what is on
    // its way.
    let limit = 4 * 1024 + retention.min(messages) / 5 + SUBSCRIBERS as u64 * 32;
    assert!(grown < limit, "the server grew by {grown} KiB");
    println!(
        "{complete} of {SUBSCRIBERS} saw all {messages} messages; the server grew by {grown} KiB"
    );
    complete
}

/// Reads the topic from its first message, and follows it if `follow` is "true".
fn subscribe(client: &grpcio::Client, follow: &str) -> calls::Responses<StreamResData> {
    let metadata = [("topic", "t"), ("from", "earliest"), ("follow", follow)];
    let feed = calls::server_streaming(client, GET_STREAM, &request(""), with_metadata(&metadata));
    feed.expect("starts")
}

/// How many subscribers do not read. More than may send a backlog at a time.
const STUCK: usize = 16;

#[test]
fn a_backlog_that_is_not_read_holds_nobody_up() {
    // A stuck stream has more than can be under way: in the middle of a turn, after many turns, or in
    // the last message.
    let small = |n: u64| format!("{n:016}");
    let middle = |n: u64| format!("{n:01024}");
    let large_at_last = |n: u64| n.to_string().repeat(if n == 9 { 1 << 20 } else { 16 });
    type Data = fn(u64) -> String;
    let cases: [(u64, Data); 3] = [(20_000, small), (1_000, middle), (10, large_at_last)];
    for (messages, data) in cases {
        for follow in ["true", "false"] {
            let server = server::start_quiet(&["--threads", "1"]);
            put(&raw::client(&server.address), (0..messages).map(data));
            let metadata = [("topic", "t"), ("from", "earliest"), ("follow", follow)];
            let stuck = (0..STUCK).map(|_| {
                let mut connection = connect(&server.address);
                connection.call(0, GET_STREAM, &metadata);
                while !matches!(connection.event().expect("open"), Event::Data(..)) {}
                // It never enlarges the window that it began with.
                connection
            });
            let _stuck: Vec<_> = stuck.collect();
            let reader = raw::client(&server.address);
            let mut feed = subscribe(&reader, follow);
            for n in 0..messages {
                assert_eq!(next("message", &mut feed).data, data(n));
            }
        }
    }
}

#[test]
fn subscribers_that_do_not_read_cost_nothing_that_grows() {
    const ROUND: u64 = 500;
    let server = server::start_quiet(&["--threads", "1", "--retention-messages", "1000"]);
    let publisher = raw::client(&server.address);
    let data = |n: u64| format!("{n:01024}");
    let reader = raw::client(&server.address);
    let mut feed = subscribe(&reader, "true");
    put(&publisher, (0..ROUND).map(data));
    let clients: Vec<_> = (0..STUCK).map(|_| raw::client(&server.address)).collect();
    let mut stuck: Vec<_> = clients.iter().map(|c| subscribe(c, "true")).collect();
    for feed in &mut stuck {
        assert_eq!(next("message", feed).data, data(0));
    }
    let before = server.resident();
    for round in 0..100 {
        if round > 0 {
            put(&publisher, (round * ROUND..(round + 1) * ROUND).map(data));
        }
        for n in 0..ROUND {
            assert_eq!(next("message", &mut feed).data, data(round * ROUND + n));
        }
    }
    // 50 MB were published. The topic keeps 1 MB of them. On the way to each subscriber that does not
    // read is what flow control and the C core's write buffer have room for.
    let grown = server.resident().saturating_sub(before);
    let limit = 2 * 1024 + STUCK as u64 * 256;
    assert!(grown < limit, "the server grew by {grown} KiB");
    drop(stuck);
}
