//! What the three calls and a unary call do when nothing goes wrong.

use std::time::{Duration, Instant};

use futures::{stream, FutureExt, StreamExt, TryStreamExt};
use greeter_stream::generated::greeter::{StreamReqData, StreamResData};
use greeter_stream::generated::greeter_grpc::GreeterClient;
use grpcio::{CallOption, Marshaller, Method, MethodType, RpcStatusCode};
use grpcio_streams::{client as calls, Requests, Status};
use testkit::clock::unix_seconds;
use testkit::raw;
use testkit::served::serve;
use testkit::wait::{next, soon, within, PATIENCE};

use crate::support::messages::{request, response};
use crate::support::{client, server};

#[test]
fn get_stream_ticks_at_its_interval_and_ends_one_after_the_last() {
    let server = server::start(&["--ticks", "3", "--tick-interval", "300ms"]);
    let started = Instant::now();
    let mut ticks = client(&server.address).get("aaa").expect("starts");
    for n in 0..3 {
        let tick = next("tick", &mut ticks);
        assert!(started.elapsed() >= Duration::from_millis(300) * n);
        let seconds: u64 = tick.parse().expect("a number of seconds");
        let now = unix_seconds();
        assert!(now - seconds <= 1, "{seconds} is not {now}");
    }
    assert_eq!(soon("end", ticks.next()), None);
    assert!(started.elapsed() >= Duration::from_millis(900));
}

#[test]
fn put_stream_answers_how_many_it_received_and_logs_each() {
    let mut server = server::start(&[]);
    let messages = ["a", "", "b\n\u{1b}[31m"].map(|m| Ok::<_, Status>(m.to_owned()));
    let answer = soon(
        "answer",
        client(&server.address).put(stream::iter(messages)),
    );
    assert_eq!(answer.as_deref(), Ok("3"));
    server.log.wait_for_all(
        PATIENCE,
        &["/Greeter/PutStream from 127.0.0.1:", " started"],
    );
    server.log.wait_for_all(PATIENCE, &["message 1: a"]);
    server
        .log
        .wait_for_all(PATIENCE, &["message 3: b\\n\\u{1b}[31m"]);
    server
        .log
        .wait_for_all(PATIENCE, &["PutStream", "3 in, 1 out: OK"]);
}

#[test]
fn all_stream_talks_and_listens_until_the_client_half_closes() {
    let mut server = server::start(&["--tick-interval", "50ms"]);
    let (sender, messages) = futures::channel::mpsc::unbounded();
    let mut heard = client(&server.address).all(messages).expect("starts");
    for n in 0..3 {
        sender
            .unbounded_send(Ok::<_, Status>(format!("hello {n}")))
            .expect("open");
        assert_eq!(soon("talk", heard.next()), Some(Ok("ssss".to_owned())));
    }
    sender.close_channel();
    let rest = soon("end", heard.try_collect::<Vec<_>>()).expect("OK");
    assert!(rest.iter().all(|said| said == "ssss"));
    server
        .log
        .wait_for_all(PATIENCE, &["AllStream", "message 3: hello 2"]);
    server
        .log
        .wait_for_all(PATIENCE, &["AllStream", " 3 in, ", " out: OK"]);
}

#[test]
fn a_client_may_half_close_at_once() {
    let server = server::start(&[]);
    let client = client(&server.address);
    let nothing = || stream::empty::<Result<String, Status>>();
    assert_eq!(soon("answer", client.put(nothing())).as_deref(), Ok("0"));
    let heard = client.all(nothing()).expect("starts");
    soon("end", heard.try_collect::<Vec<_>>()).expect("OK");
}

#[test]
fn a_client_may_send_nothing_for_as_long_as_it_likes() {
    let mut server = server::start(&["--tick-interval", "20ms"]);
    let client = client(&server.address);
    let mut heard = client
        .all(stream::pending::<Result<String, Status>>())
        .expect("starts");
    let mut put = Box::pin(client.put(stream::pending::<Result<String, Status>>()));
    // Both calls stay open while the conversation goes on.
    for _ in 0..20 {
        assert_eq!(soon("talk", heard.next()), Some(Ok("ssss".to_owned())));
        assert!(
            put.as_mut().now_or_never().is_none(),
            "answered without being asked"
        );
    }
    drop((heard, put));
    server.log.wait_for_all(
        PATIENCE,
        &["ended", "0 in", "CANCELLED: the client is gone"],
    );
    server.log.wait_for_all(
        PATIENCE,
        &["ended", "0 in", "CANCELLED: the client is gone"],
    );
}

