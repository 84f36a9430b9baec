//! Servers that cannot be reached, not yet or not any more: what the client says, how long it waits,
//! and how people write addresses.

use std::io::Write;
use std::process::Stdio;
use std::time::{Duration, Instant};

use testkit::certificates::Certificate;
use testkit::folder::Folder;
use testkit::ports;
use testkit::process::{command, run, text, Process};
use testkit::wait::PATIENCE;

use crate::support::program::{client, CLIENT};
use crate::support::{secured, server};

/// Every command, as it is called when no server is there.
const COMMANDS: [&[&str]; 7] = [
    &["get", "a"],
    &["put"],
    &["all"],
    &["demo"],
    &["bench", "put"],
    &["get", "--topic", "t"],
    &["put", "--topic", "t"],
];

#[test]
fn a_command_that_waits_says_why_and_that_the_server_was_never_reached() {
    let folder = Folder::new();
    let ca = Certificate::ca("ca");
    let tls = secured::server(&folder, &ca, false);
    let plain = server::start_quiet(&[]);
    let nobody = ports::free_address();
    let refused = "nothing listens at this address";
    let cases = [
        (&*nobody, &[][..], refused),
        (&tls.address, &[], "use --tls"),
        (
            &plain.address,
            &["--tls"],
            "the server does not speak TLS; leave out --tls",
        ),
        (
            "no.such.invalid:1",
            &[],
            "the name of the server is not found",
        ),
    ];
    let said = |address: &str, flags: &[&str], timeout: &str, command: &[&str]| {
        let wait = ["--wait", "--timeout", timeout];
        let args = [&wait[..], flags, command].concat();
        let output = run(&mut client(address, &args), b"");
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        text(&output.stderr).to_owned()
    };
    let never = |address: &str, why: &str, line: &str| {
        let begin = "greeter-client: DEADLINE_EXCEEDED: the server was never reached: ";
        assert!(line.starts_with(begin) && line.contains(why), "{line}");
        assert!(line.ends_with(&format!(" (server {address})")), "{line}");
    };
    for (address, flags, why) in cases {
        let said = said(address, flags, "3s", &["get", "a"]);
        let [waiting, end] = said.lines().collect::<Vec<_>>()[..] else {
            panic!("{said}");
        };
        assert!(
            waiting.starts_with(&format!("waiting for {address}: ")),
            "{waiting}"
        );
        assert!(waiting.contains(why), "{waiting}");
        never(address, why, end);
    }
    for command in COMMANDS {
        let said = said(&nobody, &[], "300ms", command);
        never(&nobody, refused, said.trim_end());
    }
}

#[test]
fn a_reason_that_changes_is_told_again() {
    let folder = Folder::new();
    let (certificate, key) = folder.write_pair("server", &Certificate::ca("ca").sign_server("one"));
    let address = ports::free_address();
    let mut get = Process::start(&mut client(
        &address,
        &["--wait", "get", "a", "--count", "1"],
    ));
    let mut said = get.error_lines();
    said.wait_for_all(PATIENCE, &["waiting for", "nothing listens"]);
    let secured = server::start_at(&address, &["--tls-cert", &certificate, "--tls-key", &key]);
    said.wait_for_all(PATIENCE, &["waiting for", "use --tls"]);
    drop(secured);
    let _plain = server::start_at(&address, &[]);
    assert_eq!(get.wait(PATIENCE).code(), Some(0));
}

#[test]
fn a_deadline_of_a_server_that_was_reached_is_no_more_than_that() {
    let server = server::start_quiet(&["--tick-interval", "1h"]);
    let args = ["--wait", "--timeout", "300ms", "get", "a"];
    let output = run(&mut client(&server.address, &args), b"");
    let said = text(&output.stderr);
    assert!(
        said.starts_with("greeter-client: DEADLINE_EXCEEDED: Deadline Exceeded"),
        "{said}"
    );
}

