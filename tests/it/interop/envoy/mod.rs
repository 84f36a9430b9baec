//! The server behind Envoy with `deploy/envoy.yaml`: calls, tokens, health checks and gRPC-Web get
//! through, and what Envoy shall stop does not.

mod floods;

use std::io::{Read, Write};
use std::time::Duration;

use futures::executor::block_on;
use futures::{future, stream, SinkExt, StreamExt};
use futures_timer::Delay;
use greeter_stream::client::{Client, Config, PublishOptions, SubscribeOptions};
use grpcio::{CallOption, RpcStatusCode};
use grpcio_streams::Status;
use testkit::environment::tool;
use testkit::process::{run, text, Signal};
use testkit::raw;
use testkit::wait::{next, soon, PATIENCE};

use crate::support::callers::{self, METHODS};
use crate::support::envoy::{files, validate, Edge};
use crate::support::secured::{by_program, library, trusting};
use crate::support::{client_with, server, topic};

/// What clients of HTTP/2 and of HTTP/1.1 offer by ALPN (RFC 7301).
const H2: &[u8] = b"\x02h2";
const HTTP_1_1: &[u8] = b"\x08http/1.1";

fn publish(client: &Client, messages: &[&str]) {
    let mut publisher = client.publish(topic("t"), PublishOptions::default());
    for message in messages {
        soon("taken", publisher.feed((*message).to_owned())).expect("not lost");
    }
    soon("acknowledged", publisher.close()).expect("not lost");
}

/// How a call of PutStream ends.
fn put(client: &grpcio::Client, metadata: &[(&str, &str)]) -> Status {
    callers::call(client, METHODS[1], metadata)
}

#[test]
fn the_file_is_valid() {
    let (folder, _) = files();
    for secured in [false, true] {
        let (valid, said) = validate(&folder, secured);
        assert!(valid, "{said}");
        // Envoy's word for what is deprecated, misspelt or of no effect.
        assert!(!said.contains("[warning]"), "{said}");
    }
}

#[test]
fn the_three_calls_go_through_it() {
    let (folder, ca) = files();
    let (certificate, key) = folder.write_pair("server", &ca.sign_server("one"));
    let ticks = ["--ticks", "1", "--tick-interval", "1ms"];
    let tls = ["--tls-cert", &certificate, "--tls-key", &key];
    let trusted = folder.path("ca.crt");
    for tls in [&[][..], &tls] {
        let server = server::start_quiet(&[&ticks[..], tls].concat());
        let edge = Edge::start(&folder, &server.address, !tls.is_empty());
        let client = |args: &[&str]| {
            let args = [&["--tls", "--ca", &trusted], args].concat();
            by_program(&edge.address, &args)
        };
        let (out, said, code) = client(&["get", "a"]);
        assert_eq!((out.lines().count(), &*said, code), (1, "", Some(0)));
        let (out, said, code) = client(&["put"]);
        assert_eq!((&*out, &*said, code), ("2\n", "", Some(0)));
        let (out, said, code) = client(&["all", "--topic", "t"]);
        assert_eq!((&*out, &*said, code), ("a\nb\n", "", Some(0)));
        let from_earliest = ["get", "--topic", "t", "--from", "earliest", "--no-follow"];
        let (out, said, code) = client(&from_earliest);
        assert_eq!((&*out, &*said, code), ("a\nb\n", "", Some(0)));
        // The status of a call, and its message.
        let (_, said, code) = client(&["get", "--topic", "t", "--from", "7"]);
        assert!(said.contains("OUT_OF_RANGE"), "{said}");
        assert_eq!(code, Some(1));
    }
}

