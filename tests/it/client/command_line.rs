//! The commands of `greeter-client`: flags, standard input and output, errors and exit codes.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Stdio;

use futures::stream;
use greeter_stream::generated::greeter::StreamReqData;
use greeter_stream::protocol::GET_STREAM;
use testkit::folder::Folder;
use testkit::ports;
use testkit::process::{command, run, text, Process, Signal};
use testkit::served::serve;
use testkit::wait::PATIENCE;

use crate::support::messages::response;
use crate::support::program::{client, CLIENT};
use crate::support::server::{self, SERVER};

#[test]
fn get_prints_a_message_a_line_as_it_arrives() {
    let server = server::start(&["--ticks", "3", "--tick-interval", "1ms"]);
    let output = run(&mut client(&server.address, &["get", "aaa"]), b"");
    assert!(output.status.success());
    assert_eq!(text(&output.stdout).lines().count(), 3);

    let output = run(
        &mut client(&server.address, &["get", "aaa", "--json", "--count", "2"]),
        b"",
    );
    assert!(output.status.success());
    for line in text(&output.stdout).lines() {
        let json: serde_json::Value = serde_json::from_str(line).expect("JSON");
        assert!(
            json["data"]
                .as_str()
                .is_some_and(|data| data.parse::<u64>().is_ok()),
            "{line}"
        );
    }

    // The first message is printed long before the second arrives.
    let slow = server::start(&["--tick-interval", "1h"]);
    let mut get = Process::start(&mut client(&slow.address, &["get", "aaa"]));
    get.lines().wait_for(PATIENCE, |line| !line.is_empty());
}

#[test]
fn the_programs_say_which_c_core_they_have() {
    let core = if std::env::var("GRPCIO_SYS_USE_PKG_CONFIG").is_ok_and(|value| value == "1") {
        let asked = run(command("pkg-config").args(["--modversion", "grpc"]), b"");
        text(&asked.stdout).trim().to_owned()
    } else {
        let lock = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.lock"));
        let lock = lock.expect("Cargo.lock");
        let (_, binding) = lock
            .split_once("name = \"grpcio-sys\"")
            .expect("the binding");
        let version = binding.lines().nth(1).expect("its version");
        let (_, core) = version.split_once('+').expect("the version of the core");
        core.split('-').next().unwrap_or_default().to_owned()
    };
    let version = format!("{}, on gRPC's C core {core}", env!("CARGO_PKG_VERSION"));
    for (program, name) in [(CLIENT, "greeter-client"), (SERVER, "greeter-server")] {
        let output = run(command(program).arg("--version"), b"");
        assert_eq!(text(&output.stdout), format!("{name} {version}\n"));
    }
    let mut server = server::start(&[]);
    server.log.wait_for(PATIENCE, |line| {
        line.ends_with(&format!("greeter-server {version}"))
    });
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let server = server::start(&["--ticks", "0", "--tick-interval", "0s"]);
    let mut get = Process::start(&mut client(&server.address, &["get", "aaa"]));
    let mut three = [0; 3];
    get.stdout().read_exact(&mut three).expect("output");
    assert_eq!(get.wait(PATIENCE).code(), Some(0));
    let mut said = String::new();
    get.stderr().read_to_string(&mut said).expect("UTF-8");
    assert_eq!(said, "");
}

#[test]
fn put_sends_a_file_or_standard_input_and_prints_the_answer() {
    let mut server = server::start(&[]);
    let folder = Folder::new();
    let file = folder.write("file", "one\n\nthree ß\nfour");
    let output = run(&mut client(&server.address, &["put", &file]), b"");
    assert_eq!(
        (output.status.code(), text(&output.stdout)),
        (Some(0), "4\n")
    );
    assert_eq!(
        text(&output.stderr),
        "",
        "no progress bar without a terminal"
    );
    for message in [
        "message 1: one",
        "message 2: ",
        "message 3: three ß",
        "message 4: four",
    ] {
        server
            .log
            .wait_for(PATIENCE, |line| line.ends_with(message));
    }
    let output = run(&mut client(&server.address, &["put"]), b"a\nb\n");
    assert_eq!(
        (output.status.code(), text(&output.stdout)),
        (Some(0), "2\n")
    );
}

