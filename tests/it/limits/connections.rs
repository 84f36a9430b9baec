//! The limits of connections: how many, how old, how long without a handshake, and how many pings.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::executor::block_on;
use futures::future::{self, select, Either};
use futures::{SinkExt, StreamExt};
use futures_timer::Delay;
use greeter_stream::client::{Client, PublishOptions, SubscribeOptions};
use greeter_stream::protocol::ALL_STREAM;
use grpcio::RpcStatusCode;
use testkit::http2::{code, connect, frame};
use testkit::process::command;
use testkit::server::Server;
use testkit::wait::{soon, PATIENCE};
use topic_log::StartAt;

use crate::support::core::core;
use crate::support::server::{self, SERVER};
use crate::support::{client, topic};

const SECOND: Duration = Duration::from_secs(1);

/// Whether a call has its first message within `limit`.
fn is_served(client: &Client, limit: Duration) -> bool {
    let mut ticks = client.get("a").expect("starts");
    let tick = block_on(select(ticks.next(), Delay::new(limit)));
    matches!(tick, Either::Left((Some(Ok(_)), _)))
}

#[test]
fn beyond_so_many_connections_one_waits() {
    let server = server::start(&["--max-connections", "3"]);
    let mut clients: Vec<_> = (0..3).map(|_| client(&server.address)).collect();
    for client in &clients {
        assert!(is_served(client, PATIENCE));
    }
    let fourth = client(&server.address);
    assert!(!is_served(&fourth, Duration::from_millis(500)));
    drop(clients.pop());
    assert!(is_served(&fourth, 3 * SECOND));
}

#[test]
fn a_server_without_descriptors_is_well_again_once_there_are_some() {
    const FILES: usize = 40;
    let mut shell = command("sh");
    shell.args(["-c", &format!("ulimit -n {FILES} && exec \"$@\""), "sh"]);
    shell.args([SERVER, "--listen", "127.0.0.1:0"]);
    shell.args(["--ticks", "1", "--tick-interval", "0s"]);
    let mut server = Server::start(&mut shell, PATIENCE).expect("a server");
    server
        .log
        .wait_for_all(PATIENCE, &["no more than ", "connections instead of 16000"]);

    let idle: Vec<_> = (0..2 * FILES)
        .map(|_| TcpStream::connect(&server.address).expect("the system accepts"))
        .collect();
    let reached = ["File descriptor limit reached"];
    server.log.wait_for_all(PATIENCE, &reached);
    let client = client(&server.address);
    assert!(!is_served(&client, Duration::from_millis(300)));
    drop(idle);
    assert!(is_served(&client, 4 * SECOND));
    assert_eq!(server.stop(PATIENCE).code(), Some(0));
}

#[test]
fn a_connection_that_does_not_speak_ends() {
    let server = server::start(&["--handshake-timeout", "500ms"]);
    for greeting in [&b""[..], b"PRI * HTTP/2.0\r\n"] {
        let begun = Instant::now();
        let mut silent = TcpStream::connect(&server.address).expect("connects");
        silent.set_read_timeout(Some(PATIENCE)).expect("set");
        silent.write_all(greeting).expect("sent");
        let end = silent.read_to_end(&mut Vec::new());
        let is_over = match end {
            Ok(_) => true,
            Err(e) => e.kind() == ErrorKind::ConnectionReset,
        };
        assert!(is_over, "still open");
        let took = begun.elapsed();
        let about = Duration::from_millis(400)..Duration::from_millis(1500);
        assert!(about.contains(&took), "{took:?}");
    }
}

/// Sends `count` pings; whether the server ends the connection because of them.
fn pings(address: &str, count: usize, pause: Duration) -> bool {
    let mut connection = connect(address);
    for _ in 0..count {
        connection.write(frame::PING, 0, 0, &[1; 8]);
        if connection.send().is_err() {
            break;
        }
        std::thread::park_timeout(pause);
    }
    connection.limit(SECOND).expect("limited");
    let answers = connection.count().expect("reads").join().expect("no panic");
    let calm = (code::ENHANCE_YOUR_CALM, "too_many_pings".to_owned());
    answers.goodbye == Some(calm)
}

#[test]
fn a_client_that_acknowledges_no_settings_may_not_have_more_calls() {
    let mut server = server::start(&["--tick-interval", "1h", "--max-streams", "2"]);
    let mut connection = connect(&server.address);
    for stream in [1, 3] {
        connection.headers(stream, ALL_STREAM, &[]);
        connection.send().expect("sent");
        server.log.wait_for_all(PATIENCE, &["AllStream", "started"]);
    }
    connection.headers(5, ALL_STREAM, &[]);
    connection.send().expect("sent");
    if core().limits_before_settings {
        let mut why = None;
        let reset = connection.read_until(PATIENCE, |frame| {
            why = frame.payload.last().copied();
            frame.kind == frame::RST_STREAM && frame.stream == 5
        });
        reset.expect("a reset");
        assert_eq!(why.map(u32::from), Some(code::ENHANCE_YOUR_CALM));
        return;
    }
    let refused = "RESOURCE_EXHAUSTED: this server runs at most 2 calls of a connection at a time";
    server.log.wait_for_all(PATIENCE, &["AllStream", refused]);
}

#[test]
fn a_client_that_pings_too_often_is_told_to_calm_down() {
    let server = server::start(&["--min-ping-interval", "200ms"]);
    assert!(!pings(&server.address, 3, Duration::ZERO));
    assert!(pings(&server.address, 4, Duration::ZERO));
    assert!(!pings(&server.address, 6, Duration::from_millis(250)));
}

#[test]
fn an_old_connection_ends_and_a_subscriber_goes_on_elsewhere() {
    let flags = [
        "--max-connection-age",
        "300ms",
        "--max-connection-age-grace",
        "300ms",
    ];
    let server =
        server::start(&[&flags[..], &["--ticks", "0", "--tick-interval", "20ms"]].concat());
    let client = client(&server.address);
    let mut ticks = client.get("a").expect("starts");
    let begun = Instant::now();
    let status = loop {
        match soon("tick", ticks.next()).expect("no end") {
            Ok(_) => {}
            Err(status) => break status,
        }
    };
    assert_eq!(status.code(), RpcStatusCode::UNAVAILABLE, "{status}");
    let took = begun.elapsed();
    let about = Duration::from_millis(500)..Duration::from_millis(2000);
    assert!(about.contains(&took), "{took:?}");

    const MESSAGES: usize = 40;
    let lost = Arc::new(AtomicUsize::new(0));
    let count = lost.clone();
    let options = SubscribeOptions {
        start: StartAt::Earliest,
        notice: Box::new(move |_, _| {
            count.fetch_add(1, Ordering::SeqCst);
        }),
        ..SubscribeOptions::default()
    };
    let messages = client.subscribe(topic("t"), options);
    let publishing = async {
        let mut publisher = client.publish(topic("t"), PublishOptions::default());
        for n in 0..MESSAGES {
            publisher.send(n.to_string()).await.expect("stored");
            Delay::new(Duration::from_millis(50)).await;
        }
    };
    let (_, seen) = soon(
        "all",
        future::join(publishing, messages.take(MESSAGES).collect::<Vec<_>>()),
    );
    for (n, message) in seen.into_iter().enumerate() {
        assert_eq!(message.expect("not lost").data, n.to_string());
    }
    assert!(lost.load(Ordering::SeqCst) > 0, "no connection ended");
}
