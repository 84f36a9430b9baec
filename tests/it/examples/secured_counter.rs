//! `secured_counter` of `grpcio-serve`, with the tools that people have.

use std::process::Command;
use std::time::Duration;

use openssl::sha::sha256;
use testkit::certificates::Certificate;
use testkit::environment::tool;
use testkit::folder::Folder;
use testkit::process::{run, text, Process};
use testkit::server::Server;
use testkit::wait::PATIENCE;

use super::example;

const COUNTER: &str = "example.Counter";
const COUNT_TO: &str = "example.Counter/CountTo";

/// The example with its files, for two callers: `full` may call every method, `none` may call no
/// method.
struct Example {
    server: Server,
    folder: Folder,
}

impl Example {
    fn start() -> Self {
        let folder = Folder::new();
        let ca = Certificate::ca("ca");
        folder.write("ca.crt", ca.pem());
        folder.write_pair("server", &ca.sign_server("one"));
        let hash = |token: &str| -> String {
            let bytes = sha256(token.as_bytes());
            bytes.iter().map(|byte| format!("{byte:02x}")).collect()
        };
        let (full, none) = (hash("full"), hash("none"));
        let callers = format!("full {full} call:{COUNTER}/*\nnone {none}\n");
        folder.write("callers", callers);
        let mut command = example("secured_counter");
        command.arg("127.0.0.1:0").current_dir(&folder);
        let server = Server::start(&mut command, PATIENCE);
        let server = server.unwrap_or_else(|refusal| panic!("{refusal}"));
        Self { server, folder }
    }

    /// grpcurl with a token, or without one where it is empty.
    fn grpcurl(&self, token: &str, flags: &[&str], args: &[&str]) -> Command {
        let mut grpcurl = tool("GREETER_TEST_GRPCURL");
        grpcurl.args(["-cacert", &self.folder.path("ca.crt")]);
        if !token.is_empty() {
            grpcurl.args(["-H", &format!("authorization: Bearer {token}")]);
        }
        grpcurl.args(flags).arg(&self.server.address).args(args);
        grpcurl
    }

    /// Runs grpc-health-probe; its exit code, and what it prints.
    fn probe(&self, service: &str) -> (Option<i32>, String) {
        let mut probe = tool("GREETER_TEST_HEALTH_PROBE");
        probe.args(["-addr", &self.server.address, "-service", service]);
        probe.args(["-tls", "-tls-ca-cert", &self.folder.path("ca.crt")]);
        result(&mut probe)
    }
}

/// Runs a program; its exit code, and what it prints.
fn result(program: &mut Command) -> (Option<i32>, String) {
    let output = run(program, b"");
    let printed = text(&output.stdout).to_owned() + text(&output.stderr);
    (output.status.code(), printed)
}

#[test]
fn grpcurl_lists_describes_and_calls_it() {
    let example = Example::start();
    let (code, services) = result(&mut example.grpcurl("none", &[], &["list"]));
    assert_eq!(code, Some(0), "{services}");
    assert!(services.lines().any(|line| line == COUNTER), "{services}");
    let (code, service) = result(&mut example.grpcurl("none", &[], &["describe", COUNTER]));
    assert_eq!(code, Some(0), "{service}");
    let method = "rpc CountTo ( .google.protobuf.Int64Value ) returns \
                  ( stream .google.protobuf.Int64Value );";
    assert!(service.contains(method), "{service}");

    let called = result(&mut example.grpcurl("full", &["-d", "3"], &[COUNT_TO]));
    assert_eq!(called, (Some(0), "\"1\"\n\"2\"\n\"3\"\n".to_owned()));
}

#[test]
fn a_caller_needs_a_token_and_a_right() {
    let example = Example::start();
    let (_, said) = result(&mut example.grpcurl("none", &["-d", "3"], &[COUNT_TO]));
    let right = format!("the right to call method {COUNT_TO}, which none does not have");
    assert!(said.contains("Code: PermissionDenied"), "{said}");
    assert!(said.contains(&right), "{said}");
    for token in ["", "other"] {
        let (code, said) = result(&mut example.grpcurl(token, &[], &["list"]));
        assert_ne!(code, Some(0), "{said}");
        assert!(said.contains("Unauthenticated"), "{said}");
    }
}

#[test]
fn the_health_probe_needs_no_token() {
    let example = Example::start();
    for service in ["", COUNTER] {
        let healthy = (Some(0), "status: SERVING\n".to_owned());
        assert_eq!(example.probe(service), healthy);
    }
    let (code, said) = example.probe("example.Other");
    assert_eq!(code, Some(3), "{said}");
}

#[test]
fn a_signal_drains_it() {
    let mut example = Example::start();
    let count = ["-d", "9223372036854775806"];
    let mut call = Process::start(&mut example.grpcurl("full", &count, &[COUNT_TO]));
    let (mut numbers, mut said) = (call.lines(), call.error_lines());
    assert_eq!(numbers.next(PATIENCE).as_deref(), Some("\"1\""));

    let status = example.server.stop(Duration::from_secs(10));
    assert_eq!(status.code(), Some(0));
    said.wait_for_all(PATIENCE, &["Code: Unavailable"]);
    said.wait_for_all(PATIENCE, &["the server is shutting down"]);
}