#[test]
fn a_quiet_stream_lives_longer_than_a_route_usually_lets_it() {
    let (folder, _) = files();
    let server = server::start_quiet(&[]);
    let edge = Edge::start(&folder, &server.address, false);
    let client = library(&edge.address, trusting(&folder));
    // The calls of `client` have a deadline, and this one has none.
    let patient = Config {
        servers: vec![edge.address.clone()],
        tls: Some(trusting(&folder)),
        ..Config::default()
    };
    let options = SubscribeOptions {
        resume: false,
        ..SubscribeOptions::default()
    };
    let mut messages = client_with(patient).subscribe(topic("t"), options);
    soon("subscribed", messages.begin()).expect("a server");
    // By default Envoy ends a stream after 15 s.
    let quiet = Delay::new(Duration::from_secs(20));
    let ended = block_on(future::select(messages.next(), quiet));
    assert!(
        matches!(ended, future::Either::Right(_)),
        "the stream has ended"
    );
    publish(&client, &["late"]);
    assert_eq!(next("message", &mut messages).data, "late");
}

#[test]
fn tokens_get_through_and_other_services_do_not() {
    let (folder, _) = files();
    let callers = format!("ann {} write:t", callers::hash("secret"));
    let tokens = folder.write("tokens", callers);
    let server = server::start_quiet(&["--token-file", &tokens, "--channelz"]);
    let edge = Edge::start(&folder, &server.address, false);
    let client = edge.client(&folder);
    let ann = callers::with_token("Bearer secret", Some("t"));
    let codes = [put(&client, &ann), put(&client, &[])].map(|status| status.code());
    assert_eq!(codes, [RpcStatusCode::OK, RpcStatusCode::UNAUTHENTICATED]);
    for method in [
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "/grpc.channelz.v1.Channelz/GetServers",
    ] {
        let ended = callers::silent_call(&client, method, raw::with_metadata(&ann));
        assert_eq!(ended.code(), RpcStatusCode::UNIMPLEMENTED, "{method}");
    }
}

#[test]
fn whoever_probes_it_learns_of_the_server() {
    let (folder, _) = files();
    let mut server = server::start_quiet(&[]);
    let edge = Edge::start(&folder, &server.address, false);
    let probe = || {
        let mut probe = tool("GREETER_TEST_HEALTH_PROBE");
        let ca = folder.path("ca.crt");
        probe.args(["-addr", &edge.address, "-tls", "-tls-ca-cert", &ca]);
        run(probe.args(["-service", "Greeter"]), b"").status.code()
    };
    assert_eq!(probe(), Some(0));
    let client = edge.client(&folder);
    std::thread::scope(|scope| {
        let live = scope.spawn(|| callers::silent_call(&client, METHODS[1], CallOption::default()));
        server.log.wait_for_all(PATIENCE, &[METHODS[1], "started"]);
        server.process.signal(Signal::TERM);
        let ended = live.join().expect("no panic");
        assert_eq!(ended.code(), RpcStatusCode::UNAVAILABLE, "{ended}");
    });
    assert!(server.process.wait(Duration::from_secs(5)).success());
    assert_ne!(probe(), Some(0));
    let refused = put(&client, &[]);
    assert_eq!(refused.code(), RpcStatusCode::UNAVAILABLE, "{refused}");
}

