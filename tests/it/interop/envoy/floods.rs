//! Floods of calls and frames. Envoy cuts them off before they reach the server.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use grpcio::RpcStatusCode;
use openssl::ssl::SslStream;
use testkit::folder::Folder;
use testkit::http2::{block, code, flag, frame, PREFACE};
use testkit::process::Signal;

use super::{put, H2};
use crate::support::callers::METHODS;
use crate::support::envoy::{files, Edge};
use crate::support::server;

/// How many frames a flood has at most. Every connection ends before.
const FRAMES: u32 = 500_000;

/// How many frames are sent together.
const TOGETHER: u32 = 50;

/// How many connections make each flood of calls, one after the other.
const CONNECTIONS: usize = 3;

/// How many calls of all floods together may reach the server: a hundred of each connection that makes
/// calls. Without a limit hundreds of thousands would.
const CALLS: usize = 100 * (6 * CONNECTIONS + 3);

/// How long a call of another client may take meanwhile. On an idle machine none takes 0.1 s.
const WAIT: Duration = Duration::from_secs(5);

/// A message of gRPC whose text is `a`.
const MESSAGE: &[u8] = b"\0\0\0\0\x03\x0a\x01a";

/// A frame's kind, flags and payload.
type OnStream<'a> = (u8, u8, &'a [u8]);

/// Writes the frames of one round of a flood, given the number of the round.
type Writes<'a> = dyn Fn(&mut Vec<u8>, u32) + 'a;

/// A connection to Envoy after the handshake of HTTP/2.
fn open(edge: &Edge, folder: &Folder) -> SslStream<TcpStream> {
    let mut socket = edge.connect(folder, H2);
    let mut out = PREFACE.to_vec();
    frame::write(&mut out, frame::SETTINGS, 0, 0, &[]);
    frame::write(&mut out, frame::SETTINGS, flag::ACK, 0, &[]);
    socket.write_all(&out).expect("sent");
    socket
}

