//! Clients and servers that are gone without a word: each side finds out by its pings.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use futures::StreamExt;
use greeter_stream::client::Config;
use greeter_stream::generated::greeter::StreamResData;
use greeter_stream::service::GET_STREAM;
use grpcio::RpcStatusCode;
use grpcio_streams::client as calls;

use crate::support::lines::Lines;
use crate::support::process::{
    client as program, helper_address, helper_on_a_network, Process, Server,
};
use crate::support::service::request;
use crate::support::wire::{headers, speaking};
use crate::support::{client_with, raw, soon, within, PATIENCE};

const KEEPALIVE: [&str; 4] = ["--keepalive", "1s", "--keepalive-timeout", "1s"];
/// The two, and a second.
const GONE_WITHIN: Duration = Duration::from_secs(3);

/// Clients that listen, each on a connection of its own.
const LISTENERS: usize = 50;

/// A server whose streams are silent after their first message.
fn server(address: &str) -> Server {
    let args = [&KEEPALIVE[..], &["--tick-interval", "1h"]].concat();
    Server::start_at(address, &args)
}

/// A program that listens, and has heard the first message.
fn listener(server: &mut Server, call: &str) -> Process {
    let process = Process::start(
        program(
            &server.address,
            &[call, "a"][..1 + usize::from(call == "get")],
        )
        .stdin(Stdio::piped())
        .stderr(Stdio::null()),
    );
    server
        .log
        .wait_for_all(PATIENCE, &["Stream from", "started"]);
    process
}

fn gone(server: &mut Server, since: Instant, count: usize) {
    for _ in 0..count {
        let left = (since + GONE_WITHIN).saturating_duration_since(Instant::now());
        server
            .log
            .wait_for_all(left, &["Stream from", "ended", "CANCELLED"]);
    }
}

#[test]
fn a_stopped_client_is_gone_and_a_silent_one_is_not() {
    let mut server = server("127.0.0.1:0");
    let mut silent = listener(&mut server, "get");
    for call in ["get", "all", "put"] {
        let stopped = listener(&mut server, call);
        stopped.signal("STOP");
        gone(&mut server, Instant::now(), 1);
    }
    assert!(silent.0.try_wait().expect("wait").is_none());
    server.process.signal("TERM");
    let end = [
        "GetStream",
        "ended",
        "UNAVAILABLE: the server is shutting down",
    ];
    server.log.wait_for_all(PATIENCE, &end);
}

#[test]
fn a_client_that_resets_its_connection_is_gone_at_once() {
    let mut server = server("127.0.0.1:0");
    let mut socket = speaking(&server.address);
    socket.write_all(&headers(1)).expect("sent");
    server.log.wait_for_all(PATIENCE, &["AllStream", "started"]);
    // What it has not read makes the system reset what it closes.
    socket.peek(&mut [0]).expect("something has come");
    drop(socket);
    let reset = Instant::now();
    gone(&mut server, reset, 1);
    assert!(
        reset.elapsed() < Duration::from_secs(1),
        "by its pings only"
    );
}

#[test]
fn clients_whose_packets_are_dropped_are_gone_with_their_memory() {
    let mut network = helper_on_a_network("limits::vanished::dropped_packets", "192.0.2.1");
    let output = Lines::of(network.0.stdout.take().expect("piped"));
    let ended = network.wait(2 * PATIENCE);
    assert!(ended.success(), "{:#?}", output.rest());
}

/// Takes the network away from between a server and its clients.
#[test]
#[ignore = "a helper process of another test"]
fn dropped_packets() {
    let link = |state| {
        let ip = Command::new("ip")
            .args(["link", "set", "lo", state])
            .status();
        assert!(ip.expect("ip runs").success());
    };
    let mut server = server("127.0.0.1:0");
    assert_eq!(helper_address(), "192.0.2.1");
    let listen = |server: &mut Server| {
        let clients: Vec<_> = (0..LISTENERS)
            .map(|_| raw::client(&server.address))
            .collect();
        let listening = clients.iter().map(|client| {
            let ticks = calls::server_streaming::<_, StreamResData>(
                client,
                GET_STREAM,
                &request("a"),
                Default::default(),
            );
            let mut ticks = ticks.expect("starts");
            assert!(matches!(soon("tick", ticks.next()), Some(Ok(_))));
            ticks
        });
        let listening: Vec<_> = listening.collect();
        for _ in 0..LISTENERS {
            server.log.wait_for_all(PATIENCE, &["GetStream", "started"]);
        }
        listening
    };
    let mut memory = Vec::new();
    for _ in 0..3 {
        let listening = listen(&mut server);
        link("down");
        gone(&mut server, Instant::now(), LISTENERS);
        memory.push(server.resident());
        link("up");
        // Its own connections do not outlive it: the clients find theirs reset.
        drop(listening);
    }
    // What the first round took serves the others as well.
    let grown = memory[2].saturating_sub(memory[0]);
    assert!(grown < 4 * 1024, "{memory:?} KiB");
}

#[test]
fn a_server_that_stops_is_noticed_by_its_client() {
    let mut server = server("127.0.0.1:0");
    let client = client_with(Config {
        servers: vec![server.address.clone()],
        keepalive: Some(Duration::ZERO),
        ..Config::default()
    });
    let mut ticks = client.get("a").expect("starts");
    assert!(matches!(soon("tick", ticks.next()), Some(Ok(_))));
    server.log.wait_for_all(PATIENCE, &["GetStream", "started"]);
    server.process.signal("STOP");
    // 10 s of silence, 10 s without an answer, and a second.
    let end = within(Duration::from_secs(21), "end", ticks.next());
    let status = end.expect("a status").expect_err("a failure");
    assert_eq!(status.code(), RpcStatusCode::UNAVAILABLE, "{status}");
    server.process.signal("CONT");
}
