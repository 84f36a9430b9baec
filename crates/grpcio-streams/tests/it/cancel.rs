//! Clients that cancel their calls, and see how they end.

use std::sync::mpsc::{channel, Receiver, Sender};
use std::sync::Arc;

use futures::{stream, Stream, StreamExt};
use grpcio::{CallOption, RpcStatusCode};
use grpcio_streams::client::{self, Conversation, Responses};
use grpcio_streams::{Call, Observer, Outcome, Requests, Status};
use parking_lot::Mutex;
use protobuf::well_known_types::wrappers::StringValue;

use crate::support::{serve, soon, text, Served, PATIENCE};

/// Reports the end of each call to the test.
struct Ends(Mutex<Sender<Outcome>>);

impl Observer for Ends {
    fn ended(&self, _: &Call, outcome: &Outcome) {
        let _ = self.0.lock().send(outcome.clone());
    }
}

/// One message, and then nothing more.
fn one_message() -> impl Stream<Item = Result<StringValue, Status>> + Send {
    stream::iter([Ok(text("first"))]).chain(stream::pending())
}

fn serve_endless() -> (Served, Receiver<Outcome>) {
    let (sender, outcomes) = channel();
    let served = serve(|service| {
        service
            .observer(Arc::new(Ends(Mutex::new(sender))))
            .duplex("/test.Test/Duplex", |_, _: Requests<StringValue>| {
                one_message()
            })
            .server_streaming("/test.Test/Get", |_, _: StringValue| one_message())
            .unary("/test.Test/Echo", |_, request: StringValue| async {
                Ok(request)
            })
    });
    (served, outcomes)
}

fn converse(served: &Served) -> Conversation<StringValue, Status> {
    let options = CallOption::default();
    client::duplex(&served.client, "/test.Test/Duplex", one_message(), options).expect("starts")
}

fn get(served: &Served, path: &'static str) -> Responses<StringValue> {
    let options = CallOption::default();
    client::server_streaming(&served.client, path, &text("first"), options).expect("starts")
}

/// Reads the rest of a call that has been cancelled.
fn failure(stream: &mut (impl Stream<Item = Result<StringValue, Status>> + Unpin)) -> Status {
    let status = soon("status", stream.next()).expect("a failure");
    let status = status.expect_err("no more messages");
    assert_eq!(soon("end", stream.next()), None);
    status
}

fn assert_server_saw_cancellation(outcomes: &Receiver<Outcome>) {
    let outcome = outcomes.recv_timeout(PATIENCE).expect("the call ends");
    assert_eq!(outcome.status.code(), RpcStatusCode::CANCELLED);
}

#[test]
fn a_conversation_that_is_cancelled_ends_with_cancelled() {
    let (served, outcomes) = serve_endless();
    let mut conversation = converse(&served);
    let first = soon("message", conversation.next());
    assert_eq!(first, Some(Ok(text("first"))));
    assert_eq!(conversation.status(), None);

    conversation.cancel();
    assert_server_saw_cancellation(&outcomes);
    let status = failure(&mut conversation);
    assert_eq!(status.code(), RpcStatusCode::CANCELLED);
    assert_eq!(conversation.status(), Some(&status));
    conversation.cancel();
    assert_eq!(conversation.status(), Some(&status));
}

#[test]
fn responses_that_are_cancelled_end_with_cancelled() {
    let (served, outcomes) = serve_endless();
    let mut responses = get(&served, "/test.Test/Get");
    let first = soon("message", responses.next());
    assert_eq!(first, Some(Ok(text("first"))));
    assert_eq!(responses.status(), None);

    responses.cancel();
    assert_server_saw_cancellation(&outcomes);
    let status = failure(&mut responses);
    assert_eq!(status.code(), RpcStatusCode::CANCELLED);
    assert_eq!(responses.status(), Some(&status));
}

#[test]
fn a_call_that_is_cancelled_before_its_answer_has_no_metadata() {
    let served = serve(|service| {
        service.duplex("/test.Test/Duplex", |_, _: Requests<StringValue>| {
            stream::pending::<Result<StringValue, Status>>()
        })
    });
    let mut conversation = converse(&served);
    conversation.cancel();
    for _ in 0..2 {
        let metadata = soon("metadata", conversation.metadata());
        let status = metadata.expect_err("cancelled");
        assert_eq!(status.code(), RpcStatusCode::CANCELLED);
    }
    assert_eq!(failure(&mut conversation).code(), RpcStatusCode::CANCELLED);
}

#[test]
fn cancelling_drops_the_stream_of_requests() {
    let (served, _outcomes) = serve_endless();
    let held = Arc::new(());
    let weak = Arc::downgrade(&held);
    let requests = stream::poll_fn(move |_| {
        let _ = &held;
        std::task::Poll::<Option<Result<StringValue, Status>>>::Pending
    });
    let options = CallOption::default();
    let conversation = client::duplex(&served.client, "/test.Test/Duplex", requests, options);
    let mut conversation: Conversation<StringValue, _> = conversation.expect("starts");
    let first = soon("message", conversation.next());
    assert_eq!(first, Some(Ok(text("first"))));
    assert!(weak.upgrade().is_some());
    conversation.cancel();
    assert!(weak.upgrade().is_none());
}

#[test]
fn cancelling_a_call_that_has_ended_changes_nothing() {
    let (served, _outcomes) = serve_endless();
    let mut responses = get(&served, "/test.Test/Echo");
    let first = soon("message", responses.next());
    assert_eq!(first, Some(Ok(text("first"))));
    assert_eq!(soon("end", responses.next()), None);
    assert_eq!(responses.status(), Some(&Status::ok()));
    responses.cancel();
    assert_eq!(responses.status(), Some(&Status::ok()));
    assert_eq!(soon("end", responses.next()), None);
}
