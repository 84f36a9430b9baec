//! A server whose clock is wrong for a while.

use std::time::Instant;

use testkit::clock::unix_seconds;
use testkit::folder::Folder;
use testkit::moved_clock::MovedClock;
use testkit::process::{run, text};
use testkit::server::Server;
use testkit::wait::{pause, PATIENCE};

use crate::support::program::client;
use crate::support::server;

const YEAR: i64 = 365 * 24 * 3600;

fn put(server: &Server, lines: &str) {
    let put = &["put", "--topic", "t"];
    let output = run(&mut client(&server.address, put), lines.as_bytes());
    assert!(output.status.success(), "{output:?}");
}

/// The messages from there on, separated by blanks.
fn get(server: &Server, from: &str) -> String {
    try_get(server, from).expect("nothing was dropped meanwhile")
}

/// The same. None when messages were dropped before they were read.
fn try_get(server: &Server, from: &str) -> Option<String> {
    let get = &["get", "--topic", "t", "--from", from, "--no-follow"];
    let output = run(&mut client(&server.address, get), b"");
    let read = text(&output.stdout).trim().replace('\n', " ");
    output.status.success().then_some(read)
}

/// Waits until the topic keeps nothing.
fn wait_until_all_is_dropped(server: &Server) {
    let begun = Instant::now();
    while try_get(server, "earliest").is_none_or(|read| !read.is_empty()) {
        assert!(begun.elapsed() < PATIENCE, "it is kept");
        pause(100);
    }
}

/// Waits for the next second of the clock of the machine, and returns it.
fn next_second() -> String {
    let now = unix_seconds();
    while unix_seconds() == now {
        pause(20);
    }
    format!("@{}", now + 1)
}

fn warnings(server: &mut Server) -> usize {
    let jumps = server.log.so_far().iter();
    jumps
        .filter(|line| line.contains("has jumped back"))
        .count()
}

#[test]
fn a_clock_that_was_ahead_for_one_message() {
    let folder = Folder::new();
    let data = folder.path("data");
    for kept in [&[][..], &["--data", &data]] {
        let flags = [&["--retention-age", "12s"], kept].concat();
        let clock = MovedClock::new();
        let mut server = server::start_with_clock(&clock, &flags);
        clock.set(YEAR);
        put(&server, "wrong\n");
        clock.set(0);
        put(&server, "1\n2\n3\n4\n");
        let middle = next_second();
        put(&server, "5\n6\n7\n8\n");
        assert_eq!(get(&server, &middle), "5 6 7 8");
        assert_eq!(get(&server, &format!("@{}", unix_seconds() + 60)), "");
        wait_until_all_is_dropped(&server);
        server
            .log
            .wait_for_all(PATIENCE, &["WARN", "has jumped back by", "Z to "]);
        assert_eq!(warnings(&mut server), 1);
    }
}

#[test]
fn a_clock_that_was_ahead_until_the_server_ended() {
    let folder = Folder::new();
    let data = folder.path("data");
    let flags = ["--retention-age", "12s", "--data", &data];
    let clock = MovedClock::new();
    clock.set(YEAR);
    let mut server = server::start_with_clock(&clock, &flags);
    put(&server, "wrong\n");
    assert!(server.stop(PATIENCE).success());
    clock.set(0);
    let mut server = server::start_with_clock(&clock, &flags);
    server
        .log
        .wait_for_all(PATIENCE, &["WARN", "has jumped back by"]);
    // The server notes it within a second, also while nothing is published.
    for _ in 0..3 {
        next_second();
    }
    assert!(server.stop(PATIENCE).success());
    let mut server = server::start_with_clock(&clock, &flags);
    let middle = next_second();
    assert_eq!(warnings(&mut server), 0, "it was told before");
    put(&server, "1\n2\n");
    assert_eq!(get(&server, "earliest"), "wrong 1 2");
    assert!(server.stop(PATIENCE).success());
    let mut server = server::start_with_clock(&clock, &flags);
    assert_eq!(get(&server, &middle), "1 2");
    wait_until_all_is_dropped(&server);
    assert_eq!(warnings(&mut server), 0);
}
