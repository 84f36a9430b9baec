//! The original Go programs, unchanged, with ours.
//!
//! Their port is fixed. So these tests run one at a time, and that port must be free.

use std::net::TcpListener;
use std::process::Stdio;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};
use testkit::clock::unix_seconds;
use testkit::lines::Lines;
use testkit::process::{command, run, text, Process};
use testkit::wait::{pause, PATIENCE};

use crate::support::go::go;
use crate::support::program::client;
use crate::support::server;

const ORIGINAL_PORT: u16 = 50052;

/// How long a second may take on a busy machine.
const ABOUT_A_SECOND: std::ops::Range<Duration> =
    Duration::from_millis(800)..Duration::from_millis(1800);

/// Reserves the port of the original programs until the guard is dropped. Waits for it: the system may
/// have given it to a connection of another test.
fn the_port() -> MutexGuard<'static, ()> {
    static PORT: Mutex<()> = Mutex::new(());
    let guard = PORT.lock();
    let started = Instant::now();
    while let Err(e) = TcpListener::bind(("127.0.0.1", ORIGINAL_PORT)) {
        let why = "the original programs need port";
        assert!(
            started.elapsed() < 3 * PATIENCE,
            "{why} {ORIGINAL_PORT}: {e}; stop what uses it"
        );
        pause(50);
    }
    guard
}

/// Expects `count` lines for which `wanted` returns true: the first soon, and then one a second.
fn one_a_second(lines: &mut Lines, count: usize, wanted: impl Fn(&str) -> bool) {
    lines.wait_for(PATIENCE, &wanted);
    let mut last = Instant::now();
    for _ in 1..count {
        lines.wait_for(PATIENCE, &wanted);
        let gap = last.elapsed();
        assert!(
            ABOUT_A_SECOND.contains(&gap),
            "{gap:?} between two messages"
        );
        last = Instant::now();
    }
}

/// Whether `text` ends with the present Unix time, alone or as the protobuf text `data:"…"`.
fn is_now(text: &str) -> bool {
    let digits = text
        .trim_end_matches('"')
        .rsplit(|c: char| !c.is_ascii_digit())
        .next();
    let seconds = digits.and_then(|digits| digits.parse::<u64>().ok());
    seconds.is_some_and(|seconds| unix_seconds().abs_diff(seconds) <= 2)
}

#[test]
fn the_original_client_works_against_our_server() {
    let program = go("client");
    let _port = the_port();
    let mut server = server::start_at(&format!("127.0.0.1:{ORIGINAL_PORT}"), &[]);
    let mut original = Process::start(command(program).stdout(Stdio::null()));
    let mut seen = original.error_lines();

    // GetStream: the time, 11 times, and the end a second after the last.
    one_a_second(&mut seen, 11, |line| line.contains("data:") && is_now(line));
    let last = Instant::now();
    seen.wait_for(PATIENCE, |line| line.ends_with("EOF"));
    assert!(ABOUT_A_SECOND.contains(&last.elapsed()));
    server
        .log
        .wait_for_all(PATIENCE, &["GetStream", "1 in, 11 out: OK"]);

    // PutStream: ten messages, one a second, in a call that the original leaves open.
    one_a_second(&mut server.log, 10, |line| {
        line.contains("PutStream") && line.ends_with(": ss")
    });

    // AllStream: messages in both directions.
    one_a_second(&mut seen, 4, |line| line.contains("data:\"ssss\""));
    for n in 1..=4 {
        server
            .log
            .wait_for_all(PATIENCE, &["AllStream", &format!("message {n}: ssss")]);
    }

    original.kill();
    let ends = [(); 2].map(|()| server.log.wait_for_all(PATIENCE, &["ended", "CANCELLED"]));
    assert!(
        ends.iter()
            .any(|end| end.contains("PutStream") && end.contains("10 in")),
        "{ends:?}"
    );
    assert!(ends.iter().any(|end| end.contains("AllStream")), "{ends:?}");
}

#[test]
fn our_client_works_against_the_original_server() {
    let program = go("server");
    let _port = the_port();
    let mut original = Process::start(command(program).stdout(Stdio::null()));
    let mut log = original.error_lines();
    let demo = ["--wait", "demo", "--for", "2500ms"];
    let mut demo = Process::start(&mut client(&format!("127.0.0.1:{ORIGINAL_PORT}"), &demo));
    let mut seen = demo.lines();

    one_a_second(&mut seen, 11, |line| {
        line.starts_with("GetStream: received ") && is_now(line)
    });
    let last = Instant::now();
    seen.wait_for(PATIENCE, |line| line == "GetStream: ended");
    assert!(ABOUT_A_SECOND.contains(&last.elapsed()));

    one_a_second(&mut log, 10, |line| line.contains("data:\"ss\""));
    log.wait_for_all(PATIENCE, &["break, err : EOF"]);
    seen.wait_for_all(PATIENCE, &["PutStream: ended without an answer"]);

    one_a_second(&mut seen, 3, |line| line == "AllStream: received ssss");
    for _ in 0..3 {
        log.wait_for_all(PATIENCE, &["data:\"ssss\""]);
    }
    seen.wait_for(PATIENCE, |line| {
        line == "AllStream: the server still sends; cancelling the call"
    });
    assert_eq!(demo.wait(PATIENCE).code(), Some(0));
}

#[test]
fn a_go_client_that_waits_for_the_answer_of_an_upload_gets_it() {
    let server = server::start(&[]);
    let mut put = command(go("put"));
    put.arg(&server.address).args(["a", "b", "c"]);
    let output = run(&mut put, b"");
    assert_eq!(
        (output.status.code(), text(&output.stdout)),
        (Some(0), "3\n"),
        "{}",
        text(&output.stderr)
    );
}