#[test]
fn put_names_the_line_that_cannot_be_sent_and_sends_nothing_after_it() {
    let mut server = server::start(&[]);
    let too_long = [b"ok\n", &vec![b'x'; 4 * 1024 * 1024][..], b"\nafter\n"].concat();
    for (input, why) in [
        (
            &b"ok\nbad \xff\nafter\n"[..],
            "line 2 of standard input is not UTF-8 from its byte 5 on",
        ),
        (
            &too_long,
            "line 2 of standard input is longer than 4194299 bytes",
        ),
    ] {
        let output = run(&mut client(&server.address, &["put"]), input);
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(text(&output.stdout), "");
        let said = text(&output.stderr);
        assert!(
            said.starts_with(&format!("greeter-client: {why}")),
            "{said}"
        );
        assert_eq!(said.lines().count(), 1);
        let end = server.log.wait_for_all(PATIENCE, &["PutStream", "ended"]);
        assert!(end.contains("CANCELLED") && !end.contains(" 2 in"), "{end}");
    }
    let mut put = client(&server.address, &["put", "--topic", "t"]);
    let said = text(&run(&mut put, b"ok\nbad \xff\n").stderr).to_owned();
    let stored =
        "greeter-client: the server has acknowledged at least 1 message before the failure\n";
    assert!(said.starts_with(stored), "{said}");
    let output = run(&mut client(&server.address, &["put", "/no/such/file"]), b"");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("cannot read /no/such/file: No such file"));
}

#[test]
fn put_notices_the_end_of_its_call_while_its_input_is_open() {
    let mut server = server::start(&[]);
    let mut put = Process::start(client(&server.address, &["put"]).stdin(Stdio::piped()));
    let mut stdin = put.stdin();
    stdin.write_all(b"one\n").expect("written");
    server.log.wait_for_all(PATIENCE, &["message 1: one"]);
    server.process.signal(Signal::TERM);
    assert_eq!(put.wait(PATIENCE).code(), Some(1));
    let mut said = put.error_lines();
    said.wait_for_all(
        PATIENCE,
        &["greeter-client: UNAVAILABLE: the server is shutting down"],
    );
}

#[test]
fn all_sends_lines_prints_what_arrives_and_waits_for_the_end() {
    let mut server = server::start(&["--tick-interval", "1ms"]);
    let mut all = Process::start(client(&server.address, &["all"]).stdin(Stdio::piped()));
    let mut stdin = all.stdin();
    let mut heard = all.lines();
    for n in 1..=3 {
        writeln!(stdin, "line {n}").expect("written");
        server
            .log
            .wait_for_all(PATIENCE, &[&format!("message {n}: line {n}")]);
        heard.wait_for(PATIENCE, |line| line == "ssss");
    }
    drop(stdin);
    assert_eq!(all.wait(PATIENCE).code(), Some(0));
    server
        .log
        .wait_for_all(PATIENCE, &["AllStream", "3 in", "out: OK"]);
}

#[test]
fn a_call_that_fails_exits_1_with_its_status_on_one_line() {
    let nobody = ports::free_address();
    let output = run(&mut client(&nobody, &["get", "aaa"]), b"");
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.starts_with("greeter-client: UNAVAILABLE: "), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");

    let slow = server::start(&["--tick-interval", "1h"]);
    let output = run(
        &mut client(&slow.address, &["--timeout", "200ms", "get", "aaa"]),
        b"",
    );
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).starts_with("greeter-client: DEADLINE_EXCEEDED"));
    assert_eq!(
        text(&output.stdout).lines().count(),
        1,
        "what came before is printed"
    );
}

#[test]
fn wait_waits_for_a_server_that_comes_up_later() {
    let address = ports::free_address();
    let mut get = Process::start(&mut client(
        &address,
        &["--wait", "get", "aaa", "--count", "1"],
    ));
    // The client has looked for the server and waits.
    let mut said = get.error_lines();
    said.wait_for(PATIENCE, |line| {
        line.starts_with(&format!("waiting for {address}: "))
    });
    assert!(get.ended().is_none());
    let _server = server::start_at(&address, &[]);
    assert_eq!(get.wait(PATIENCE).code(), Some(0));

    let output = run(
        &mut client("127.0.0.1:1", &["--wait", "--timeout", "300ms", "get", "a"]),
        b"",
    );
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).starts_with("greeter-client: DEADLINE_EXCEEDED"));
}

