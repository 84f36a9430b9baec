//! Handlers that fail or panic: their call ends with a status, and no other call is affected.

use std::collections::HashSet;
use std::sync::Arc;
use std::task::Poll;
use std::thread;

use futures::{stream, FutureExt, StreamExt, TryStreamExt};
use greeter_stream::generated::greeter::{StreamReqData, StreamResData};
use grpcio::{CallOption, RpcStatusCode};
use grpcio_streams::{client, Requests, Status};
use parking_lot::Mutex;
use testkit::raw;
use testkit::served::{serve, Served};
use testkit::wait::{soon, PATIENCE};

use crate::support::messages::{request, response};

/// The texts of the responses, and the status if it is not OK.
fn get(client: &grpcio::Client, path: &'static str) -> (Vec<String>, Option<Status>) {
    let responses = client::server_streaming::<_, StreamResData>(
        client,
        path,
        &request("a"),
        CallOption::default(),
    );
    let mut responses = responses.expect("starts");
    let mut data = Vec::new();
    loop {
        match soon("response", responses.next()) {
            Some(Ok(response)) => data.push(response.data),
            Some(Err(status)) => return (data, Some(status)),
            None => return (data, None),
        }
    }
}

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("in a destructor");
    }
}

/// Handlers that panic in every place where a handler can, and one that notes its thread.
fn serve_panics(seen: Arc<Mutex<HashSet<thread::ThreadId>>>) -> Served {
    serve(2, |service| {
        service
            .server_streaming(
                "/test/AtOnce",
                |_, _: StreamReqData| -> stream::Empty<Result<StreamResData, Status>> {
                    panic!("in the handler");
                },
            )
            .server_streaming("/test/Later", |_, _: StreamReqData| {
                stream::iter(0..).map(|n| {
                    assert!(n < 2, "in the stream");
                    Ok(response(n))
                })
            })
            .server_streaming("/test/AtTheEnd", |_, _: StreamReqData| {
                let bomb = Bomb;
                stream::iter([1]).map(move |n| {
                    let _held = &bomb;
                    Ok(response(n))
                })
            })
            .client_streaming(
                "/test/Put",
                |_, mut requests: Requests<StreamReqData>| async move {
                    let first = requests.try_next().await?;
                    assert!(first.is_none(), "over a request");
                    Ok(response("none"))
                },
            )
            .server_streaming("/test/Thread", move |_, _: StreamReqData| {
                seen.lock().insert(thread::current().id());
                stream::iter([Ok(response("fine"))])
            })
    })
}

#[test]
fn a_panic_is_internal_and_every_queue_lives_on() {
    let seen = Arc::default();
    let server = serve_panics(Arc::clone(&seen));
    // The C core spreads connections over the queues.
    let clients: Vec<_> = (0..8).map(|_| raw::client(&server.address)).collect();
    for client in &clients {
        for _ in 0..5 {
            let (data, status) = get(client, "/test/AtOnce");
            let status = status.expect("a failure");
            assert_eq!(
                status.to_string(),
                "INTERNAL: the handler of this call panicked"
            );
            assert!(data.is_empty());

            let (data, status) = get(client, "/test/Later");
            assert_eq!(status.map(|s| s.code()), Some(RpcStatusCode::INTERNAL));
            assert_eq!(data, ["0", "1"], "what came before the panic");

            let (data, status) = get(client, "/test/AtTheEnd");
            assert_eq!(status.map(|s| s.code()), Some(RpcStatusCode::INTERNAL));
            assert_eq!(data, ["1"], "what came before the destructor");

            let one = stream::iter([Ok::<_, Status>(request("a"))]).chain(stream::pending());
            let put = client::client_streaming::<_, StreamResData, _>(
                client,
                "/test/Put",
                one,
                CallOption::default(),
            );
            let status = soon("status", put).expect_err("a failure");
            assert_eq!(status.code(), RpcStatusCode::INTERNAL);
        }
    }
    for n in 0..1_000 {
        let client = &clients[n % clients.len()];
        assert_eq!(get(client, "/test/Thread"), (vec!["fine".to_owned()], None));
    }
    assert_eq!(seen.lock().len(), 2, "both queues took calls");
}

#[test]
fn a_failure_is_the_status_of_the_call_and_comes_after_its_messages() {
    let server = serve(1, |service| {
        service.server_streaming("/test/Fail", |_, _: StreamReqData| {
            let broken = Status::new(RpcStatusCode::DATA_LOSS, "the tape is torn: ß");
            stream::iter((0..100).map(|n| Ok(response(n))).chain([Err(broken)]))
        })
    });
    let (data, status) = get(&raw::client(&server.address), "/test/Fail");
    assert_eq!(data.len(), 100);
    assert_eq!(
        status.expect("a failure").to_string(),
        "DATA_LOSS: the tape is torn: ß"
    );
}

#[test]
fn an_early_answer_reaches_a_client_that_still_sends() {
    let server = serve(1, |service| {
        service.client_streaming(
            "/test/First",
            |_, mut requests: Requests<StreamReqData>| async move {
                let first = requests.try_next().await?;
                Ok(response(first.map(|m| m.data).unwrap_or_default()))
            },
        )
    });
    let client = raw::client(&server.address);
    let endless = stream::repeat_with(|| Ok::<_, Status>(request("early")));
    let put = client::client_streaming::<_, StreamResData, _>(
        &client,
        "/test/First",
        endless,
        CallOption::default(),
    );
    assert_eq!(soon("answer", put).map(|m| m.data).as_deref(), Ok("early"));
}

#[test]
fn dropping_a_stream_that_is_pending_leaves_nothing_behind() {
    let (polled, was_polled) = std::sync::mpsc::channel();
    let server = serve(1, |service| {
        service.server_streaming("/test/Never", move |_, _: StreamReqData| {
            let polled = polled.clone();
            stream::poll_fn(move |_| -> Poll<Option<Result<StreamResData, Status>>> {
                let _ = polled.send(());
                Poll::Pending
            })
        })
    });
    let client = raw::client(&server.address);
    for _ in 0..10 {
        let never = client::server_streaming::<_, StreamResData>(
            &client,
            "/test/Never",
            &request(""),
            CallOption::default(),
        );
        let mut never = never.expect("starts");
        was_polled.recv_timeout(PATIENCE).expect("the handler runs");
        assert!(never.next().now_or_never().is_none());
        drop(never);
    }
}
