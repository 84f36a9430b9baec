//! Clients that do not send, acknowledge or read what they should.

use std::net::SocketAddr;

use greeter_stream::protocol::{ALL_STREAM, GET_STREAM, PUT_STREAM};
use grpcio::RpcStatusCode;
use testkit::http2::{connect, frame, Connection};
use testkit::wait::PATIENCE;

use super::{
    connect_and_acknowledge, survives, survives_unlimited, survives_with, times, upload,
    WELL_WITHIN,
};
use crate::support::client;

/// Checks that a new client is served at once.
fn served(address: SocketAddr) {
    let took = upload(&client(&address.to_string()));
    assert!(took < WELL_WITHIN, "a new client waited {took:?}");
}

/// Sends what has been written, and waits until the server has seen it.
fn seen(connection: &mut Connection) {
    let answers = connection.count().expect("reads");
    connection.finish().expect("the server reads");
    let answers = answers.join().expect("no panic");
    assert!(answers.finished, "{answers:?}");
}

/// The binding has 1,024 slots for calls that wait for their request. GetStream takes none of them.
#[test]
fn calls_without_a_request_lock_nobody_out() {
    let of = |(connections, calls)| {
        survives_unlimited("calls without a request", |address| {
            let open = |_| {
                let mut connection = connect(address);
                for n in 0..calls {
                    connection.headers(2 * n + 1, GET_STREAM, &[]);
                }
                seen(&mut connection);
                connection
            };
            let mut silent: Vec<_> = (0..connections).map(open).collect();
            served(address);
            let (code, _) = silent[0].status().expect("ended");
            assert_eq!(code, RpcStatusCode::DEADLINE_EXCEEDED);
            format!("{connections} connections with {calls} each")
        })
    };
    drop([(1, 2_100), (21, 100)].map(of));
}

/// A limit in SETTINGS is in force only when the client has acknowledged them.
#[test]
fn ten_thousand_idle_calls_of_a_client_that_does_not_acknowledge_settings() {
    idle_calls(false);
}

#[test]
fn ten_thousand_idle_calls() {
    idle_calls(true);
}

/// Each call holds about 17 KB. Only the limits of the server bound how many there are.
fn idle_calls(acknowledges: bool) {
    let of = |path| {
        let what = format!("idle calls of {path}, SETTINGS acknowledged: {acknowledges}");
        survives_unlimited(&what, |address| {
            // The messages of so many calls fit the window of their connection.
            const TOGETHER: u32 = 2_000;
            let open = |_| {
                let mut connection = connect(address);
                if acknowledges {
                    connection.acknowledge_settings();
                }
                for n in 0..TOGETHER {
                    connection.headers(2 * n + 1, path, &[]);
                    connection.message(2 * n + 1, 0, b"\x0a\x01a");
                }
                seen(&mut connection);
                connection
            };
            let connections = times(10_000) / TOGETHER;
            let idle: Vec<_> = (0..connections).map(open).collect();
            served(address);
            format!("{TOGETHER} calls on each of {} connections", idle.len())
        })
    };
    drop([PUT_STREAM, ALL_STREAM].map(of));
}

/// Each connection holds about 12 KB. The C core ends a connection that sends no SETTINGS within the
/// server's handshake timeout.
#[test]
fn two_thousand_idle_connections() {
    type Open = fn(SocketAddr) -> Connection;
    let kinds: [(&str, Open); 2] = [
        ("never speak", |address| {
            Connection::silent(address).expect("connected")
        }),
        ("say no more than hello", |address| {
            let mut connection = connect_and_acknowledge(address);
            seen(&mut connection);
            connection
        }),
    ];
    let of = |(what, open): (_, Open)| {
        survives(&format!("connections that {what}"), |address| {
            let idle: Vec<_> = (0..2_000).map(|_| open(address)).collect();
            served(address);
            format!("{} connections", idle.len())
        })
    };
    drop(kinds.map(of));
}

/// The window of each call and the C core's write buffer bound what waits for it.
#[test]
fn a_thousand_feeds_at_full_speed_that_are_not_read() {
    let flags = ["--tick-interval", "0s", "--ticks", "0"];
    let aftermath = survives_with(&flags, "feeds that are not read", |address| {
        let open = |_| {
            let mut connection = connect(address);
            for call in 0..100 {
                connection.call(call, GET_STREAM, &[]);
            }
            connection.send().expect("the server reads");
            connection
        };
        let mut stuck: Vec<_> = (0..times(10)).map(open).collect();
        for connection in &mut stuck {
            // The feeds have begun, and nothing more is read.
            let data = connection.read_until(PATIENCE, |frame| frame.kind == frame::DATA);
            data.expect("a message");
        }
        (0..50).for_each(|_| served(address));
        format!("{} connections of 100 feeds", stuck.len())
    });
    let limit = 64 * u64::from(times(1_000));
    let grown = aftermath.peak;
    assert!(grown < limit, "the server grew by {grown} KiB");
}
