//! `grpc.health.v1`: the health that balancers and orchestrators ask for.

use std::time::{Duration, Instant};

use futures::{FutureExt, StreamExt};
use grpcio::{CallOption, RpcStatusCode};
use grpcio_serve::generated::grpc_health_v1::health_check_response::ServingStatus;
use grpcio_serve::generated::grpc_health_v1::{HealthCheckRequest, HealthCheckResponse};
use grpcio_streams::client::{server_streaming, Responses};
use grpcio_streams::Status;
use testkit::environment::tool;
use testkit::process::{run, text, Signal};
use testkit::raw::{self, unary};
use testkit::wait::soon;

use crate::support::{client, server};

fn request(service: &str) -> HealthCheckRequest {
    HealthCheckRequest {
        service: service.to_owned(),
        ..Default::default()
    }
}

/// Asks for the health of a service.
fn check(client: &grpcio::Client, service: &str) -> Result<ServingStatus, Status> {
    let path = "/grpc.health.v1.Health/Check";
    let response: HealthCheckResponse = unary(client, path, request(service))?;
    Ok(response.status.enum_value().expect("a known status"))
}

/// Watches the health of a service.
struct Watch(Responses<HealthCheckResponse>);

impl Watch {
    fn start(client: &grpcio::Client, service: &str) -> Self {
        let path = "/grpc.health.v1.Health/Watch";
        let call = server_streaming(client, path, &request(service), CallOption::default());
        Self(call.expect("starts"))
    }

    fn next(&mut self) -> Result<ServingStatus, RpcStatusCode> {
        let next = soon("a status", self.0.next()).expect("not ended with OK");
        let response = next.map_err(|status| status.code())?;
        Ok(response.status.enum_value().expect("a known status"))
    }
}

#[test]
fn every_service_is_serving_and_a_stranger_is_not_found() {
    let server = server::start(&["--channelz"]);
    let client = raw::client(&server.address);
    for service in [
        "",
        "Greeter",
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
        "grpc.channelz.v1.Channelz",
    ] {
        assert_eq!(
            check(&client, service),
            Ok(ServingStatus::SERVING),
            "{service}"
        );
    }
    for stranger in ["greeter", "Greeter.GetStream", "grpc.health.v1", "*"] {
        let status = check(&client, stranger).expect_err(stranger);
        assert_eq!(
            status.code(),
            RpcStatusCode::NOT_FOUND,
            "{stranger}: {status}"
        );
    }
}

#[test]
fn a_watch_is_told_of_the_drain_before_it_ends() {
    const WATCHES: usize = 200;
    let mut server = server::start(&["--tick-interval", "1h"]);
    let health = raw::client(&server.address);
    let mut watches: Vec<_> = (0..WATCHES)
        .map(|n| Watch::start(&health, ["", "Greeter"][n % 2]))
        .collect();
    let mut stranger = Watch::start(&health, "greeter");
    for watch in &mut watches {
        assert_eq!(watch.next(), Ok(ServingStatus::SERVING));
    }
    assert_eq!(stranger.next(), Ok(ServingStatus::SERVICE_UNKNOWN));
    let mut ticks = client(&server.address).get("aaa").expect("starts");
    assert!(matches!(soon("tick", ticks.next()), Some(Ok(_))));
    for watch in watches.iter_mut().chain([&mut stranger]) {
        assert!(
            watch.0.next().now_or_never().is_none(),
            "nothing has changed"
        );
    }

    server.process.signal(Signal::TERM);
    let signalled = Instant::now();
    for watch in &mut watches {
        assert_eq!(watch.next(), Ok(ServingStatus::NOT_SERVING));
        assert_eq!(watch.next(), Err(RpcStatusCode::UNAVAILABLE));
    }
    assert_eq!(stranger.next(), Err(RpcStatusCode::UNAVAILABLE));
    assert!(matches!(soon("end", ticks.next()), Some(Err(_))));
    assert_eq!(server.process.wait(Duration::from_secs(5)).code(), Some(0));
    let took = signalled.elapsed();
    assert!(
        took < Duration::from_secs(2),
        "long before its grace of 5 s, not {took:?}"
    );
}

#[test]
fn checks_do_not_fill_the_log() {
    let server = server::start_quiet(&["--ticks", "1", "--tick-interval", "0s"]);
    let health = raw::client(&server.address);
    assert_eq!(check(&health, ""), Ok(ServingStatus::SERVING));
    let mut watch = Watch::start(&health, "");
    assert_eq!(watch.next(), Ok(ServingStatus::SERVING));
    server.process.signal(Signal::TERM);
    let log = server.log.rest();
    assert!(log.iter().any(|line| line.ends_with("stopped")), "{log:#?}");
    assert!(
        !log.iter().any(|line| line.contains("grpc.health")),
        "{log:#?}"
    );
}

#[test]
fn grpc_health_probe_understands_it() {
    let mut server = server::start(&[]);
    let probe = |address: &str, service: &str| {
        let mut probe = tool("GREETER_TEST_HEALTH_PROBE");
        let output = run(probe.args(["-addr", address, "-service", service]), b"");
        let said = text(&output.stdout).to_owned() + text(&output.stderr);
        (output.status.code(), said)
    };
    for service in ["", "Greeter"] {
        let healthy = (Some(0), "status: SERVING\n".to_owned());
        assert_eq!(probe(&server.address, service), healthy);
    }
    let (code, said) = probe(&server.address, "greeter");
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("code = NotFound"), "{said}");

    server.process.signal(Signal::TERM);
    assert_eq!(server.process.wait(Duration::from_secs(5)).code(), Some(0));
    let (code, said) = probe(&server.address, "");
    assert_eq!(code, Some(2), "{said}");
}
