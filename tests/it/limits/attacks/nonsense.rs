//! Bytes that are no call of gRPC, or no HTTP/2. The server refuses or ignores them, and ends only the
//! call or the connection that they came on.

use std::io::ErrorKind;

use greeter_stream::protocol::PUT_STREAM;
use grpcio::RpcStatusCode;
use testkit::http2::{block, fields, flag, frame, Connection, Frame, PREFACE};
use testkit::server::Server;
use testkit::wait::PATIENCE;

use super::{connect_and_acknowledge, upload};
use crate::support::core::core;
use crate::support::{client, server};

/// A request whose text is `a`.
const MESSAGE: &[u8] = b"\x0a\x01a";

/// The same as a message of gRPC with a compression flag that does not exist.
const UNKNOWN_FLAG: &[u8] = b"\x02\0\0\0\x03\x0a\x01a";

/// A server that must still serve at the end of the test.
struct Target(Server);

impl Target {
    fn start() -> Self {
        Self(server::start_quiet(&["--tick-interval", "1h"]))
    }

    /// A connection on which nothing has been sent.
    fn silent(&self) -> Connection {
        let address = self.0.address.parse().expect("an address");
        let connection = Connection::silent(address).expect("connected");
        connection.limit(PATIENCE).expect("limited");
        connection
    }

    fn connect(&self) -> Connection {
        connect_and_acknowledge(self.0.address.parse().expect("an address"))
    }

    /// The status of a call that `say` makes. The connection must live on.
    fn status(&self, what: &str, say: impl FnOnce(&mut Connection)) -> RpcStatusCode {
        let mut connection = self.connect();
        say(&mut connection);
        let status = connection.status();
        let (code, _) = status.unwrap_or_else(|e| panic!("{what}: {e}"));
        lives(what, connection);
        code
    }

    fn still_serves(self) {
        upload(&client(&self.0.address));
    }
}

/// Checks that a connection lives on.
fn lives(what: &str, mut connection: Connection) {
    let answers = connection.count().expect("reads");
    connection.finish().expect("sent");
    assert!(answers.join().expect("no panic").finished, "{what}");
}

/// Checks that the server ends a connection.
fn ends(what: &str, mut connection: Connection) {
    let ended = connection.read_until(PATIENCE, |_| false);
    let kind = ended.map_err(|e| e.kind()).expect_err("an end");
    let ends = [ErrorKind::UnexpectedEof, ErrorKind::ConnectionReset];
    assert!(ends.contains(&kind), "{what}: {kind:?}");
}

/// The C core chooses the statuses, except UNIMPLEMENTED, which is from the binding.
#[test]
fn headers_that_are_no_call_end_it_alone() {
    const RIGHT: [(&str, &str); 6] = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", PUT_STREAM),
        (":authority", "localhost"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ];
    let target = Target::start();
    let expect = |code: RpcStatusCode, what: &str, block: &[u8]| {
        let status = target.status(what, |connection| {
            connection.header_block(1, block);
            connection.message(1, flag::END_STREAM, MESSAGE);
        });
        assert_eq!(status, code, "{what}");
    };
    let incomplete = |what: &str, block: &[u8]| match core().incomplete {
        Some(code) => expect(code, what, block),
        None => {
            let mut connection = target.connect();
            connection.header_block(1, block);
            let is_reset = |frame: &Frame<'_>| frame.kind == frame::RST_STREAM;
            let reset = connection.read_until(PATIENCE, is_reset);
            reset.unwrap_or_else(|e| panic!("{what}: {e}"));
            lives(what, connection);
        }
    };

    expect(RpcStatusCode::OK, "right", &fields(&RIGHT));
    let without = |name| RIGHT.into_iter().filter(move |header| header.0 != name);
    for name in [":method", ":scheme", ":path", ":authority", "te"] {
        let headers: Vec<_> = without(name).collect();
        incomplete(name, &fields(&headers));
    }
    // It is the first, because pseudo-headers must come before other headers.
    let with = |name, value| {
        let others = without(name);
        fields(
            &std::iter::once((name, value))
                .chain(others)
                .collect::<Vec<_>>(),
        )
    };
    for method in ["GET", "PUT"] {
        incomplete(method, &with(":method", method));
    }
    let (foreign, malformed) = (core().foreign, core().malformed);
    for (name, values, code) in [
        (":method", &["BREW"][..], foreign),
        (":scheme", &["ftp"], foreign),
        ("te", &["gzip"], foreign),
        (
            ":path",
            &[
                "",
                "*",
                "Greeter/PutStream",
                "/Greeter/PutStream/",
                "//Greeter/PutStream",
                "/Greeter/PutStream?a=b",
                "/Greeter/%50utStream",
                "/greeter/putstream",
                "http://localhost/Greeter/PutStream",
            ],
            RpcStatusCode::UNIMPLEMENTED,
        ),
        (
            "content-type",
            &["text/plain", "application/json"],
            core().other_content,
        ),
        // The C core accepts these as gRPC.
        (
            "content-type",
            &["", "application/grpc+json"],
            RpcStatusCode::OK,
        ),
        (":weird", &["1"], malformed),
        ("UPPER", &["1"], malformed),
        ("x-bin", &["!!!"], malformed),
        ("grpc-encoding", &["zip"], malformed),
        ("grpc-timeout", &["x", "-5S"], malformed),
        ("grpc-timeout", &["0n"], RpcStatusCode::DEADLINE_EXCEEDED),
    ] {
        for value in values {
            let what = format!("{name}: {value}");
            expect(code, &what, &with(name, value));
        }
    }
    let headers: Vec<_> = without("content-type").collect();
    expect(RpcStatusCode::OK, "no content-type", &fields(&headers));
    // A string in Huffman's code that has the code for its end in it, which is not allowed.
    let huffman = [0, 0x81, 0xff, 0x84, 0xff, 0xff, 0xff, 0xff];
    let headers = [fields(&RIGHT), huffman.into()].concat();
    expect(malformed, "Huffman", &headers);
    target.still_serves();
}

