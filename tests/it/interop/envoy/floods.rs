//! Clients that keep to no rule, which Envoy is there to stop.

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

/// More than any connection lives to send.
const FRAMES: u32 = 500_000;

/// So many leave together.
const TOGETHER: u32 = 50;

/// So many connections make each flood of calls, one after the other.
const CONNECTIONS: usize = 3;

/// How many calls of all floods together may reach the server: a hundred of each connection that
/// begins some. Without a limit it is hundreds of thousands.
const CALLS: usize = 100 * (6 * CONNECTIONS + 3);

/// How long a well-behaved client may wait for a call meanwhile.
const WAIT: Duration = Duration::from_secs(2);

const MESSAGE: &[u8] = b"\0\0\0\0\x03\x0a\x01a";

/// A frame's kind, flags and payload.
type OnStream<'a> = (u8, u8, &'a [u8]);

/// Writes the frames of a flood's round, given its number.
type Writes<'a> = dyn Fn(&mut Vec<u8>, u32) + 'a;

fn write(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    out.extend(&(payload.len() as u32).to_be_bytes()[1..]);
    out.extend([kind, flags]);
    out.extend(stream.to_be_bytes());
    out.extend(payload);
}

fn open(edge: &Edge, folder: &Folder) -> SslStream<TcpStream> {
    let mut socket = edge.connect(folder, H2);
    let mut out = PREFACE.to_vec();
    write(&mut out, frame::SETTINGS, 0, 0, &[]);
    write(&mut out, frame::SETTINGS, flag::ACK, 0, &[]);
    socket.write_all(&out).expect("sent");
    socket
}

/// Headers of a call; then `frames` on its stream.
fn call_with(out: &mut Vec<u8>, stream: u32, frames: &[OnStream<'_>]) {
    let block = block(METHODS[2], &[]);
    write(out, frame::HEADERS, flag::END_HEADERS, stream, &block);
    for (kind, flags, payload) in frames {
        write(out, *kind, *flags, stream, payload);
    }
}

/// Makes a call with metadata that may be malformed; whether a message is the answer.
pub(super) fn call(edge: &Edge, folder: &Folder, metadata: &[(&str, &str)]) -> bool {
    let mut socket = open(edge, folder);
    let mut out = Vec::new();
    let block = block(METHODS[1], metadata);
    write(&mut out, frame::HEADERS, flag::END_HEADERS, 1, &block);
    write(&mut out, frame::DATA, flag::END_STREAM, 1, MESSAGE);
    socket.write_all(&out).expect("sent");
    loop {
        let mut header = [0; 9];
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

/// Sends what `one` writes until the connection ends; how many times.
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
    // What was sent may have gone into buffers only.
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
        // These have the other side reset the stream, or end the connection.
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
            write(out, frame::HEADERS, flag::END_HEADERS, 2 * n + 1, &block);
        }),
        ("ping", &|out, _| write(out, frame::PING, 0, 0, &[0; 8])),
        ("settings", &|out, _| write(out, frame::SETTINGS, 0, 0, &[])),
        ("priority", &|out, n| {
            write(out, frame::PRIORITY, 0, 2 * n + 1, &[0, 0, 0, 0, 1])
        }),
        ("window update", &|out, _| {
            write(out, frame::WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1])
        }),
        ("empty data", &|out, n| match n {
            0 => call_with(out, 1, &[]),
            _ => write(out, frame::DATA, 0, 1, &[]),
        }),
        ("continuation", &|out, n| match n {
            0 => write(out, frame::HEADERS, 0, 1, &block(METHODS[2], &[])),
            _ => write(out, frame::CONTINUATION, 0, 1, b"\0\x01a\x01a"),
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
                // Below what a connection may call in a second.
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
