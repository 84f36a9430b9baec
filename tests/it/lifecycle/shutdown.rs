//! How the server starts and stops: signals, running calls, listeners, and flags that are wrong.

use std::process::Stdio;
use std::time::{Duration, Instant};

use futures::{stream, StreamExt};
use grpcio::{CallOption, RpcStatusCode};
use grpcio_streams::Status;
use testkit::folder::Folder;
use testkit::process::{command, run, text, Process, Signal};
use testkit::raw;
use testkit::relay::Relay;
use testkit::server::Server;
use testkit::wait::{soon, PATIENCE};

use crate::support::callers::{self, call, hash, with_token, METHODS};
use crate::support::client;
use crate::support::server::{self, refused, SERVER};

#[test]
fn running_calls_end_unavailable_and_the_server_exits_0() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut server = server::start(&["--tick-interval", "1h"]);
        let client = client(&server.address);
        let mut ticks = client.get("aaa").expect("starts");
        let mut heard = client
            .all(stream::pending::<Result<String, Status>>())
            .expect("starts");
        assert!(matches!(soon("tick", ticks.next()), Some(Ok(_))));
        assert!(matches!(soon("talk", heard.next()), Some(Ok(_))));
        let put = std::thread::spawn({
            let client = client.clone();
            move || {
                soon(
                    "put",
                    client.put(stream::pending::<Result<String, Status>>()),
                )
            }
        });
        server.log.wait_for_all(PATIENCE, &["PutStream", "started"]);

        server.process.signal(signal);
        let signalled = Instant::now();
        for end in [soon("get", ticks.next()), soon("all", heard.next())] {
            let status = end.expect("a status").expect_err("a failure");
            assert_eq!(status.code(), RpcStatusCode::UNAVAILABLE);
            assert!(
                status.message().starts_with("the server is shutting down"),
                "{status}"
            );
        }
        let status = put.join().expect("no panic").expect_err("a failure");
        assert_eq!(status.code(), RpcStatusCode::UNAVAILABLE);
        assert_eq!(server.process.wait(PATIENCE).code(), Some(0));
        let took = signalled.elapsed();
        assert!(
            took < Duration::from_secs(2),
            "long before its grace of 5 s, not {took:?}"
        );
        let log = server.log.rest();
        assert!(log.last().expect("a log").ends_with("stopped"), "{log:#?}");
    }
}

/// A conversation whose client reads nothing more, so that the status of the call is stuck behind a
/// full flow-control window. The call ends when what this returns is dropped.
fn stuck_conversation(server: &Server) -> impl Sized {
    let relay = Relay::to(&server.address);
    let client = raw::client(&relay.address);
    let method = raw::method("/Greeter/AllStream");
    let call = client.duplex_streaming(&method, CallOption::default());
    let (sink, mut receiver) = call.expect("starts");
    let talk = soon("talk", receiver.next()).expect("a message");
    talk.expect("no error");
    relay.until_quiet();
    (relay, sink, receiver)
}

#[test]
fn a_call_that_cannot_end_is_cancelled_after_the_grace() {
    let mut server = server::start(&["--tick-interval", "0s", "--ticks", "0", "--grace", "300ms"]);
    let stuck = stuck_conversation(&server);
    server.process.signal(Signal::TERM);
    let signalled = Instant::now();
    let cancelled = "not ended within 300ms, and are cancelled";
    server.log.wait_for_all(PATIENCE, &[cancelled]);
    assert_eq!(server.process.wait(PATIENCE).code(), Some(0));
    let took = signalled.elapsed();
    let limit = Duration::from_millis(1300);
    assert!(took < limit, "the grace and a second, not {took:?}");
    drop(stuck);
}

#[test]
fn a_second_signal_stops_at_once() {
    let mut server = server::start(&["--tick-interval", "0s", "--ticks", "0", "--grace", "1h"]);
    let stuck = stuck_conversation(&server);
    server.process.signal(Signal::TERM);
    server.log.wait_for_all(PATIENCE, &["shutting down"]);
    server.process.signal(Signal::TERM);
    assert_eq!(server.process.wait(PATIENCE).code(), Some(1));
    drop(stuck);
}

#[test]
fn a_log_that_nobody_reads_stops_nothing() {
    // Each call logs two lines. Together they are several times as long as a pipe, which has 64 KiB.
    const CALLS: usize = 2_000;
    let mut server = command(SERVER);
    server.args(["--listen", "127.0.0.1:0", "--threads", "1"]);
    server.args(["--ticks", "1", "--tick-interval", "0s"]);
    // Nobody reads its standard error, which is a pipe.
    let mut server = Process::start(&mut server);
    let mut out = server.lines();
    let line = out.wait_for_all(PATIENCE, &["listening on "]);
    let client = client(line.trim_start_matches("listening on "));
    for _ in 0..CALLS {
        let ticks = client.get("a").expect("starts");
        assert_eq!(soon("ticks", ticks.count()), 1);
    }
    server.signal(Signal::TERM);
    assert_eq!(server.wait(PATIENCE).code(), Some(0));
}