/// Writes the headers of a call, and then `frames` on its stream.
fn call_with(out: &mut Vec<u8>, stream: u32, frames: &[OnStream<'_>]) {
    let block = block(METHODS[2], &[]);
    frame::write(out, frame::HEADERS, flag::END_HEADERS, stream, &block);
    for (kind, flags, payload) in frames {
        frame::write(out, *kind, *flags, stream, payload);
    }
}

/// Makes a call with metadata that may be malformed; whether a message is answered.
pub(super) fn call(edge: &Edge, folder: &Folder, metadata: &[(&str, &str)]) -> bool {
    let mut socket = open(edge, folder);
    let mut out = Vec::new();
    let block = block(METHODS[1], metadata);
    frame::write(&mut out, frame::HEADERS, flag::END_HEADERS, 1, &block);
    frame::write(&mut out, frame::DATA, flag::END_STREAM, 1, MESSAGE);
    socket.write_all(&out).expect("sent");
    loop {
        let mut header = [0; frame::HEADER_BYTES];
        socket.read_exact(&mut header).expect("a frame");
        let length = u32::from_be_bytes([0, header[0], header[1], header[2]]);
        let mut payload = vec![0; length as usize];
        socket.read_exact(&mut payload).expect("a frame");
        match header[3] {
            frame::DATA => return true,
            frame::HEADERS if header[4] & flag::END_STREAM != 0 => return false,
            frame::RST_STREAM | frame::GOAWAY => return false,
            _ => {}
        }
    }
}

/// Sends what `one` writes, again and again until the connection ends; how many times.
fn flood(edge: &Edge, folder: &Folder, one: &Writes<'_>) -> u32 {
    let mut socket = open(edge, folder);
    let mut out = Vec::new();
    for n in 0..FRAMES {
        one(&mut out, n);
        if n % TOGETHER == TOGETHER - 1 {
            match socket.write_all(&out) {
                Ok(()) => out.clear(),
                Err(e) if e.kind() == ErrorKind::WouldBlock => panic!("neither read nor ended"),
                Err(_) => return n,
            }
        }
    }
    // What was sent last may be in buffers.
    let ended = std::io::copy(&mut socket, &mut std::io::sink());
    let timed_out = ended.is_err_and(|e| e.kind() == ErrorKind::WouldBlock);
    assert!(!timed_out, "not ended after {FRAMES}");
    FRAMES
}

#[test]
fn floods_are_cut_off_before_they_reach_the_server() {
    let (folder, _) = files();
    let server = server::start_quiet(&["--tick-interval", "1h"]);
    let edge = Edge::start(&folder, &server.address, false);
    let cancel = &code::CANCEL.to_be_bytes()[..];
    let message = (frame::DATA, 0, MESSAGE);
    let calls: [(&str, &[OnStream<'_>]); 6] = [
        ("reset", &[(frame::RST_STREAM, 0, cancel)]),
        (
            "reset after a message",
            &[message, (frame::RST_STREAM, 0, cancel)],
        ),
        // These make the other side reset the stream or end the connection.
        (
            "window of 0",
            &[message, (frame::WINDOW_UPDATE, 0, &[0; 4])],
        ),
        (
            "window too large",
            &[message, (frame::WINDOW_UPDATE, 0, &[127, 255, 255, 255])],
        ),
        (
            "data after the end",
            &[(frame::DATA, flag::END_STREAM, MESSAGE), message],
        ),
        ("headers only", &[]),
    ];
    let frames: [(&str, &Writes<'_>); 7] = [
        ("malformed metadata", &|out, n| {
            let block = block(METHODS[2], &[("x-bin", "!!!")]);
            frame::write(out, frame::HEADERS, flag::END_HEADERS, 2 * n + 1, &block);
        }),
        ("ping", &|out, _| {
            frame::write(out, frame::PING, 0, 0, &[0; 8])
        }),
        ("settings", &|out, _| {
            frame::write(out, frame::SETTINGS, 0, 0, &[])
        }),
        ("priority", &|out, n| {
            frame::write(out, frame::PRIORITY, 0, 2 * n + 1, &[0, 0, 0, 0, 1])
        }),
        ("window update", &|out, _| {
            frame::write(out, frame::WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1])
        }),
        ("empty data", &|out, n| match n {
            0 => call_with(out, 1, &[]),
            _ => frame::write(out, frame::DATA, 0, 1, &[]),
        }),
        ("continuation", &|out, n| match n {
            0 => frame::write(out, frame::HEADERS, 0, 1, &block(METHODS[2], &[])),
            _ => frame::write(out, frame::CONTINUATION, 0, 1, b"\0\x01a\x01a"),
        }),
    ];

    let done = AtomicBool::new(false);
    let client = edge.client(&folder);
    let (served, longest) = thread::scope(|scope| {
        let neighbour = scope.spawn(|| {
            let (mut served, mut longest) = (0, Duration::ZERO);
            while !done.load(Ordering::Relaxed) {
                let begun = Instant::now();
                let ended = put(&client, &[]);
                assert_eq!(ended.code(), RpcStatusCode::OK, "{ended}");
                longest = longest.max(begun.elapsed());
                served += 1;
                // So it makes fewer calls in a second than a connection may.
                thread::park_timeout(Duration::from_millis(10));
            }
            (served, longest)
        });
        for (name, frames) in calls {
            let one = |out: &mut Vec<u8>, n: u32| call_with(out, 2 * n + 1, frames);
            for _ in 0..CONNECTIONS {
                println!("{name}: {} sent", flood(&edge, &folder, &one));
            }
        }
        for (name, one) in frames {
            println!("{name}: {} sent", flood(&edge, &folder, one));
        }
        done.store(true, Ordering::Relaxed);
        neighbour.join().expect("every call is served")
    });
    println!("{served} calls of a neighbour, {longest:?} at the longest");
    assert!(longest < WAIT, "{longest:?}");

    server.process.signal(Signal::TERM);
    let log = server.log.rest();
    let started = log.iter().filter(|line| line.ends_with(" started")).count();
    let reached = started - served;
    println!("{reached} calls reached the server");
    assert!(reached <= CALLS, "{reached} calls reached the server");
}