#[test]
fn wrong_usage_exits_2() {
    for args in [
        &["get"][..],
        &["nonsense"],
        &["--timeout", "soon", "get", "a"],
        &["--keepalive", "9s", "get", "a"],
        &["--max-metadata-bytes", "4294967296", "get", "a"],
        &[],
    ] {
        let output = run(&mut client("127.0.0.1:1", args), b"");
        assert_eq!(output.status.code(), Some(2), "{args:?}");
    }
}

#[test]
fn a_server_that_cannot_be_is_wrong_usage() {
    for server in ["127.0.0.1:99999", "::1:1", "", "localhost"] {
        let output = run(&mut client(server, &["get", "a"]), b"");
        assert_eq!(output.status.code(), Some(2), "{server}");
        assert!(
            text(&output.stderr).contains("such as 127.0.0.1:50052"),
            "{server}"
        );
    }
}

#[test]
fn a_proxy_of_the_environment_is_not_for_this_machine() {
    let server = server::start(&["--ticks", "1", "--tick-interval", "1ms"]);
    let proxy = TcpListener::bind("127.0.0.1:0").expect("a port");
    proxy.set_nonblocking(true).expect("set");
    let proxy_address = format!("http://{}", proxy.local_addr().expect("an address"));
    let port = server.address.rsplit(':').next().expect("a port");
    // A target, and whether the server is there.
    for (target, is_there) in [
        (format!("127.0.0.1:{port}"), true),
        (format!("LOCALHOST:{port}"), true),
        (format!("dns:localhost:{port}"), true),
        (format!("dns:///localhost:{port}"), true),
        (format!("ipv4:127.0.0.1:{port}"), true),
        (format!("ipv6:[::ffff:127.0.0.1]:{port}"), true),
        (format!("ipv6:[::1]:{port}"), false),
        ("unix:/no/such/socket".to_owned(), false),
        ("unix-abstract:no-such-socket".to_owned(), false),
    ] {
        let mut get = client(&target, &["--timeout", "5s", "get", "a"]);
        for variable in ["http_proxy", "https_proxy", "grpc_proxy"] {
            get.env(variable, &proxy_address);
        }
        let output = run(get.env("GREETER_TOKEN", "secret"), b"");
        let said = text(&output.stderr);
        assert_eq!(output.status.success(), is_there, "{target}: {said}");
        // Connecting came before the end of the call.
        let asked = proxy.accept().map(|_| ());
        assert!(asked.is_err(), "{target} goes through the proxy: {said}");
    }
}

#[test]
fn the_end_of_a_terminal_ends_the_input_after_half_a_line_too() {
    let server = server::start(&[]);
    // A person presses Ctrl-D twice after `half` to end the input.
    let put = format!("{CLIENT} --server {} put", server.address);
    let mut script = command("script");
    let script = script.args(["-qec", &put, "/dev/null"]);
    let output = run(script, b"one\nhalf\x04\x04");
    assert_eq!(output.status.code(), Some(0));
    assert!(
        text(&output.stdout).ends_with("2\r\n"),
        "{:?}",
        text(&output.stdout)
    );
}

#[test]
fn demo_does_what_the_original_client_does() {
    let mut server = server::start(&["--ticks", "2", "--tick-interval", "50ms"]);
    let demo = [
        "demo",
        "--interval",
        "20ms",
        "--count",
        "3",
        "--for",
        "200ms",
    ];
    let output = run(&mut client(&server.address, &demo), b"");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let out = text(&output.stdout);
    let count = |line: &str| out.lines().filter(|l| l.starts_with(line)).count();
    assert_eq!(count("GetStream: received "), 2);
    assert_eq!(count("PutStream: sending ss"), 3);
    assert_eq!(count("PutStream: answered 3"), 1);
    assert!(count("AllStream: sending ssss") >= 3, "{out}");
    assert!(count("AllStream: received ssss") >= 2, "{out}");
    assert!(out.ends_with("AllStream: ended\n"), "{out}");
    server.log.wait_for_all(PATIENCE, &["AllStream", "out: OK"]);
}