#[test]
fn a_second_server_on_the_same_port_refuses_to_start() {
    let first = server::start(&[]);
    for listen in [vec![&*first.address], vec!["127.0.0.1:0", &first.address]] {
        let mut second = command(SERVER);
        for address in listen {
            second.args(["--listen", address]);
        }
        let second = run(&mut second, b"");
        assert_eq!(second.status.code(), Some(1));
        let why = text(&second.stderr);
        let last = why.lines().last().expect("a reason");
        let in_use = format!(
            "greeter-server: cannot listen on {}: Address already in use",
            first.address
        );
        assert!(last.starts_with(&in_use), "{why}");
        assert!(!why.contains("panicked"), "{why}");
        assert_eq!(text(&second.stdout), "");
    }
    // The first server is not affected.
    let ticks = client(&first.address).get("aaa").expect("starts");
    assert!(matches!(
        soon("tick", ticks.take(1).collect::<Vec<_>>())[..],
        [Ok(_)]
    ));
}

#[test]
fn several_listeners_are_served_each() {
    let mut server = command(SERVER);
    server.args(["--listen", "127.0.0.1:0", "--listen", "127.0.0.1:0"]);
    server.args(["--ticks", "1", "--tick-interval", "1ms"]);
    let mut server = Process::start(server.stderr(Stdio::null()));
    let mut out = server.lines();
    for _ in 0..2 {
        let line = out.wait_for_all(PATIENCE, &["listening on 127.0.0.1:"]);
        let address = line.trim_start_matches("listening on ");
        let ticks = client(address).get("aaa").expect("starts");
        assert_eq!(soon("ticks", ticks.count()), 1);
    }
}

#[test]
fn a_wrong_flag_is_explained_and_exits_2() {
    for (flags, why) in [
        (
            &["--listen", "nonsense"][..],
            "give a host and a port, such as 127.0.0.1:50052",
        ),
        (&["--tick-interval", "fast"], "--tick-interval"),
        (&["--threads", "0"], "--threads"),
        (&["--no-such-flag"], "--no-such-flag"),
    ] {
        let (said, code) = refused(flags);
        assert_eq!(code, Some(2), "{flags:?}");
        assert!(
            said.contains(why) && !said.contains("panicked"),
            "{flags:?}: {said}"
        );
    }
}

#[test]
fn a_hangup_reads_the_files_again_and_other_signals_end_nothing() {
    let folder = Folder::new();
    let (ann, bob) = (hash("secret-of-ann"), hash("secret-of-bob"));
    let mut server = callers::server(&folder, &format!("ann {ann}"));
    let client = raw::client(&server.address);
    let reach = |name: &str| {
        let credentials = format!("Bearer secret-of-{name}");
        call(&client, METHODS[0], &with_token(&credentials, None)).code()
    };
    assert_eq!(reach("ann"), RpcStatusCode::OK);
    // The files are the same, and the log says that they were read.
    server.process.signal(Signal::HUP);
    let again = ["reloaded after SIGHUP: ", "tokens"];
    server.log.wait_for_all(PATIENCE, &again);

    folder.write("tokens", format!("bob {bob}"));
    server.process.signal(Signal::HUP);
    server.log.wait_for_all(PATIENCE, &again);
    assert_eq!(reach("ann"), RpcStatusCode::UNAUTHENTICATED);
    assert_eq!(reach("bob"), RpcStatusCode::OK);

    folder.write("tokens", "nonsense");
    server.process.signal(Signal::HUP);
    let refused = ["tokens: line 1: ", "; the previous contents stay in force"];
    server.log.wait_for_all(PATIENCE, &refused);

    for (signal, number) in [(Signal::USR1, "10"), (Signal::USR2, "12")] {
        server.process.signal(signal);
        let said = format!("signal {number} has no meaning here");
        server.log.wait_for_all(PATIENCE, &[&said]);
    }
    assert_eq!(reach("bob"), RpcStatusCode::OK);
    server.process.signal(Signal::TERM);
    assert_eq!(server.process.wait(PATIENCE).code(), Some(0));
}

#[test]
fn every_time_may_be_as_long_as_100_years_and_no_longer() {
    let longest = "36500days";
    let flags = [
        "--tick-interval",
        "--grace",
        "--retention-age",
        "--topic-idle",
    ];
    let args: Vec<_> = flags.iter().flat_map(|flag| [*flag, longest]).collect();
    let mut server = server::start(&args);
    let client = client(&server.address);
    let mut ticks = client.get("a").expect("starts");
    assert!(matches!(soon("tick", ticks.next()), Some(Ok(_))));
    drop(ticks);
    server.process.signal(Signal::TERM);
    assert_eq!(server.process.wait(PATIENCE).code(), Some(0));
    let limits = [
        "--handshake-timeout",
        "--keepalive",
        "--keepalive-timeout",
        "--min-ping-interval",
        "--max-connection-age",
        "--max-connection-age-grace",
    ];
    for flag in flags.iter().chain(&limits) {
        for beyond in ["36501days", "9223372036854775808s", "18446744073709551616s"] {
            let (said, code) = refused(&[flag, beyond]);
            assert_eq!(code, Some(2), "{flag} {beyond}: {said}");
            assert!(said.contains(flag), "{said}");
        }
    }
}
