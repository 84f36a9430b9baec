//! Clients that go away: their calls end within a second, and an upload that was cut never counts as
//! complete.

use std::io::Write;
use std::net::TcpListener;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use futures::{stream, StreamExt};
use greeter_stream::client::{Client, Config};
use greeter_stream::generated::greeter::{StreamReqData, StreamResData};
use greeter_stream::protocol::GET_STREAM;
use grpcio::{CallOption, RpcStatusCode};
use grpcio_streams::client::{server_streaming, Responses};
use grpcio_streams::{Requests, Status};
use testkit::http2::{frame, Connection, Frame};
use testkit::process::Process;
use testkit::relay::Relay;
use testkit::served::{outcomes, serve};
use testkit::wait::{next, soon, PATIENCE};
use testkit::{helper, raw};

use crate::support::messages::{request, response};
use crate::support::program::client as program;
use crate::support::{client, client_with, server};

const SECOND: Duration = Duration::from_secs(1);
const SUBSCRIBERS: usize = 500;

#[test]
fn five_hundred_idle_subscribers_vanish_and_are_gone_within_a_second() {
    let mut server = server::start(&["--tick-interval", "1h"]);
    let mut subscribers = helper::start(module_path!(), "idle_subscribers", &server.address);
    subscribers
        .lines()
        .wait_for_all(PATIENCE, &["all subscribed"]);
    subscribers.kill();
    let killed = Instant::now();
    for _ in 0..SUBSCRIBERS {
        let left = (killed + SECOND).saturating_duration_since(Instant::now());
        server
            .log
            .wait_for_all(left, &["GetStream", "ended", "1 out: CANCELLED"]);
    }
}

/// Subscribes, prints that it has, and waits to be killed.
#[test]
#[ignore = "a helper process of another test"]
fn idle_subscribers() {
    let client = client_without_timeout(&helper::address());
    let subscribe = |_| client.get("aaa").expect("starts");
    let mut streams: Vec<_> = (0..SUBSCRIBERS).map(subscribe).collect();
    for stream in &mut streams {
        next("first tick", stream);
    }
    println!("all subscribed");
    futures::executor::block_on(streams[0].next());
    unreachable!("the next tick comes in an hour");
}

fn client_without_timeout(address: &str) -> Client {
    let config = Config {
        servers: vec![address.to_owned()],
        ..Config::default()
    };
    client_with(config)
}

#[test]
fn a_conversation_ends_at_once_when_its_client_is_killed() {
    let mut server = server::start(&["--tick-interval", "1h"]);
    let mut talker = Process::start(program(&server.address, &["all"]).stdin(Stdio::piped()));
    let mut stdin = talker.stdin();
    stdin.write_all(b"hello\n").expect("written");
    server
        .log
        .wait_for_all(PATIENCE, &["AllStream", "message 1: hello"]);
    talker.kill();
    server
        .log
        .wait_for_all(SECOND, &["AllStream", "ended", "1 in, 1 out: CANCELLED"]);
}

#[test]
fn an_upload_that_is_cut_is_never_complete() {
    let mut server = server::start(&[]);
    for kill in [false, true] {
        for _ in 0..10 {
            let relay = Relay::to(&server.address);
            let mut upload = program(&relay.address, &["put"]);
            let mut uploader = Process::start(upload.stdin(Stdio::piped()));
            let mut stdin = uploader.stdin();
            stdin.write_all(b"1\n2\n3\n").expect("written");
            server
                .log
                .wait_for_all(PATIENCE, &["PutStream", "message 3: 3"]);
            if kill {
                uploader.kill();
            } else {
                relay.cut();
            }
            let end = server
                .log
                .wait_for_all(SECOND, &["PutStream", "ended", "3 in, 0 out"]);
            assert!(end.contains("CANCELLED: the client is gone"), "{end}");
            if !kill {
                // The client notices as well, although its input is still open.
                let status = uploader.wait(PATIENCE);
                assert_eq!(status.code(), Some(1));
                let mut out = uploader.error_lines();
                out.wait_for_all(PATIENCE, &["greeter-client: UNAVAILABLE"]);
            }
        }
    }
}

#[test]
fn an_answer_to_a_lost_client_is_not_reported_as_ok() {
    let (observer, ended) = outcomes();
    let (arrived, has_arrived) = mpsc::channel();
    let server = serve(2, |service| {
        let put = move |_, requests: Requests<StreamReqData>| {
            let arrived = arrived.clone();
            async move {
                // This handler takes every end, even an error, for a good one.
                let ignore = |_| {
                    let _ = arrived.send(());
                    std::future::ready(())
                };
                requests.for_each(ignore).await;
                Ok(response("complete"))
            }
        };
        service
            .observer(observer)
            .client_streaming("/Greeter/PutStream", put)
    });
    for _ in 0..100 {
        let relay = Relay::to(&server.address);
        let client = client(&relay.address);
        let message = stream::iter([Ok::<_, Status>("1".to_owned())]);
        let calls = client.clone();
        let answer = std::thread::spawn(move || {
            calls
                .clone()
                .run(async move { calls.put(message.chain(stream::pending())).await })
        });
        has_arrived.recv_timeout(PATIENCE).expect("the message");
        relay.cut();
        let outcome = ended.recv_timeout(SECOND).expect("gone within a second");
        assert_eq!(outcome.status.code(), RpcStatusCode::CANCELLED);
        assert_eq!((outcome.received, outcome.sent), (1, 0));
        let answer = answer.join().expect("no panic");
        assert_eq!(
            answer.map_err(|e| e.code()),
            Err(RpcStatusCode::UNAVAILABLE)
        );
    }
}

