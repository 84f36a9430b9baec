//! Thousands of requests that make a handler panic.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use futures::{stream, TryStreamExt};
use greeter_stream::generated::greeter::{StreamReqData, StreamResData};
use grpcio::CallOption;
use grpcio_streams::{client, Status};
use testkit::raw;
use testkit::served::serve;
use testkit::wait::soon;

use super::times;
use crate::support::messages::{request, response};

const AT_A_TIME: usize = 4;

fn call(client: &grpcio::Client, text: &str) -> Result<Vec<StreamResData>, Status> {
    let options = CallOption::default();
    let responses = client::server_streaming(client, "/test/Get", &request(text), options);
    soon("end", responses.expect("starts").try_collect())
}

#[test]
fn ten_thousand_panics_are_internal_and_no_other_call_notices() {
    let server = serve(2, |service| {
        service.server_streaming("/test/Get", |_, request: StreamReqData| {
            if request.data == "panic" {
                // Like panic!, but without a message on standard error.
                resume_unwind(Box::new("in the handler"));
            }
            stream::iter([Ok(response(request.data))])
        })
    });
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let neighbour = scope.spawn(|| {
            let client = raw::client(&server.address);
            let mut calls = 0;
            while !done.load(Ordering::Relaxed) {
                assert_eq!(call(&client, "fine"), Ok(vec![response("fine")]));
                calls += 1;
            }
            calls
        });
        let attack = || {
            let client = raw::client(&server.address);
            for _ in 0..times(10_000) as usize / AT_A_TIME {
                let status = call(&client, "panic").expect_err("a failure");
                let expected = "INTERNAL: the handler of this call panicked";
                assert_eq!(status.to_string(), expected);
            }
        };
        let attackers = [(); AT_A_TIME].map(|()| scope.spawn(attack));
        let attacked = attackers.map(|attacker| attacker.join());
        done.store(true, Ordering::Relaxed);
        assert!(attacked.iter().all(Result::is_ok));
        assert!(neighbour.join().expect("unharmed") > 0);
    });
}
