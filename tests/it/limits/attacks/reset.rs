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

/// Opens one stream after the other with what `one` writes, and waits until the server has seen the
/// last; how many streams, and what the server sent by then. The server may end the connection early if
/// there are messages: they exceed the connection's window, which the attacker does not heed (RFC 9113,
/// section 6.9.1).
fn flood(
    address: SocketAddr,
    messages: bool,
    mut one: impl FnMut(&mut Connection, u32),
) -> (u32, Answers) {
    let streams = times(20_000);
    let mut connection = connect_and_acknowledge(address);
    let answers = connection.count().expect("reads");
    let mut opened = 0;
    let sent = (0..streams).try_for_each(|n| {
        one(&mut connection, 2 * n + 1);
        opened += 1;
        match n % TOGETHER {
            0 => connection.send(),
            _ => Ok(()),
        }
    });
    let sent = sent.and_then(|()| connection.finish());
    let answers = answers.join().expect("no panic");
    let lives = sent.is_ok() && answers.finished;
    assert!(lives || messages, "{sent:?} {answers:?}");
    (opened, answers)
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
            let (streams, _) = flood(address, message, |connection, stream| {
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
            let (streams, answers) = flood(address, message, |connection, stream| {
                connection.headers(stream, path, &[]);
                if message {
                    connection.message(stream, 0, MESSAGE);
                }
                connection.write(frame::DATA, flag::PADDED, stream, &[0]);
            });
            let resets = answers.of(frame::RST_STREAM);
            let enough = resets > u64::from(streams) / 4;
            assert!(enough || !answers.finished, "{resets} resets by the server");
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
