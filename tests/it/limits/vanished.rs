//! Clients and servers that vanish without closing their connections. The other side finds out by its
//! pings.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use futures::StreamExt;
use greeter_stream::client::Config;
use greeter_stream::generated::greeter::StreamResData;
use greeter_stream::protocol::{ALL_STREAM, GET_STREAM};
use grpcio::{CallOption, RpcStatusCode};
use grpcio_streams::client as calls;
use testkit::http2::connect;
use testkit::process::{Process, Signal};
use testkit::server::Server;
use testkit::wait::{soon, within, PATIENCE};
use testkit::{helper, raw};

use crate::support::messages::request;
use crate::support::program::client as program;
use crate::support::{client_with, server};

const KEEPALIVE: [&str; 4] = ["--keepalive", "1s", "--keepalive-timeout", "1s"];
/// How soon a client is gone: the two times above, and a second.
const GONE_WITHIN: Duration = Duration::from_secs(3);

/// How many clients listen, each on a connection of its own.
const LISTENERS: usize = 50;

/// A server whose streams are silent after their first message.
fn server(address: &str) -> Server {
    let args = [&KEEPALIVE[..], &["--tick-interval", "1h"]].concat();
    server::start_at(address, &args)
}

/// A `greeter-client` whose call has begun.
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

/// Waits until the calls of `count` clients have ended because the clients are gone.
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
        stopped.signal(Signal::STOP);
        gone(&mut server, Instant::now(), 1);
    }
    assert!(silent.ended().is_none());
    server.process.signal(Signal::TERM);
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
    let mut connection = connect(&server.address);
    connection.headers(1, ALL_STREAM, &[]);
    connection.send().expect("sent");
    server.log.wait_for_all(PATIENCE, &["AllStream", "started"]);
    // The system resets a connection that is closed while something has not been read.
    connection.wait().expect("something has arrived");
    drop(connection);
    let reset = Instant::now();
    gone(&mut server, reset, 1);
    assert!(
        reset.elapsed() < Duration::from_secs(1),
        "by its pings only"
    );
}

#[test]
fn clients_whose_packets_are_dropped_are_gone_with_their_memory() {
    let limit = 2 * PATIENCE;
    helper::run_on_a_network(module_path!(), "dropped_packets", "192.0.2.1", limit);
}

/// Takes down the network between a server and its clients.
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
    assert_eq!(helper::address(), "192.0.2.1");
    let listen = |server: &mut Server| {
        let clients: Vec<_> = (0..LISTENERS)
            .map(|_| raw::client(&server.address))
            .collect();
        let listening = clients.iter().map(|client| {
            let ticks = calls::server_streaming::<_, StreamResData>(
                client,
                GET_STREAM,
                &request("a"),
                CallOption::default(),
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
        // The server has closed the connections: those of the clients are reset.
        drop(listening);
    }
    // The later rounds use the memory that the first has taken.
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
    server.process.signal(Signal::STOP);
    // The client pings after 10 s of silence and waits 10 s for an answer. One second is spare.
    let end = within(Duration::from_secs(21), "end", ticks.next());
    let status = end.expect("a status").expect_err("a failure");
    assert_eq!(status.code(), RpcStatusCode::UNAVAILABLE, "{status}");
    server.process.signal(Signal::CONT);
}
