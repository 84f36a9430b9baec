//! The client of grpc-go, with the test service on our adapters.

use std::process::Output;

use testkit::environment::tool;
use testkit::process::{run, text};

use super::certificates::Certificates;
use super::service::serve;
use super::{test_each_case, SOAK_CALLS};

macro_rules! check {
    ($case:ident, $tls:expr) => {
        succeeds(stringify!($case), $tls)
    };
}
test_each_case!(check);

/// The trailers are what the binding cannot send. The client looks at them after the headers, which
/// it has got.
#[test]
fn custom_metadata_lacks_only_the_trailers() {
    let output = run_case("custom_metadata", None);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("Expected exactly one trailer from server. Received 0"),
        "{said}"
    );
}

fn succeeds(case: &str, tls: Option<Certificates>) {
    let output = run_case(case, tls);
    let said = text(&output.stderr);
    assert!(output.status.success(), "{said}");
    // The program logs this at the end of each case.
    let done = |line: &str| line.ends_with(" done");
    assert!(said.lines().any(done), "{said}");
}

fn run_case(case: &str, tls: Option<Certificates>) -> Output {
    let server = serve(tls.as_ref());
    let mut client = tool("GREETER_TEST_INTEROP_CLIENT");
    client.env("GRPC_GO_LOG_SEVERITY_LEVEL", "info");
    let port = server.addresses()[0].port();
    client.args(["--server_host=127.0.0.1", &format!("--server_port={port}")]);
    if let Some(tls) = &tls {
        client.args(["--use_tls", "--use_test_ca", "--ca_file", &tls.ca]);
    }
    // How fast the calls of the soak tests are is not tested here.
    client.args([
        &format!("--soak_iterations={SOAK_CALLS}"),
        "--soak_per_iteration_max_acceptable_latency_ms=20000",
        "--soak_overall_timeout_seconds=20",
    ]);
    run(client.args(["--test_case", case]), b"")
}