/// CVE-2024-7246: where a proxy shares the connection, the second call is another client's.
#[test]
fn a_header_behind_a_malformed_one_is_good_for_later_calls_on_the_newer_core() {
    // `x-tenant: blue` with a place in the table of headers, and that place (RFC 7541, sections 6.2.1 and
    // 6.1, and 2.3.3 for the number).
    const ADDED: &[u8] = b"\x40\x08x-tenant\x04blue";
    const FROM_TABLE: &[u8] = &[0x80 | 62];
    let target = Target::start();
    let mut connection = target.connect();
    let malformed = block(PUT_STREAM, &[("x-bin", "!!!")]);
    for (stream, headers, status) in [
        (1, [&malformed[..], ADDED], core().malformed),
        (
            3,
            [&block(PUT_STREAM, &[]), FROM_TABLE],
            core().behind_malformed,
        ),
    ] {
        connection.header_block(stream, &headers.concat());
        connection.message(stream, flag::END_STREAM, MESSAGE);
        assert_eq!(connection.status().expect("a status").0, status, "{stream}");
    }
    target.still_serves();
}

/// The C core gives the binding an empty message for a wrong flag and drops what follows. It drops a
/// message that is cut short at the end without an error. The count in the answer shows that.
#[test]
fn broken_framing_is_seen_in_the_count_alone() {
    let target = Target::start();
    for (what, data, count) in [
        ("whole", &b"\0\0\0\0\x03\x0a\x01a"[..], b'2'),
        ("an unknown flag", UNKNOWN_FLAG, b'2'),
        (
            "an unknown flag, and more",
            &[UNKNOWN_FLAG; 3].concat(),
            b'2',
        ),
        ("a message cut short", b"\0\0\0\0\x03\x0a", b'1'),
        ("a prefix cut short", b"\0\0\0", b'1'),
    ] {
        let mut connection = target.connect();
        connection.headers(1, PUT_STREAM, &[]);
        connection.message(1, 0, MESSAGE);
        connection.write(frame::DATA, flag::END_STREAM, 1, data);
        let mut counted = None;
        let answer = connection.read_until(PATIENCE, |frame| {
            counted = frame.payload.last().copied();
            frame.kind == frame::DATA
        });
        answer.expect("an answer");
        assert_eq!(counted, Some(count), "{what}");
    }
    target.still_serves();
}

