//! Malformed messages: their call ends with a documented status and never with OK.

use futures::{stream, SinkExt, StreamExt};
use grpcio::{CallOption, Error, RpcStatusCode, WriteFlags};
use testkit::raw;
use testkit::wait::{soon, PATIENCE};

use crate::support::server;

/// Sends messages of any bytes and half-closes; how many responses there were, and how the call ended.
fn call(
    client: &grpcio::Client,
    path: &'static str,
    messages: &[&[u8]],
) -> (usize, Result<(), (RpcStatusCode, String)>) {
    let (mut sink, mut receiver) = client
        .duplex_streaming(&raw::method(path), CallOption::default())
        .expect("starts");
    soon("end", async {
        let messages = messages
            .iter()
            .map(|m| Ok((m.to_vec(), WriteFlags::default())));
        // The server may end the call at once. The sink must not be used after that.
        if sink.send_all(&mut stream::iter(messages)).await.is_ok() {
            let _ = sink.close().await;
        }
        let mut responses = 0;
        loop {
            match receiver.next().await {
                Some(Ok(_)) => responses += 1,
                Some(Err(Error::RpcFailure(status))) => {
                    return (responses, Err((status.code(), status.message().to_owned())));
                }
                Some(Err(e)) => panic!("{e}"),
                None => return (responses, Ok(())),
            }
        }
    })
}

#[test]
fn messages_that_cannot_be_parsed_are_internal_in_every_call() {
    let mut server = server::start(&["--tick-interval", "1h"]);
    let client = raw::client(&server.address);
    let good: &[u8] = b"\x0a\x01a";
    let bad: [(&str, &[u8]); 4] = [
        ("invalid UTF-8", b"\x0a\x02\xff\xfe"),
        ("a string cut short", b"\x0a\x05ab"),
        ("a length cut short", b"\x0a\x80"),
        ("a field number of zero", b"\x02\x00"),
    ];
    for (what, bytes) in bad {
        for path in [
            "/Greeter/GetStream",
            "/Greeter/PutStream",
            "/Greeter/AllStream",
        ] {
            let (_, end) = call(&client, path, &[bytes]);
            let (code, message) = end.expect_err(what);
            assert_eq!(code, RpcStatusCode::INTERNAL, "{what} to {path}");
            assert!(
                message.starts_with("message 1 of the call cannot be parsed: "),
                "{message}"
            );
            server
                .log
                .wait_for_all(PATIENCE, &[path, "ended", "0 in", "INTERNAL"]);
        }
        for path in ["/Greeter/PutStream", "/Greeter/AllStream"] {
            let (_, end) = call(&client, path, &[good, bytes, good]);
            let (code, message) = end.expect_err(what);
            assert_eq!(code, RpcStatusCode::INTERNAL, "{what} to {path}");
            assert!(
                message.starts_with("message 2 of the call cannot be parsed: "),
                "{message}"
            );
        }
    }
}

#[test]
fn what_a_newer_client_adds_is_ignored() {
    let server = server::start(&["--tick-interval", "1ms"]);
    let client = raw::client(&server.address);
    let unknown_fields = b"\x0a\x01a\x12\x01b\x18\x07";
    assert_eq!(
        call(&client, "/Greeter/GetStream", &[unknown_fields]),
        (11, Ok(()))
    );
    assert_eq!(
        call(&client, "/Greeter/PutStream", &[unknown_fields, b""]),
        (1, Ok(()))
    );
}

#[test]
fn get_stream_takes_exactly_one_request() {
    let server = server::start(&["--tick-interval", "1ms"]);
    let client = raw::client(&server.address);
    for messages in [&[][..], &[b"\x0a\x01a" as &[u8], b"\x0a\x01b"]] {
        let (responses, end) = call(&client, "/Greeter/GetStream", messages);
        let (code, message) = end.expect_err("not one request");
        assert_eq!(code, RpcStatusCode::UNIMPLEMENTED);
        assert!(message.contains("exactly one request"), "{message}");
        assert_eq!(responses, 0);
    }
}

#[test]
fn an_unknown_method_is_unimplemented() {
    let server = server::start(&[]);
    let client = raw::client(&server.address);
    for path in [
        "/Greeter/NoStream",
        "/greeter.Greeter/GetStream",
        "/Greeter",
        "/",
    ] {
        let (code, _) = call(&client, path, &[b""]).1.expect_err("no such method");
        assert_eq!(code, RpcStatusCode::UNIMPLEMENTED, "{path}");
    }
}
