//! Fairness: calls that share a completion queue all get their turn.

use std::io::{Read, Write};
use std::process::{ChildStdin, ChildStdout, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use testkit::process::Process;
use testkit::server::Server;
use testkit::wait::{next, PATIENCE};

use crate::support::program::client as program;
use crate::support::{client, server};

/// How long a call may take beside a flood. When the handlers did not yield, calls took from one
/// second to more than twelve.
const LIMIT: Duration = Duration::from_secs(1);

/// Makes calls while `moved`, the bytes of the flood, grows.
fn others_are_served(server: &Server, moved: &AtomicU64) {
    let wait_for = |bytes: u64| {
        let started = Instant::now();
        while moved.load(Ordering::SeqCst) < bytes {
            assert!(started.elapsed() < PATIENCE, "there is no flood");
            thread::park_timeout(Duration::from_millis(5));
        }
    };
    wait_for(1_000_000);
    for _ in 0..10 {
        let before = moved.load(Ordering::SeqCst);
        let started = Instant::now();
        // A new connection and a new call each time.
        let mut ticks = client(&server.address).get("a").expect("starts");
        next("tick", &mut ticks);
        let took = started.elapsed();
        assert!(took < LIMIT, "a call took {took:?} beside the flood");
        wait_for(before + 100_000);
    }
}

#[test]
fn floods_out_of_the_server_leave_others_their_turn() {
    let server = server::start_quiet(&["--threads", "1", "--tick-interval", "0s", "--ticks", "0"]);
    let moved = Arc::new(AtomicU64::new(0));
    let start = || Process::start(&mut program(&server.address, &["get", "a"]));
    let mut readers = [start(), start()];
    for reader in &mut readers {
        let mut out: ChildStdout = reader.stdout();
        let moved = moved.clone();
        thread::spawn(move || {
            let mut buffer = vec![0; 64 * 1024];
            while let Ok(n @ 1..) = out.read(&mut buffer) {
                moved.fetch_add(n as u64, Ordering::SeqCst);
            }
        });
    }
    others_are_served(&server, &moved);
}

#[test]
fn floods_into_the_server_leave_others_their_turn() {
    let mut server = server::start_quiet(&["--threads", "1"]);
    let moved = Arc::new(AtomicU64::new(0));
    let start = || Process::start(program(&server.address, &["put"]).stdin(Stdio::piped()));
    let mut writers = [start(), start()];
    for writer in &mut writers {
        let mut input: ChildStdin = writer.stdin();
        let moved = moved.clone();
        thread::spawn(move || {
            let lines = "0123456789\n".repeat(5_000);
            while input.write_all(lines.as_bytes()).is_ok() {
                moved.fetch_add(lines.len() as u64, Ordering::SeqCst);
            }
        });
    }
    others_are_served(&server, &moved);
    drop(writers);
    server
        .log
        .wait_for_all(PATIENCE, &["PutStream", "CANCELLED"]);
}
