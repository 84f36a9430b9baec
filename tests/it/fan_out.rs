//! Many subscribers of one topic.
//!
//! `GREETER_FAN_OUT=100000` in the environment makes the messages as many; without it they are few
//! enough for every run.

use std::sync::mpsc;

use futures::{stream, TryStreamExt};
use greeter_stream::generated::greeter::{StreamReqData, StreamResData};
use greeter_stream::service::{GET_STREAM, PUT_STREAM};
use greeter_stream::stream::{client as calls, Queues, Status};
use grpcio::{ChannelBuilder, RpcStatusCode};

use crate::support::process::Server;
use crate::support::raw::with_metadata;
use crate::support::service::request;

const SUBSCRIBERS: usize = 1_000;
const CONNECTIONS: usize = 10;

/// What the server holds in memory, in KiB.
fn resident(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.process.0.id()));
    let status = status.expect("a process");
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .expect("VmRSS");
    let digits = line.split_whitespace().nth(1).expect("a number");
    digits.parse().expect("a number")
}

#[test]
fn everyone_sees_everything_in_order_or_is_told_where_it_fell_behind() {
    let messages = std::env::var("GREETER_FAN_OUT").map_or(2_000, |n| n.parse().expect("a number"));
    let server = Server::start_quiet(&["--retention-messages", "10000"]);
    let queues = Queues::start("subscribers", 2);
    let connect = |_| {
        let channel = ChannelBuilder::new(queues.env())
            .raw_cfg_int(c"grpc.use_local_subchannel_pool".into(), 1)
            .connect(&server.address);
        grpcio::Client::new(channel)
    };
    let connections: Vec<_> = (0..CONNECTIONS).map(connect).collect();
    let before = resident(&server);

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
    let put = |range: std::ops::Range<u64>| {
        let client = publisher.clone();
        let requests = stream::iter(range.map(|n| Ok::<_, Status>(request(&n.to_string()))));
        calls::run(&publisher, async move {
            let topic = with_metadata(&[("topic", "t")]);
            calls::client_streaming::<StreamReqData, StreamResData, _>(
                &client, PUT_STREAM, requests, topic,
            )
            .await
        })
        .expect("stored")
    };
    put(0..1);
    for _ in 0..SUBSCRIBERS {
        has_begun
            .recv_timeout(crate::support::PATIENCE)
            .expect("everyone sees the first");
    }
    put(1..messages);

    let mut complete = 0;
    for _ in 0..SUBSCRIBERS {
        let end = is_done
            .recv_timeout(crate::support::PATIENCE * 30)
            .expect("everyone ends");
        match end.expect("in order") {
            (_, None) => complete += 1,
            (seen, Some(status)) => {
                assert_eq!(status.code(), RpcStatusCode::OUT_OF_RANGE);
                let told = format!("topic t has no offset {seen}: its earliest is ");
                assert!(status.message().starts_with(&told), "{status} after {seen}");
            }
        }
    }
    assert!(complete > 0, "nobody kept up");
    let grown = resident(&server).saturating_sub(before);
    // 10,000 messages of retention, and the streams themselves: the C core keeps what is on its
    // way of each, up to its write buffer of 64 KiB.
    let limit = 4 * 1024 + SUBSCRIBERS as u64 * 200;
    assert!(grown < limit, "the server grew by {grown} KiB");
    println!(
        "{complete} of {SUBSCRIBERS} saw all {messages} messages; the server grew by {grown} KiB"
    );
}
