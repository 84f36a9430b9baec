//! `server` and `client`, with each other and with our programs.

use std::process::Command;

use testkit::clock::unix_seconds;
use testkit::lines::Lines;
use testkit::process::{Process, Signal};
use testkit::server::Server;
use testkit::wait::PATIENCE;

use super::example;
use crate::support::program::client;
use crate::support::server;

/// A running `server`.
struct ExampleServer {
    _process: Process,
    address: String,
    printed: Lines,
}

impl ExampleServer {
    fn start() -> Self {
        let (process, mut printed, _) = Server::spawn(example("server").arg("127.0.0.1:0"));
        let line = printed.next(PATIENCE).expect("an address");
        let address = line.strip_prefix("listening on ").expect("an address");
        Self {
            _process: process,
            address: address.to_owned(),
            printed,
        }
    }

    /// Expects what it prints of an upload and a conversation.
    fn heard_both_streams(&mut self) {
        for (count, line) in [
            (10, "PutStream: received ss"),
            (3, "AllStream: received ssss"),
        ] {
            for _ in 0..count {
                self.printed.wait_for(PATIENCE, |printed| printed == line);
            }
        }
    }
}

/// A running client, and the lines that it prints.
struct Calls(Process, Lines);

impl Calls {
    fn start(client: &mut Command) -> Self {
        let mut client = Process::start(client);
        let printed = client.lines();
        Self(client, printed)
    }

    /// Expects that GetStream receives 11 times, a second apart, that PutStream is answered, and that
    /// AllStream receives.
    fn are_answered(&mut self) {
        let printed = &mut self.1;
        let mut times = Vec::new();
        for _ in 0..11 {
            let line = printed.wait_for_all(PATIENCE, &["GetStream: received "]);
            let time = line.rsplit(' ').next().and_then(|time| time.parse().ok());
            times.push(time.unwrap_or_else(|| panic!("no time: {line}")));
        }
        assert!(times.is_sorted() && times[10] - times[0] >= 10, "{times:?}");
        assert!(unix_seconds().abs_diff(times[10]) < 60, "{times:?}");
        printed.wait_for(PATIENCE, |line| line == "GetStream: ended");
        printed.wait_for(PATIENCE, |line| line == "PutStream: answered 10");
        for _ in 0..3 {
            printed.wait_for(PATIENCE, |line| line == "AllStream: received ssss");
        }
    }
}

/// All pairs at the same time: each takes more than 20 seconds.
#[test]
fn examples_and_our_programs_work_with_each_other() {
    let mut examples = [(); 2].map(|()| ExampleServer::start());
    let mut ours = server::start(&[]);
    let mut calls = [
        Calls::start(example("client").arg(&examples[0].address)),
        Calls::start(&mut client(&examples[1].address, &["demo"])),
        Calls::start(example("client").arg(&ours.address)),
    ];
    for calls in &mut calls {
        calls.are_answered();
    }
    for example in &mut examples {
        example.heard_both_streams();
    }
    let get = ours.log.wait_for_all(PATIENCE, &["GetStream", "ended"]);
    assert!(get.ends_with("1 in, 11 out: OK"), "{get}");
    let put = ours.log.wait_for_all(PATIENCE, &["PutStream", "ended"]);
    assert!(put.ends_with("10 in, 1 out: OK"), "{put}");
    calls[2].0.signal(Signal::TERM);
    ours.log
        .wait_for_all(PATIENCE, &["AllStream", "ended", "CANCELLED"]);
}

#[test]
fn two_example_servers_do_not_share_a_port() {
    let first = ExampleServer::start();
    let mut second = Process::start(example("server").arg(&first.address));
    assert_eq!(second.wait(PATIENCE).code(), Some(1));
}