#[test]
fn a_browser_gets_messages_and_status_by_grpc_web() {
    let (folder, _) = files();
    let server = server::start_quiet(&[]);
    let edge = Edge::start(&folder, &server.address, false);
    publish(&library(&edge.address, trusting(&folder)), &["a", "bc"]);

    let exchange = |request: &[u8]| {
        let mut socket = edge.connect(&folder, HTTP_1_1);
        socket.write_all(request).expect("sent");
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).expect("an answer");
        answer
    };
    // First the browser asks whether the page may call.
    let preflight =
        b"OPTIONS /Greeter/GetStream HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
        origin: https://www.example.com\r\naccess-control-request-method: POST\r\n\
        access-control-request-headers: topic,x-grpc-web\r\n\r\n";
    let answer = exchange(preflight);
    let answer = text(&answer);
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    let allowed = "access-control-allow-origin: https://www.example.com\r\n";
    assert!(answer.contains(allowed), "{answer}");
    let stranger = text(preflight).replace("www.example.com", "elsewhere.example");
    let answer = exchange(stranger.as_bytes());
    assert!(!text(&answer).contains("access-control-allow-origin"));

    // The body is a request without fields: a flag and a length.
    let call = b"POST /Greeter/GetStream HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
        origin: https://www.example.com\r\ncontent-type: application/grpc-web+proto\r\n\
        x-grpc-web: 1\r\ntopic: t\r\nfrom: earliest\r\nfollow: false\r\ncontent-length: 5\r\n\r\n\
        \0\0\0\0\0";
    let answer = exchange(call);
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let (head, body) = answer.split_at(end.expect("an end of the headers") + 4);
    let head = text(head);
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    for header in [
        "content-type: application/grpc-web+proto\r\n",
        "offset: 0\r\n",
        "access-control-expose-headers: epoch,grpc-message,grpc-status,",
        allowed,
    ] {
        assert!(head.contains(header), "{header}: {head}");
    }
    let body = unchunked(body);
    let messages = b"\0\0\0\0\x03\x0a\x01a\0\0\0\0\x04\x0a\x02bc";
    let (got, trailers) = body.split_at(messages.len().min(body.len()));
    assert_eq!(got, messages);
    // The first bit marks the trailers.
    assert_eq!(trailers.first(), Some(&0x80), "{trailers:?}");
    assert!(text(&trailers[5..]).contains("grpc-status:0\r\n"));
}

/// Joins the chunks of a body (RFC 9112, section 7.1).
fn unchunked(mut body: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    loop {
        let line = body.iter().position(|byte| *byte == b'\r').expect("a size");
        let size = usize::from_str_radix(text(&body[..line]), 16).expect("a size");
        if size == 0 {
            return whole;
        }
        let chunk = &body[line + 2..];
        whole.extend(&chunk[..size]);
        body = &chunk[size + 2..];
    }
}

#[test]
fn calls_too_often_are_resource_exhausted() {
    const AT_A_TIME: usize = 50;
    let (folder, _) = files();
    let server = server::start_quiet(&[]);
    let edge = Edge::start(&folder, &server.address, false);
    let (hasty, calm) = (
        library(&edge.address, trusting(&folder)),
        edge.client(&folder),
    );
    let mut served = 0;
    let refused = loop {
        let call = || hasty.put(stream::iter([Ok::<_, Status>("a".to_owned())]));
        let calls = future::join_all((0..AT_A_TIME).map(|_| call()));
        let ended = soon("calls", calls);
        served += ended.iter().filter(|end| end.is_ok()).count();
        assert!(served < 5_000, "no end to it");
        if let Some(Err(refused)) = ended.into_iter().find(Result::is_err) {
            break refused;
        }
    };
    assert!(served >= 1_000, "{served}");
    assert_eq!(refused.code(), RpcStatusCode::RESOURCE_EXHAUSTED);
    // Other clients have a limit of their own.
    assert_eq!(put(&calm, &[]).code(), RpcStatusCode::OK);
}

/// The C core takes the headers after a malformed one for malformed as well. It remembers that when a
/// proxy sends the same headers for another client (CVE-2024-7246).
#[test]
fn malformed_metadata_is_its_sender_s_alone() {
    let (folder, _) = files();
    let server = server::start_quiet(&[]);
    let edge = Edge::start(&folder, &server.address, false);
    let client = edge.client(&folder);
    let tenant = ("x-tenant", "blue");
    assert_eq!(put(&client, &[tenant]).code(), RpcStatusCode::OK);
    for late in ["x-1", "x-2", "x-3"] {
        let ended = floods::call(&edge, &folder, &[("x-bin", "!!!"), (late, "a"), tenant]);
        assert!(!ended, "malformed");
    }
    for late in ["x-1", "x-2", "x-3"] {
        let ended = put(&client, &[(late, "a"), tenant]);
        assert_eq!(ended.code(), RpcStatusCode::OK, "{ended}");
    }
}