#[test]
fn frames_that_are_wrong_end_their_connection() {
    type Say = fn(&mut Connection);
    let target = Target::start();
    let cases: [(&str, Say); 15] = [
        ("SETTINGS cut short", |c| {
            c.write(frame::SETTINGS, 0, 0, &[0; 5])
        }),
        ("SETTINGS of a call", |c| {
            c.write(frame::SETTINGS, 0, 1, &[])
        }),
        ("SETTINGS with an answer's flag", |c| {
            c.write(frame::SETTINGS, flag::ACK, 0, &[0; 6]);
        }),
        ("a window too large", |c| {
            c.write(frame::SETTINGS, 0, 0, &[0, 4, 0xff, 0xff, 0xff, 0xff]);
        }),
        ("frames too small", |c| {
            c.write(frame::SETTINGS, 0, 0, &[0, 5, 0, 0, 0, 0])
        }),
        ("a ping cut short", |c| c.write(frame::PING, 0, 0, &[0; 7])),
        ("RST_STREAM cut short", |c| {
            c.write(frame::RST_STREAM, 0, 1, &[0; 3])
        }),
        ("WINDOW_UPDATE cut short", |c| {
            c.write(frame::WINDOW_UPDATE, 0, 0, &[0; 3])
        }),
        ("GOAWAY cut short", |c| {
            c.write(frame::GOAWAY, 0, 0, &[0; 4])
        }),
        ("CONTINUATION of nothing", |c| {
            c.write(frame::CONTINUATION, 0, 1, &[])
        }),
        ("DATA within headers", |c| {
            c.write(frame::HEADERS, 0, 1, &block(PUT_STREAM, &[]));
            c.write(frame::DATA, 0, 1, &[]);
        }),
        ("headers twice", |c| {
            c.headers(1, PUT_STREAM, &[]);
            c.headers(1, PUT_STREAM, &[]);
        }),
        ("a reference to nothing", |c| {
            c.header_block(1, &[0xff, 0xff, 0x7f])
        }),
        ("an integer without an end", |c| {
            c.header_block(1, &[0xff; 20])
        }),
        ("a header cut short", |c| c.header_block(1, &[0, 5, b'x'])),
    ];
    for (what, say) in cases {
        let mut connection = target.connect();
        say(&mut connection);
        ends(what, connection);
    }
    target.still_serves();
}

#[test]
fn frames_out_of_place_are_ignored() {
    type Say = fn(&mut Connection);
    let target = Target::start();
    let cases: [(&str, Say); 7] = [
        ("headers of no call", |c| c.headers(0, PUT_STREAM, &[])),
        ("headers of a server's call", |c| {
            c.headers(2, PUT_STREAM, &[])
        }),
        ("headers of an older call", |c| {
            c.headers(5, PUT_STREAM, &[]);
            c.headers(3, PUT_STREAM, &[]);
        }),
        ("DATA of no call", |c| c.write(frame::DATA, 0, 0, &[0; 5])),
        ("RST_STREAM of no call", |c| c.reset(0)),
        ("unknown SETTINGS", |c| {
            c.write(frame::SETTINGS, 0, 0, &[0, 99, 0, 0, 0, 0])
        }),
        ("GOAWAY", |c| c.write(frame::GOAWAY, 0, 0, &[0; 8])),
    ];
    for (what, say) in cases {
        let mut connection = target.connect();
        say(&mut connection);
        lives(what, connection);
    }
    target.still_serves();
}

#[test]
fn what_is_no_http2_ends_its_connection() {
    let target = Target::start();
    let cases: [(&str, &[u8]); 6] = [
        ("HTTP/1.1", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        (
            "an upgrade",
            b"GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
        ),
        (
            "TLS",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 and so on, as it may be",
        ),
        ("zeros", &[0; 4096]),
        ("a preface, and rubbish", &[PREFACE, &[0xaa; 100]].concat()),
        (
            "a preface without SETTINGS",
            &[PREFACE, &[0, 0, 8, frame::PING], &[0; 13]].concat(),
        ),
    ];
    for (what, said) in cases {
        let mut connection = target.silent();
        connection.write_bytes(said);
        ends(what, connection);
    }
    // The bytes are the same in every run, and none of them are a preface.
    let mut random = fastrand::Rng::with_seed(1);
    for n in 0..200 {
        let said: Vec<_> = std::iter::repeat_with(|| random.u8(..))
            .take(4096)
            .collect();
        let mut connection = target.silent();
        connection.write_bytes(&said);
        ends(&format!("random bytes {n}"), connection);
        // After a preface they may be a frame that is not complete, so the connection need not end.
        let mut connection = target.silent();
        connection
            .write_bytes(&[PREFACE, &[0, 0, 0, frame::SETTINGS, 0, 0, 0, 0, 0], &said].concat());
        // The server may have ended the connection already.
        let _ = connection.send();
    }
    target.still_serves();
}