#[test]
fn output_for_a_terminal_is_escaped() {
    let hostile = serve(1, |service| {
        service.server_streaming(GET_STREAM, |_, _: StreamReqData| {
            stream::iter([Ok(response("\u{1b}]0;owned\u{7}"))])
        })
    });
    // The program `script` of util-linux gives the client a terminal.
    let get = format!("{CLIENT} --server {} get a", hostile.address);
    let output = run(command("script").args(["-qec", &get, "/dev/null"]), b"");
    assert_eq!(text(&output.stdout), "\\u{1b}]0;owned\\u{7}\r\n");
    let raw = run(&mut client(&hostile.address, &["get", "a"]), b"");
    assert_eq!(raw.stdout, b"\x1b]0;owned\x07\n");
}

#[test]
fn completions_are_scripts_that_know_the_flags() {
    for (program, flags) in [
        (SERVER, &["--listen", "--tick-interval"][..]),
        (CLIENT, &["--server", "demo", "--no-follow"]),
    ] {
        for shell in ["bash", "zsh", "fish"] {
            let mut print = command(program);
            print.args(["--completions", shell]);
            // A shell may set this before it asks for completions.
            print.env("GREETER_SERVER", "127.0.0.1:1");
            let output = run(&mut print, b"");
            assert_eq!(output.status.code(), Some(0));
            let script = text(&output.stdout);
            for flag in flags {
                // The script for fish has flags without their dashes.
                let flag = flag.trim_start_matches('-');
                assert!(script.contains(flag), "{shell}: {flag}");
            }
            if shell == "bash" {
                // What bash calls when somebody types `greeter-client get --no-f` and presses Tab.
                let press = "COMP_WORDS=(greeter-client get --no-f); COMP_CWORD=2; \
                    _greeter__client greeter-client --no-f get; echo \"${COMPREPLY[@]}\"";
                let press = if program == CLIENT {
                    press
                } else {
                    "echo --no-follow"
                };
                let input = format!("{script}\n{press}\n");
                let checked = run(&mut command("bash"), input.as_bytes());
                assert_eq!(text(&checked.stderr), "");
                assert_eq!(text(&checked.stdout), "--no-follow\n");
            }
        }
    }
}

#[test]
fn nothing_to_publish_is_told_to_the_server_all_the_same() {
    let put = ["put", "--topic", "t", "--no-resume"];
    let nobody = run(&mut client("127.0.0.1:1", &put), b"");
    assert_eq!(nobody.status.code(), Some(1), "{}", text(&nobody.stdout));
    assert!(text(&nobody.stderr).contains("UNAVAILABLE"));
    let server = server::start(&[]);
    let nothing = run(&mut client(&server.address, &["put", "--topic", "t"]), b"");
    assert_eq!(nothing.status.code(), Some(0));
    let receipt = text(&nothing.stdout);
    assert!(
        receipt.contains(r#""accepted":0"#) && !receipt.contains(r#""epoch":null"#),
        "{receipt}"
    );
}

#[test]
fn a_line_that_is_too_long_with_its_name_is_named() {
    let server = server::start(&[]);
    // A message may have 4 MiB, of which 5 bytes are around the text.
    let longest = 4 * 1024 * 1024 - 5;
    let all = ["all", "--topic", "t", "--name", "ann"];
    let line = |length: usize| "x".repeat(length) + "\n";
    let fits = run(
        &mut client(&server.address, &all),
        line(longest - "ann: ".len()).as_bytes(),
    );
    assert_eq!(fits.status.code(), Some(0), "{}", text(&fits.stderr));
    let too_long = run(
        &mut client(&server.address, &all),
        line(longest - "ann: ".len() + 1).as_bytes(),
    );
    assert_eq!(too_long.status.code(), Some(1));
    let told = "line 1 of standard input is longer than 4194294 bytes";
    assert!(
        text(&too_long.stderr).contains(told),
        "{}",
        text(&too_long.stderr)
    );
}

#[test]
fn a_long_timeout_is_long() {
    let server = server::start(&["--ticks", "1", "--tick-interval", "1ms"]);
    let get = |timeout: &str| {
        let output = run(
            &mut client(&server.address, &["--timeout", timeout, "get", "a"]),
            b"",
        );
        (output.status.code(), text(&output.stderr).to_owned())
    };
    assert_eq!(get("36500days"), (Some(0), String::new()));
    for beyond in ["36501days", "9223372036854775808s"] {
        let (code, said) = get(beyond);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("is longer than 36500days"), "{said}");
    }
    let (code, said) = get("0s");
    assert_eq!(code, Some(1));
    assert!(said.contains("DEADLINE_EXCEEDED"), "{said}");
}
