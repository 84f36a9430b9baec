//! Floods of frames that cost their sender nothing.

use std::net::SocketAddr;
use std::time::Duration;

use greeter_stream::protocol::PUT_STREAM;
use testkit::http2::{code, flag, frame, Answers, Connection};

use super::{connect_and_acknowledge, survives, survives_unlimited, times};
use crate::support::core::core;

/// How many frames are sent together.
const TOGETHER: u32 = 100;

/// A server that still reads reads something within this time.
const STALLED: Duration = Duration::from_secs(1);

/// A request whose text is `a`.
const MESSAGE: &[u8] = b"\x0a\x01a";

/// A connection with an upload that has begun.
fn with_an_upload(address: SocketAddr) -> Connection {
    let mut connection = connect_and_acknowledge(address);
    connection.headers(1, PUT_STREAM, &[]);
    connection.message(1, 0, MESSAGE);
    connection
}

/// Sends what `one` writes again and again; what the server sent until it had seen the last, or until
/// it ended the connection.
fn flood(connection: Connection, frames: u32, one: impl FnMut(&mut Connection, u32)) -> Answers {
    flood_until(|answers| answers.finished, connection, frames, one)
}

/// The same; what the server sent until that is `enough`, or until it ended the connection.
fn flood_until(
    enough: impl Fn(&Answers) -> bool + Send + 'static,
    mut connection: Connection,
    frames: u32,
    mut one: impl FnMut(&mut Connection, u32),
) -> Answers {
    let answers = connection.count_until(enough).expect("reads");
    for n in 0..frames {
        one(&mut connection, n);
        if n % TOGETHER == 0 && connection.send().is_err() {
            break;
        }
    }
    // The server may have ended the connection.
    let _ = connection.finish();
    answers.join().expect("no panic")
}

#[test]
fn pings_are_told_to_calm_down() {
    let _settled = survives("pings", |address| {
        let ping = |connection: &mut Connection, _| connection.write(frame::PING, 0, 0, &[0; 8]);
        let frames = times(100_000);
        // The server ends the connection once it has nothing to send. As long as pings arrive newer
        // cores may always have an answer.
        let answers = flood_until(|_| false, with_an_upload(address), frames, ping);
        let why = (code::ENHANCE_YOUR_CALM, "too_many_pings".to_owned());
        assert_eq!(answers.goodbye, Some(why));
        assert!(answers.ended, "{answers:?}");
        format!("{} of {frames} answered, GOAWAY", answers.of(frame::PING))
    });
}

/// The server reads each frame and does no more than the specification asks for.
#[test]
fn frames_without_an_effect_are_read_and_forgotten() {
    type One = fn(&mut Connection, u32);
    let cases: [(&str, One); 10] = [
        ("answers to no ping", |c, _| {
            c.write(frame::PING, flag::ACK, 0, &[0; 8]);
        }),
        ("SETTINGS", |c, _| c.write(frame::SETTINGS, 0, 0, &[])),
        ("SETTINGS of the window", |c, n| {
            c.write(frame::SETTINGS, 0, 0, &[0, 4, 0, 0, 0, n as u8]);
        }),
        ("PRIORITY", |c, n| {
            c.write(frame::PRIORITY, 0, 1, &[0, 0, 0, 0, n as u8]);
        }),
        ("PRIORITY of no call", |c, n| {
            c.write(frame::PRIORITY, 0, 2 * n + 3, &[0, 0, 0, 1, 0]);
        }),
        ("WINDOW_UPDATE of the connection", |c, _| {
            c.window_update(0, 1)
        }),
        ("WINDOW_UPDATE", |c, _| c.window_update(1, 1)),
        ("WINDOW_UPDATE of no call", |c, n| {
            c.window_update(2 * n + 3, 1)
        }),
        ("RST_STREAM of no call", |c, n| c.reset(2 * n + 3)),
        ("frames of no known kind", |c, _| c.write(0xfa, 0, 1, &[0])),
    ];
    let of = |(what, one): (_, One)| {
        survives(what, |address| {
            let frames = times(1_000_000);
            let answers = flood(with_an_upload(address), frames, one);
            assert!(answers.finished, "{what}: {answers:?}");
            assert_eq!(answers.goodbye, None, "{what}");
            format!("{frames}, {} acknowledged", answers.of(frame::SETTINGS))
        })
    };
    drop(cases.map(of));
}

/// Some cores end a connection for them. Others read them as those above.
#[test]
fn frames_that_a_core_may_end_the_connection_for() {
    type One = fn(&mut Connection);
    let cases: [(&str, One, bool); 3] = [
        (
            "empty DATA",
            |c| c.write(frame::DATA, 0, 1, &[]),
            core().lives_after_empty_frames,
        ),
        (
            "empty DATA of no call",
            |c| c.write(frame::DATA, 0, 3, &[]),
            core().lives_after_empty_frames,
        ),
        (
            "acknowledged SETTINGS",
            |c| c.acknowledge_settings(),
            core().lives_after_unasked_acknowledgements,
        ),
    ];
    let of = |(what, one, lives): (_, One, bool)| {
        survives(what, |address| {
            let frames = times(1_000_000);
            let answers = flood(with_an_upload(address), frames, |c, _| one(c));
            assert_eq!(answers.finished, lives, "{what}: {answers:?}");
            format!("{frames}, the connection lives on: {lives}")
        })
    };
    drop(cases.map(of));
}

/// The server keeps at most 10,000 answers for a client that does not read, and then stops reading.
#[test]
fn settings_of_a_client_that_does_not_read_are_not_read() {
    let _settled = survives("SETTINGS, not reading", |address| {
        let mut connection = with_an_upload(address);
        connection.limit(STALLED).expect("limited");
        let mut sent = 0;
        let limit = times(4_000_000);
        while sent < limit {
            for _ in 0..TOGETHER {
                connection.write(frame::SETTINGS, 0, 0, &[]);
            }
            if connection.send().is_err() {
                break;
            }
            sent += TOGETHER;
        }
        assert!(sent < limit, "the server reads on");
        format!("{sent} until the server stopped reading")
    });
}

/// The binding itself refuses calls of unknown methods. Each holds about 15 KB until a thread of the
/// binding comes to it; the threads refuse some 30,000 a second. Only the limit of calls at a time
/// limits how many wait.
#[test]
fn calls_of_no_method_are_refused_in_their_turn() {
    let _settled = survives_unlimited("calls of no method", |address| {
        let calls = times(20_000);
        let answers = flood(with_an_upload(address), calls, |connection, n| {
            connection.headers(2 * n + 3, "/Greeter/NoStream", &[]);
            // Messages would exceed the connection's window.
            connection.write(frame::DATA, flag::END_STREAM, 2 * n + 3, &[]);
        });
        assert!(answers.finished, "{answers:?}");
        format!("{calls} calls")
    });
}
