//! Streams that are reset as soon as they have begun: by the client (CVE-2023-44487), or by the server
//! because of what the client sends (CVE-2025-8671).

use std::net::SocketAddr;

use greeter_stream::protocol::{ALL_STREAM, GET_STREAM, PUT_STREAM};
use testkit::http2::{connect, flag, frame, Answers, Connection};
use testkit::wait::PATIENCE;

use super::{connect_and_acknowledge, survives, survives_unlimited, times, Aftermath};
use crate::support::server;

/// A request whose text is `a`.
const MESSAGE: &[u8] = b"\x0a\x01a";

/// The three calls, and one that does not exist, which the binding refuses by itself.
const METHODS: [&str; 4] = [GET_STREAM, PUT_STREAM, ALL_STREAM, "/Greeter/NoStream"];

/// How many streams are sent together.
const TOGETHER: u32 = 50;

/// How many streams a connection has: their messages fit the window of the connection, so that it lives
/// on (RFC 9113, section 6.9.1).
const ON_EACH: u32 = 3_500;

/// Opens one stream after the other with what `one` writes, on one connection after the other. Waits
/// until the server has seen the last stream of each and has reset at least `resets` of them; how many
/// streams, and how many it has reset by then.
fn flood(
    address: SocketAddr,
    resets: u64,
    mut one: impl FnMut(&mut Connection, u32),
) -> (u32, u64) {
    let streams = times(21_000);
    let mut reset = 0;
    for _ in 0..streams / ON_EACH {
        let mut connection = connect_and_acknowledge(address);
        let enough =
            move |answers: &Answers| answers.finished && answers.of(frame::RST_STREAM) >= resets;
        let answers = connection.count_until(enough).expect("reads");
        for n in 0..ON_EACH {
            one(&mut connection, 2 * n + 1);
            if n % TOGETHER == 0 {
                connection.send().expect("the server reads");
            }
        }
        connection.finish().expect("the server reads");
        let answers = answers.join().expect("no panic");
        assert!(enough(&answers), "{answers:?}");
        reset += answers.of(frame::RST_STREAM);
    }
    (streams, reset)
}

/// Begins a call of `path`, with a message or without. The message of GetStream ends its request.
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

fn rapid_reset(message: bool) -> Vec<Aftermath> {
    let of = |path| {
        let what = format!("rapid reset of {path}, message: {message}");
        survives(&what, |address| {
            let (streams, _) = flood(address, 0, |connection, stream| {
                begin(connection, stream, path, message);
                connection.reset(stream);
            });
            format!("{streams} resets")
        })
    };
    METHODS.map(of).into()
}

#[test]
fn rapid_reset_before_a_message() {
    drop(rapid_reset(false));
}

#[test]
fn rapid_reset_after_a_message() {
    drop(rapid_reset(true));
}

/// The C core does not support padding, and resets the stream.
fn induced_reset(message: bool) -> Vec<Aftermath> {
    let of = |path| {
        let what = format!("induced reset of {path}, message: {message}");
        survives_unlimited(&what, |address| {
            let (streams, resets) = flood(address, ON_EACH.into(), |connection, stream| {
                connection.headers(stream, path, &[]);
                if message {
                    connection.message(stream, 0, MESSAGE);
                }
                connection.write(frame::DATA, flag::PADDED, stream, &[0]);
            });
            format!("{streams} streams, {resets} resets by the server")
        })
    };
    METHODS.map(of).into()
}

#[test]
fn induced_reset_before_a_message() {
    drop(induced_reset(false));
}

#[test]
fn induced_reset_after_a_message() {
    drop(induced_reset(true));
}

/// Such a frame makes other servers reset the stream.
#[test]
fn a_window_update_of_nothing_ends_the_connection() {
    let server = server::start_quiet(&["--tick-interval", "1h"]);
    for path in [GET_STREAM, PUT_STREAM, ALL_STREAM] {
        let mut connection = connect(&server.address);
        begin(&mut connection, 1, path, true);
        connection.window_update(1, 0);
        let ended = connection.read_until(PATIENCE, |_| false);
        let kind = ended.map_err(|e| e.kind());
        assert_eq!(kind, Err(std::io::ErrorKind::UnexpectedEof), "{path}");
    }
}