#[test]
fn a_client_that_drops_its_stream_cancels_the_call() {
    let mut server = server::start(&["--tick-interval", "1h"]);
    let client = client(&server.address);
    let mut ticks = client.get("aaa").expect("starts");
    next("tick", &mut ticks);
    drop(ticks);
    // The server may learn of the end before it learns that the tick was sent.
    server.log.wait_for_all(
        SECOND,
        &["GetStream", " out: CANCELLED: the client is gone"],
    );
}

#[test]
fn a_deadline_ends_the_call_on_both_sides() {
    let mut server = server::start(&["--tick-interval", "1h"]);
    let config = Config {
        servers: vec![server.address.clone()],
        timeout: Some(Duration::from_millis(300)),
        ..Config::default()
    };
    let client = client_with(config);
    let ticks: Vec<_> = soon("end", client.get("aaa").expect("starts").collect());
    assert!(ticks[0].is_ok());
    let status = ticks[1].as_ref().expect_err("the deadline");
    assert_eq!(status.code(), RpcStatusCode::DEADLINE_EXCEEDED);
    // The server's clock for the deadline starts a little later. So it may see the client cancel first.
    let end = server
        .log
        .wait_for_all(SECOND, &["GetStream", "ended", "1 out: "]);
    assert!(
        end.contains("DEADLINE_EXCEEDED") || end.contains("CANCELLED"),
        "{end}"
    );
}

/// A server that resets a call at once with the code CANCEL. The status with which a call with this
/// timeout ends, read after `wait`.
fn reset_call(timeout: Duration, wait: Duration) -> Status {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let server = thread::spawn(move || {
        let mut connection = Connection::accept(&listener).expect("a client");
        let is_call = |frame: &Frame<'_>| frame.kind == frame::HEADERS;
        connection.read_until(PATIENCE, is_call).expect("a call");
        connection.reset(1);
        let left = connection.read_until(PATIENCE, |_| false);
        left.expect_err("the client leaves");
    });
    let client = raw::client(&address);
    let options = CallOption::default().timeout(timeout);
    let call = server_streaming(&client, GET_STREAM, &request("a"), options);
    let mut call: Responses<StreamResData> = call.expect("starts");
    thread::sleep(wait);
    let status = soon("the end", call.next()).expect("a failure");
    drop((call, client));
    server.join().expect("no panic");
    status.expect_err("a failure")
}

/// The C core takes a reset in the millisecond of the deadline for CANCELLED.
#[test]
fn a_call_that_is_reset_and_past_its_deadline_has_exceeded_it() {
    let timeout = Duration::from_millis(300);
    let status = reset_call(timeout, timeout);
    assert_eq!(status.code(), RpcStatusCode::DEADLINE_EXCEEDED, "{status}");
}

#[test]
fn a_call_that_is_reset_before_its_deadline_is_cancelled() {
    let status = reset_call(PATIENCE, Duration::ZERO);
    assert_eq!(status.code(), RpcStatusCode::CANCELLED, "{status}");
}

#[test]
fn a_handler_is_dropped_even_while_its_client_reads_nothing() {
    struct Alive(Arc<AtomicUsize>);
    impl Drop for Alive {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }
    let (observer, ended) = outcomes();
    let alive = Arc::new(AtomicUsize::new(0));
    let handlers = alive.clone();
    let server = serve(1, |service| {
        service
            .observer(observer)
            .duplex("/test/Flood", move |_, requests| {
                handlers.fetch_add(1, Ordering::SeqCst);
                let held = (Alive(handlers.clone()), requests as Requests<StreamReqData>);
                stream::repeat_with(move || {
                    let _held = &held;
                    Ok(response("x".repeat(1000)))
                })
            })
    });
    let client = raw::client(&server.address);
    let method = raw::method("/test/Flood");
    let (sink, mut receiver) = client
        .duplex_streaming(&method, Default::default())
        .expect("starts");
    // The client reads one message. The others fill the flow-control window, and the handler waits.
    next("message", &mut receiver);
    assert_eq!(alive.load(Ordering::SeqCst), 1);
    drop((sink, receiver));
    let outcome = ended.recv_timeout(SECOND).expect("gone within a second");
    assert_eq!(outcome.status.code(), RpcStatusCode::CANCELLED);
    assert_eq!(alive.load(Ordering::SeqCst), 0);
}
