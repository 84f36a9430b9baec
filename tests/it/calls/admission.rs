//! The admissions that a call must pass before its handler runs. A call that they refuse costs little.

use std::sync::{mpsc, Arc};

use futures::{future, stream, SinkExt, StreamExt, TryStreamExt};
use greeter_stream::generated::greeter::{StreamReqData, StreamResData};
use grpcio::{RpcStatusCode, WriteFlags};
use grpcio_streams::{client as calls, Call, Observer, Outcome, Requests, Status};
use parking_lot::Mutex;
use testkit::folder::Folder;
use testkit::raw;
use testkit::served::serve;
use testkit::wait::{soon, PATIENCE};

use crate::support::callers::{self, hash, with_token};
use crate::support::messages::response;

#[test]
fn a_refused_upload_is_not_read() {
    let folder = Folder::new();
    let mut server = callers::server(&folder, &format!("ann {}", hash("a")));
    let client = raw::client(&server.address);
    let metadata = raw::with_metadata(&with_token("Bearer a", Some("t")));
    let method = raw::method("/Greeter/PutStream");
    let (mut sink, mut receiver) = client.duplex_streaming(&method, metadata).expect("starts");
    // One message is more than the call may send before the server reads.
    let message = [&b"\x0a\x80\x80\x40"[..], &[b'x'; 1 << 20]].concat();
    let sending = async {
        while sink
            .send((message.clone(), WriteFlags::default()))
            .await
            .is_ok()
        {}
    };
    let ended = soon("end", future::join(sending, receiver.next())).1;
    let status = Status::from(ended.expect("a failure").expect_err("a failure"));
    assert_eq!(status.code(), RpcStatusCode::PERMISSION_DENIED);
    server.log.wait_for_all(
        PATIENCE,
        &["(ann) ended", " 0 in, 0 out: PERMISSION_DENIED: "],
    );
}

/// Tells a test the identity and the outcome of each call.
struct Callers(Mutex<mpsc::Sender<(Option<String>, Outcome)>>);

impl Observer for Callers {
    fn ended(&self, call: &Call, outcome: &Outcome) {
        let identity = call.identity().map(str::to_owned);
        let _ = self.0.lock().send((identity, outcome.clone()));
    }
}

#[test]
fn admissions_are_asked_in_order_before_anything_else() {
    let (sender, ended) = mpsc::channel();
    let server = serve(1, |service| {
        service
            .observer(Arc::new(Callers(Mutex::new(sender))))
            .duplex("/test/Open", |_, _: Requests<StreamReqData>| {
                stream::iter([Ok(response(1))])
            })
            .admit(|call| {
                call.identify("first");
                if call.metadata().iter().any(|(key, _)| key == "topic") {
                    Ok(())
                } else {
                    Err(Status::new(RpcStatusCode::ABORTED, "the first says no"))
                }
            })
            .admit(
                |call| match call.metadata().iter().find(|(key, _)| *key == "topic") {
                    Some((_, b"panic")) => panic!("an admission"),
                    Some((_, b"good")) => Ok(()),
                    _ => Err(Status::new(RpcStatusCode::ABORTED, "the second says no")),
                },
            )
            .duplex(
                "/test/Guarded",
                |call: Arc<Call>, _: Requests<StreamReqData>| {
                    stream::iter([Ok(response(call.identity().unwrap_or("nobody")))])
                },
            )
    });
    let client = raw::client(&server.address);
    let reach = |method, metadata: &[(&str, &str)]| {
        let options = raw::with_metadata(metadata);
        let requests = stream::iter([] as [Result<StreamReqData, Status>; 0]);
        let responses = calls::duplex(&client, method, requests, options).expect("starts");
        let data = responses.map_ok(|response: StreamResData| response.data);
        let ended_so: Result<Vec<_>, Status> = soon("end", data.try_collect());
        let (identity, outcome) = ended.recv_timeout(PATIENCE).expect("ended");
        assert_eq!(outcome.received, 0);
        (ended_so.map_err(|status| status.to_string()), identity)
    };
    let first = Some("first".to_owned());
    let guarded = "/test/Guarded";
    assert_eq!(reach("/test/Open", &[]), (Ok(vec!["1".to_owned()]), None));
    assert_eq!(
        reach(guarded, &[]),
        (Err("ABORTED: the first says no".to_owned()), first.clone())
    );
    let second = (Err("ABORTED: the second says no".to_owned()), first.clone());
    assert_eq!(reach(guarded, &[("topic", "bad")]), second);
    let panicked = "INTERNAL: the admission of this call panicked".to_owned();
    assert_eq!(
        reach(guarded, &[("topic", "panic")]),
        (Err(panicked), first.clone())
    );
    assert_eq!(
        reach(guarded, &[("topic", "good")]),
        (Ok(vec!["first".to_owned()]), first)
    );
}
