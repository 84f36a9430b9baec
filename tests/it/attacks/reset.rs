//! Streams that end as soon as they have begun: reset by the client (CVE-2023-44487), or by the
//! server, which the client makes do it (CVE-2025-8671).
//!
//! `GREETER_RESETS=1000000` in the environment makes each flood as long; without it they are short
//! enough for every run.

use std::net::SocketAddr;

use greeter_stream::service::{ALL_STREAM, GET_STREAM, PUT_STREAM};

use super::survives;
use crate::support::http2::{flag, frame, Connection, Counts};
use crate::support::process::Server;
use crate::support::PATIENCE;

/// A request whose text is `a`.
const MESSAGE: &[u8] = b"\x0a\x01a";

/// So many streams leave together.
const TOGETHER: u32 = 50;

/// Opens one stream after the other, `one` each, and waits until the server has seen the last; what
/// it sent by then.
fn flood(address: SocketAddr, mut one: impl FnMut(&mut Connection, u32)) -> (u32, Counts) {
    let streams = std::env::var("GREETER_RESETS").map_or(20_000, |n| n.parse().expect("a number"));
    let mut connection = Connection::open(address).expect("connected");
    connection.limit(PATIENCE).expect("limited");
    connection.acknowledge_settings();
    let answers = connection.count().expect("reads");
    for n in 0..streams {
        one(&mut connection, 2 * n + 1);
        if n % TOGETHER == 0 {
            connection.send().expect("the server reads");
        }
    }
    connection.write(frame::PING, 0, 0, &[0; 8]);
    connection.send().expect("the server reads");
    let counts = answers
        .join()
        .expect("no panic")
        .expect("the server answers");
    (streams, counts)
}

/// A call of `path`, with a message if it shall have one; GetStream's is all that it sends.
fn begin(connection: &mut Connection, stream: u32, path: &str, message: bool) {
    connection.headers(stream, path, &[]);
    if message {
        let flags = match path {
            GET_STREAM => flag::END_STREAM,
            _ => 0,
        };
        connection.message(stream, flags, MESSAGE);
    }
}

fn rapid_reset(message: bool) {
    for path in [GET_STREAM, PUT_STREAM, ALL_STREAM] {
        let what = format!("rapid reset of {path}, message: {message}");
        survives(&what, |address| {
            let (streams, _) = flood(address, |connection, stream| {
                begin(connection, stream, path, message);
                connection.reset(stream);
            });
            format!("{streams} resets")
        });
    }
}

#[test]
fn rapid_reset_before_a_message() {
    rapid_reset(false);
}

#[test]
fn rapid_reset_after_a_message() {
    rapid_reset(true);
}

/// The C core takes no padding, and resets the stream.
fn induced_reset(message: bool) {
    for path in [GET_STREAM, PUT_STREAM, ALL_STREAM] {
        let what = format!("induced reset of {path}, message: {message}");
        survives(&what, |address| {
            let (streams, counts) = flood(address, |connection, stream| {
                connection.headers(stream, path, &[]);
                if message {
                    connection.message(stream, 0, MESSAGE);
                }
                connection.write(frame::DATA, flag::PADDED, stream, &[0]);
            });
            let resets = counts[usize::from(frame::RST_STREAM)];
            assert!(
                resets > u64::from(streams) / 4,
                "{resets} resets by the server"
            );
            format!("{streams} streams, {resets} resets by the server")
        });
    }
}

#[test]
fn induced_reset_before_a_message() {
    induced_reset(false);
}

#[test]
fn induced_reset_after_a_message() {
    induced_reset(true);
}

/// It makes other servers reset the stream.
#[test]
fn a_window_update_of_nothing_ends_the_connection() {
    let server = Server::start_quiet(&["--tick-interval", "1h"]);
    for path in [GET_STREAM, PUT_STREAM, ALL_STREAM] {
        let address = server.address.parse().expect("an address");
        let mut connection = Connection::open(address).expect("connected");
        begin(&mut connection, 1, path, true);
        connection.window_update(1, 0);
        let ended = connection.read_until(PATIENCE, |_| false);
        let kind = ended.map_err(|e| e.kind());
        assert_eq!(kind, Err(std::io::ErrorKind::UnexpectedEof), "{path}");
    }
}