#[test]
fn a_client_may_send_100_000_messages() {
    let mut server = server::start(&[]);
    let client = client(&server.address);
    let messages = (0..100_000).map(|n| Ok::<_, Status>(format!("message {n}")));
    let calls = client.clone();
    let answer = client.run(async move { calls.put(stream::iter(messages)).await });
    assert_eq!(answer.as_deref(), Ok("100000"));
    server
        .log
        .wait_for_all(PATIENCE, &["PutStream", "100000 in, 1 out: OK"]);
}

#[test]
fn the_generated_client_works_as_well() {
    let server = server::start(&["--ticks", "2", "--tick-interval", "1ms"]);
    let stub = GreeterClient::new(raw::channel(&server.address));
    let ticks = stub.get_stream(&request("aaa")).expect("starts");
    assert_eq!(
        soon("ticks", ticks.try_collect::<Vec<_>>())
            .expect("OK")
            .len(),
        2
    );

    let (mut sink, answer) = stub.put_stream().expect("starts");
    soon("put", async {
        use futures::SinkExt;
        sink.send((request("a"), grpcio::WriteFlags::default()))
            .await
            .expect("sent");
        sink.close().await.expect("half-closed");
        assert_eq!(answer.await.expect("answer").data, "1");
    });
}

#[test]
fn a_unary_call_has_one_request_and_one_response() {
    let server = serve(1, |service| {
        service.unary("/test/Echo", |_, request: StreamReqData| async move {
            match &*request.data {
                "" => Err(Status::new(RpcStatusCode::OUT_OF_RANGE, "nothing to say")),
                said => Ok(response(said)),
            }
        })
    });
    let client = raw::client(&server.address);
    // First as clients call it, then with the wrong number of requests.
    let method = Method::<StreamReqData, StreamResData> {
        ty: MethodType::Unary,
        name: "/test/Echo",
        req_mar: Marshaller {
            ser: grpcio::pb_ser,
            de: grpcio::pb_de,
        },
        resp_mar: Marshaller {
            ser: grpcio::pb_ser,
            de: grpcio::pb_de,
        },
    };
    let say = |data: &str| {
        let options = CallOption::default().timeout(PATIENCE);
        let answer = client.unary_call(&method, &request(data), options);
        answer.map(|m| m.data).map_err(Status::from)
    };
    assert_eq!(say("a").as_deref(), Ok("a"));
    let failure = Status::new(RpcStatusCode::OUT_OF_RANGE, "nothing to say");
    assert_eq!(say(""), Err(failure));
    for requests in [0, 2] {
        let requests = stream::iter((0..requests).map(|_| Ok::<_, Status>(request("a"))));
        let answer = calls::client_streaming::<_, StreamResData, _>(
            &client,
            "/test/Echo",
            requests,
            CallOption::default(),
        );
        let status = soon("answer", answer).expect_err("not one");
        assert_eq!(status.code(), RpcStatusCode::UNIMPLEMENTED, "{status}");
    }
}

#[test]
fn a_response_that_comes_with_a_failure_is_not_lost() {
    let server = serve(2, |service| {
        service.duplex("/test/Fail", |_, _requests: Requests<StreamReqData>| {
            let failure = Status::new(RpcStatusCode::ABORTED, "enough");
            stream::iter([Ok(response(1)), Ok(response(2)), Err(failure)])
        })
    });
    let client = raw::client(&server.address);
    for _ in 0..500 {
        let nothing = stream::empty::<Result<StreamReqData, Status>>();
        let responses = calls::duplex::<_, StreamResData, _>(
            &client,
            "/test/Fail",
            nothing,
            CallOption::default(),
        )
        .expect("starts");
        let all = within(PATIENCE, "end", responses.collect::<Vec<_>>());
        let seen: Vec<_> = all
            .iter()
            .map(|r| r.as_ref().map(|m| &*m.data).map_err(|e| e.to_string()))
            .collect();
        assert_eq!(seen, [Ok("1"), Ok("2"), Err("ABORTED: enough".to_owned())]);
    }
}
