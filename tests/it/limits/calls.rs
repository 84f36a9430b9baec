//! The limits of calls: messages, metadata, memory, how many run at a time, and how long a request may
//! take.

use std::time::{Duration, Instant};

use futures::future::{self, select, Either};
use futures::{stream, SinkExt, StreamExt, TryStreamExt};
use futures_timer::Delay;
use greeter_stream::generated::greeter::{StreamReqData, StreamResData};
use greeter_stream::protocol::{ALL_STREAM, GET_STREAM, PUT_STREAM};
use grpcio::{CallOption, ChannelBuilder, CompressionAlgorithms, RpcStatusCode, WriteFlags};
use grpcio_serve::generated::grpc_health_v1::health_check_response::ServingStatus;
use grpcio_serve::generated::grpc_health_v1::{HealthCheckRequest, HealthCheckResponse};
use grpcio_streams::{client as calls, Queues, Status};
use protobuf::Message;
use testkit::exclusive::whole_machine;
use testkit::raw::{self, unary};
use testkit::served::{outcomes, serve};
use testkit::server::Server;
use testkit::wait::{soon, PATIENCE};

use crate::support::client;
use crate::support::messages::{request, response};
use crate::support::server::{self, refused};

const LIMIT: usize = 4 * 1024 * 1024;

#[test]
fn a_message_may_have_4_mib_and_not_a_byte_more() {
    let server = server::start(&["--tick-interval", "1h"]);
    a_message_may_have(LIMIT, &server);
    let server = server::start(&["--tick-interval", "1h", "--max-message-bytes", "100000"]);
    a_message_may_have(100_000, &server);
}