#[test]
fn a_first_connection_that_fails_is_like_a_lost_one() {
    let address = ports::free_address();
    let start = |args: &[&str], input: &str| {
        let mut process = Process::start(client(&address, args).stdin(Stdio::piped()));
        let (mut said, mut stdin) = (process.error_lines(), process.stdin());
        stdin.write_all(input.as_bytes()).expect("written");
        // The notice comes at once and again.
        for _ in 0..2 {
            let notice = said.next(PATIENCE).expect("a notice");
            let why = format!(
                "greeter-client: UNAVAILABLE: nothing listens at this address: the connection was \
                 refused (server {address}); trying again in "
            );
            assert!(notice.starts_with(&why), "{notice}");
        }
        (process, stdin)
    };
    let (mut put, publishing) = start(&["put", "--topic", "t"], "early\n");
    let from = ["--topic", "t", "--from", "earliest"];
    let (mut get, _stdin) = start(&[&["get", "--count", "1"][..], &from].concat(), "");
    let (mut all, talking) = start(&[&["all"][..], &from].concat(), "");
    let _server = server::start_at(&address, &[]);
    let (mut got, mut heard, mut receipt) = (get.lines(), all.lines(), put.lines());
    assert_eq!(got.next(PATIENCE).as_deref(), Some("early"));
    assert_eq!(heard.next(PATIENCE).as_deref(), Some("early"));
    drop((publishing, talking));
    receipt.wait_for_all(PATIENCE, &[r#""accepted":1"#]);
    for process in [&mut put, &mut get, &mut all] {
        assert_eq!(process.wait(PATIENCE).code(), Some(0));
    }
}

#[test]
fn without_resuming_the_first_failure_is_the_end_and_a_timeout_ends_the_tries() {
    let nobody = ports::free_address();
    for command in ["get", "put", "all"] {
        let topic = [command, "--topic", "t"];
        let run = |more: &[&str]| {
            let output = run(&mut client(&nobody, &[&topic[..], more].concat()), b"");
            assert_eq!(output.status.code(), Some(1));
            text(&output.stderr).to_owned()
        };
        let said = run(&["--no-resume"]);
        let end = format!(
            "greeter-client: UNAVAILABLE: nothing listens at this address: the connection was refused \
             (server {nobody})\n"
        );
        assert_eq!(said, end);
        let begun = Instant::now();
        let said = run(&["--timeout", "700ms"]);
        assert!(begun.elapsed() >= Duration::from_millis(700), "{said}");
        assert!(said.lines().count() > 1 && said.ends_with(&end), "{said}");
    }
}

#[test]
fn a_topic_that_nobody_has_written_to_is_told() {
    let server = server::start_quiet(&[]);
    let get = |topic: &str, more: &[&str]| {
        let get = ["get", "--topic", topic, "--no-follow"];
        let output = run(
            &mut client(&server.address, &[&get[..], more].concat()),
            b"",
        );
        let [out, said] = [&output.stdout, &output.stderr].map(|bytes| text(bytes).to_owned());
        (out, said, output.status.code())
    };
    let told = "greeter-client: topic typo is new: nobody has written to it\n";
    for more in [
        &[][..],
        &["--from", "earliest"],
        &["--from", "-5"],
        &["--from", "0"],
        &["--from", "@0"],
        &["--count", "3"],
    ] {
        assert_eq!(
            get("typo", more),
            (String::new(), told.to_owned(), Some(0)),
            "{more:?}"
        );
    }
    let put = run(
        &mut client(&server.address, &["put", "--topic", "t"]),
        b"a\n",
    );
    assert!(put.status.success());
    // At the end of a topic with messages there is nothing to tell.
    for more in [&[][..], &["--from", "@99999999999"]] {
        assert_eq!(
            get("t", more),
            (String::new(), String::new(), Some(0)),
            "{more:?}"
        );
    }
    assert_eq!(get("t", &["--from", "0"]).0, "a\n");
}

#[test]
fn a_port_alone_is_this_machine_and_an_empty_variable_is_not_set() {
    let server = server::start_quiet(&["--ticks", "1", "--tick-interval", "1ms"]);
    let port = server.address.rsplit(':').next().expect("a port");
    let own = format!(":{port}");
    let output = run(
        client(&own, &["get", "a"]).env("GREETER_TOKEN", "secret"),
        b"",
    );
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));

    let get = |variable: &str, args: &[&str]| {
        let mut get = command(CLIENT);
        get.args(args).args(["get", "a"]).env_remove("RUST_LOG");
        let output = run(get.env("GREETER_SERVER", variable), b"");
        (output.status.code(), text(&output.stderr).to_owned())
    };
    assert_eq!(get(&server.address, &[]), (Some(0), String::new()));
    assert_eq!(get(&own, &[]), (Some(0), String::new()));
    // The default server is not there, or is one that somebody else runs.
    let (code, said) = get("", &["--timeout", "1ns"]);
    assert!(
        code == Some(1) && said.contains("(server 127.0.0.1:50052)"),
        "{said}"
    );
    let (code, said) = get("a:1,", &[]);
    assert!(code == Some(2) && said.contains("GREETER_SERVER"), "{said}");
    // A wrong variable does not matter beside the flag.
    assert_eq!(get("a:1,", &["--server", &server.address]).0, Some(0));
}

#[test]
fn a_scheme_that_is_not_of_grpc_gets_the_address_without_it() {
    for (address, remedy) in [
        ("grpc://a.b:50052", "give a.b:50052"),
        ("https://a.b:1/x", "give a.b:1, and use TLS"),
        ("a.b:50052/", "give a.b:50052"),
    ] {
        let output = run(&mut client(address, &["get", "a"]), b"");
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2));
        assert!(said.contains(remedy), "{said}");
    }
}
