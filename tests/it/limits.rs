//! How much a client may send, and how little.

use std::time::{Duration, Instant};

use futures::{stream, StreamExt};
use greeter_stream::generated::greeter::StreamReqData;
use greeter_stream::stream::Status;
use grpcio::{CallOption, RpcStatusCode};
use protobuf::Message;

use crate::support::process::Server;
use crate::support::service::{outcomes, request, response, serve};
use crate::support::{client, raw, soon, PATIENCE};

const LIMIT: usize = 4 * 1024 * 1024;

#[test]
fn a_message_may_have_4_mib_and_not_a_byte_more() {
    let server = Server::start(&["--tick-interval", "1h"]);
    let client = client(&server.address);
    // As encoded: a byte of tag and four of length before the text.
    let text = |encoded: usize| {
        let text = "x".repeat(encoded - 5);
        assert_eq!(request(&text).compute_size(), encoded as u64);
        text
    };
    for (encoded, code) in [
        (LIMIT - 1, None),
        (LIMIT, None),
        (LIMIT + 1, Some(RpcStatusCode::RESOURCE_EXHAUSTED)),
    ] {
        let message = || stream::iter([Ok::<_, Status>(text(encoded))]);
        let put = soon("put", client.put(message()));
        assert_eq!(put.err().map(|s| s.code()), code, "PutStream of {encoded}");

        let all = client.all(message()).expect("starts");
        let last = soon("all", all.collect::<Vec<_>>()).pop();
        let failure = last.and_then(Result::err).map(|s| s.code());
        assert_eq!(failure, code, "AllStream of {encoded}");

        let mut get = client.get(text(encoded)).expect("starts");
        let first = soon("get", get.next()).expect("a tick or a failure");
        assert_eq!(
            first.err().map(|s| s.code()),
            code,
            "GetStream of {encoded}"
        );
    }
}

#[test]
fn calls_that_send_no_request_lock_nobody_out() {
    // More than twice the binding's 1,024 slots for calls that wait for their request.
    const SILENT: usize = 2_100;
    let server = Server::start(&["--threads", "2", "--ticks", "1", "--tick-interval", "1ms"]);
    let attacker = raw::client(&server.address);
    let method = raw::method("/Greeter/GetStream");
    let open = |_| {
        attacker
            .duplex_streaming(&method, CallOption::default())
            .expect("starts")
    };
    let silent: Vec<_> = (0..SILENT).map(open).collect();
    let started = Instant::now();
    let ticks = client(&server.address).get("aaa").expect("starts");
    assert_eq!(soon("ticks", ticks.count()), 1);
    let took = started.elapsed();
    assert!(
        took < Duration::from_secs(2),
        "a new client waited {took:?}"
    );
    drop(silent);
}

#[test]
fn a_request_that_does_not_come_ends_its_call() {
    let (observer, ended) = outcomes();
    let server = serve(1, |service| {
        service
            .observer(observer)
            .request_within(Duration::from_millis(200))
            .server_streaming("/test/Get", |_, _: StreamReqData| {
                stream::iter([Ok(response(1))])
            })
    });
    let client = raw::client(&server.address);
    let method = raw::method("/test/Get");
    let (sink, mut receiver) = client
        .duplex_streaming(&method, CallOption::default())
        .expect("starts");
    let failure = soon("end", receiver.next())
        .expect("a failure")
        .expect_err("no request");
    let status = Status::from(failure);
    assert_eq!(
        status.to_string(),
        "DEADLINE_EXCEEDED: the request was not complete within 200ms"
    );
    assert_eq!(ended.recv_timeout(PATIENCE).expect("ended").status, status);
    drop(sink);
}