fn a_message_may_have(limit: usize, server: &Server) {
    let client = client(&server.address);
    // A text whose message has this length when it is encoded, with the tag and the length.
    let text = |encoded: usize| {
        let header = request(&"x".repeat(encoded)).compute_size() as usize - encoded;
        let text = "x".repeat(encoded - header);
        assert_eq!(request(&text).compute_size(), encoded as u64);
        text
    };
    for (encoded, code) in [
        (limit - 1, None),
        (limit, None),
        (limit + 1, Some(RpcStatusCode::RESOURCE_EXHAUSTED)),
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

/// Makes a call of GetStream; how many messages it had, or how it failed.
fn get(client: &grpcio::Client, options: CallOption) -> Result<usize, Status> {
    let responses = calls::server_streaming(client, GET_STREAM, &request("a"), options);
    let responses: calls::Responses<StreamResData> = responses.expect("starts");
    soon("end", responses.try_collect::<Vec<_>>()).map(|all| all.len())
}

#[test]
fn metadata_may_have_16_kib_and_not_much_more() {
    let server = server::start(&["--ticks", "1", "--tick-interval", "1ms"]);
    let small = server::start(&[
        "--ticks",
        "1",
        "--tick-interval",
        "1ms",
        "--max-metadata-bytes",
        "2048",
    ]);
    for (server, limit) in [(&server, 16 * 1024), (&small, 2048)] {
        let client = raw::client(&server.address);
        // The headers of gRPC itself count as well.
        for (bytes, expected) in [
            (limit - 1024, Ok(1)),
            (limit + 1, Err(RpcStatusCode::RESOURCE_EXHAUSTED)),
            (limit - 1024, Ok(1)),
        ] {
            let value = "x".repeat(bytes - 32 - "many".len());
            let options = raw::with_metadata(&[("many", &value)]);
            let ended = get(&client, options).map_err(|status| status.code());
            assert_eq!(ended, expected, "{bytes} of {limit}");
        }
    }
}

#[test]
fn a_compressed_message_is_refused_however_small() {
    let mut server = server::start(&["--tick-interval", "1h"]);
    let queues = Queues::start("test", 1);
    let channel = ChannelBuilder::new(queues.env())
        .default_compression_algorithm(CompressionAlgorithms::GRPC_COMPRESS_GZIP)
        .max_send_message_len(-1)
        .connect(&server.address);
    let client = grpcio::Client::new(channel);
    let before = server.resident();
    for path in [GET_STREAM, PUT_STREAM, ALL_STREAM] {
        let (mut sink, mut receiver) = client
            .duplex_streaming(&raw::method(path), CallOption::default())
            .expect("starts");
        // 256 MiB of zeros become 256 KiB.
        let message = vec![0; 256 << 20];
        let sending = async {
            // The call may end before everything is sent.
            let _ = sink.send((message, WriteFlags::default())).await;
        };
        let ended = soon("end", future::join(sending, receiver.next())).1;
        let status = Status::from(ended.expect("a failure").expect_err("a failure"));
        assert_eq!(status.code(), RpcStatusCode::UNIMPLEMENTED, "{path}");
        assert!(status.message().contains("gzip"), "{status}");
        server.log.wait_for_all(PATIENCE, &[path, "ended"]);
    }
    let grown = server.resident().saturating_sub(before);
    assert!(grown < 64 * 1024, "the server grew by {grown} KiB");
}

#[test]
fn messages_on_their_way_may_take_so_much_memory() {
    let _whole_machine = whole_machine();
    const CALLS: usize = 8;
    let mib = |n: u64| n * 1024;
    let server = server::start(&[
        "--ticks",
        "1",
        "--max-memory-bytes",
        &(32 << 20).to_string(),
    ]);
    let before = server.resident();
    let client = raw::client(&server.address);
    let greedy = (0..CALLS).map(|_| {
        let (mut sink, mut receiver) = client
            .duplex_streaming(&raw::method(PUT_STREAM), CallOption::default())
            .expect("starts");
        async move {
            // The server learns only at its end that the message is too long.
            let message = (vec![b'x'; 48 << 20], WriteFlags::default());
            let sending = async { drop(sink.send(message).await) };
            let ended = future::join(sending, receiver.next()).await.1;
            Status::from(ended.expect("a failure").expect_err("a failure"))
        }
    });
    let ends = soon("ends", future::join_all(greedy));
    // The error code is ENHANCE_YOUR_CALM.
    let reset = "RESOURCE_EXHAUSTED: Received RST_STREAM with error code 11";
    for end in ends {
        assert_eq!(end.to_string(), reset);
    }
    // The quota ends calls a moment after it was exceeded, and later on a busy machine, where 111 MiB
    // were seen. All messages together have 384 MiB.
    let most = server.peak() - before;
    assert!(most < mib(192), "{most} KiB for {CALLS} messages of 48 MiB");
    let ticks = crate::support::client(&server.address)
        .get("a")
        .expect("starts");
    assert_eq!(soon("ticks", ticks.count()), 1);
}

#[test]
fn a_connection_may_run_so_many_calls() {
    let flags = ["--tick-interval", "1h", "--max-streams", "2"];
    let server = server::start(&flags);
    let client = raw::client(&server.address);
    let open = || {
        let responses = calls::server_streaming::<_, StreamResData>(
            &client,
            GET_STREAM,
            &request("a"),
            CallOption::default(),
        );
        responses.expect("starts")
    };
    let mut running = [open(), open()];
    for call in &mut running {
        assert!(matches!(soon("tick", call.next()), Some(Ok(_))));
    }
    // The client keeps to HTTP/2 and waits until there is room.
    let mut third = open();
    let waited = Duration::from_millis(300);
    let tick = futures::executor::block_on(select(third.next(), Delay::new(waited)));
    assert!(matches!(tick, Either::Right(_)), "has not waited");
    drop(running);
    assert!(matches!(soon("tick", third.next()), Some(Ok(_))));
}

#[test]
fn a_server_may_run_so_many_calls() {
    let flags = ["--tick-interval", "1h", "--max-calls", "2"];
    let mut server = server::start(&flags);
    let clients: Vec<_> = (0..3).map(|_| client(&server.address)).collect();
    // Watches of the server's health do not count.
    let watcher = raw::client(&server.address);
    let watch = |_| {
        let path = "/grpc.health.v1.Health/Watch";
        let request = HealthCheckRequest::default();
        calls::server_streaming(&watcher, path, &request, CallOption::default()).expect("starts")
    };
    let mut watches: Vec<calls::Responses<HealthCheckResponse>> = (0..3).map(watch).collect();
    for watch in &mut watches {
        assert!(matches!(soon("health", watch.next()), Some(Ok(_))));
    }
    let mut running: Vec<_> = clients[..2]
        .iter()
        .map(|client| client.get("a").expect("starts"))
        .collect();
    for call in &mut running {
        assert!(matches!(soon("tick", call.next()), Some(Ok(_))));
    }
    let third = || soon("tick", clients[2].get("a").expect("starts").next()).expect("an answer");
    let refused = third().expect_err("one too many");
    assert_eq!(refused.code(), RpcStatusCode::RESOURCE_EXHAUSTED);
    let why = "this server runs at most 2 of these calls at a time";
    assert!(refused.message().starts_with(why), "{refused}");
    let why = "this server runs at most 2 of these calls at a time";
    assert!(refused.message().contains(why), "{refused}");
    // A health check is answered all the same.
    let health: HealthCheckResponse = unary(
        &raw::client(&server.address),
        "/grpc.health.v1.Health/Check",
        HealthCheckRequest::default(),
    )
    .expect("healthy");
    assert_eq!(health.status.enum_value(), Ok(ServingStatus::SERVING));

    drop(running.pop());
    let log = ["GetStream", "ended", "CANCELLED"];
    server.log.wait_for_all(PATIENCE, &log);
    // The server counts a call until nothing of it is left, which is a moment after its log line.
    let ended = Instant::now();
    while let Err(status) = third() {
        assert_eq!(status.code(), RpcStatusCode::RESOURCE_EXHAUSTED, "{status}");
        assert!(ended.elapsed() < Duration::from_secs(1), "there is no room");
    }
}

#[test]
fn a_limit_that_cannot_be_is_wrong_usage() {
    for (flag, value, why) in [
        ("--keepalive", "0s", "0s is out of range"),
        ("--keepalive", "25days", "2160000s is out of range"),
        (
            "--max-metadata-bytes",
            "4294967296",
            "4294967296 is not in 1024..=16777216",
        ),
        (
            "--max-streams",
            "4294967296",
            "4294967296 is not in 1..=2147483647",
        ),
        ("--listen", "unix:/tmp/x", "has no port from 0 to 65535"),
    ] {
        let (said, code) = refused(&[flag, value]);
        assert!(said.contains(flag) && said.contains(why), "{said}");
        assert_eq!(code, Some(2));
    }
}

#[test]
fn calls_that_send_no_request_lock_nobody_out() {
    // The binding has 1,024 slots in each queue for calls that wait for their request.
    const SILENT: usize = 2_100;
    let args = ["--threads", "2", "--ticks", "1", "--tick-interval", "1ms"];
    let server = server::start(&[&args[..], &["--max-streams", "10000"]].concat());
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
