//! Response metadata, before the first message.

use std::sync::Arc;

use futures::{stream, StreamExt, TryStreamExt};
use grpcio::{CallOption, ChannelBuilder, Environment, Metadata, MetadataBuilder, RpcStatusCode};
use grpcio_streams::client::{self, Conversation, Responses};
use grpcio_streams::{Requests, Status};
use protobuf::well_known_types::wrappers::StringValue;

use crate::support::{serve, soon, text, Served};

const COUNT: &str = "/test.Test/Count";

/// A server that answers after the third request, with metadata.
fn serve_count() -> Served {
    serve(|service| {
        service.duplex(COUNT, |call, requests: Requests<StringValue>| {
            let first_three = requests.take(3).try_collect::<Vec<_>>();
            stream::once(async move {
                let mut metadata = MetadataBuilder::new();
                metadata.add_str("count", "3").map_err(Status::from)?;
                call.respond_with(metadata.build());
                let requests = first_three.await?;
                if requests.len() < 3 {
                    return Err(Status::failed_precondition("three requests are needed"));
                }
                Ok(text("three"))
            })
        })
    })
}

fn converse(
    client: &grpcio::Client,
    requests: Vec<Result<StringValue, Status>>,
) -> Conversation<StringValue, Status> {
    let requests = stream::iter(requests);
    client::duplex(client, COUNT, requests, CallOption::default()).expect("starts")
}

/// A client without a server.
fn unconnected() -> grpcio::Client {
    let channel = ChannelBuilder::new(Arc::new(Environment::new(1)));
    grpcio::Client::new(channel.connect("127.0.0.1:1"))
}

fn value<'a>(metadata: &'a Metadata, name: &str) -> Option<&'a [u8]> {
    let mut found = metadata.iter().filter(|(key, _)| *key == name);
    found.next().map(|(_, value)| value)
}

#[test]
fn requests_are_sent_while_the_metadata_is_awaited() {
    let served = serve_count();
    let requests = (0..3).map(|n| Ok(text(n.to_string()))).collect();
    let mut conversation = converse(&served.client, requests);
    for _ in 0..2 {
        let metadata = soon("metadata", conversation.metadata()).expect("metadata");
        assert_eq!(value(&metadata, "count"), Some(&b"3"[..]));
    }
    let response = soon("response", conversation.next());
    assert_eq!(response, Some(Ok(text("three"))));
    assert_eq!(soon("end", conversation.next()), None);
    assert_eq!(conversation.status(), Some(&Status::ok()));
    let metadata = soon("metadata", conversation.metadata()).expect("after the end");
    assert!(metadata.is_empty());
}

#[test]
fn a_call_that_ends_without_a_response_has_no_metadata() {
    let served = serve_count();
    let mut conversation = converse(&served.client, Vec::new());
    let metadata = soon("metadata", conversation.metadata()).expect("a status without metadata");
    assert!(metadata.is_empty());
    let failure = Status::failed_precondition("three requests are needed");
    let end = soon("end", conversation.next());
    assert_eq!(end, Some(Err(failure.clone())));
    assert_eq!(soon("end", conversation.next()), None);
    assert_eq!(conversation.status(), Some(&failure));
}

#[test]
fn requests_that_fail_end_the_wait_for_metadata() {
    let served = serve_count();
    let broken = Status::data_loss("the source of the requests is broken");
    let requests = vec![Ok(text("0")), Err(broken.clone())];
    let mut conversation = converse(&served.client, requests);
    let failure = soon("failure", conversation.metadata()).expect_err("the requests failed");
    assert_eq!(failure, broken);
    assert_eq!(soon("end", conversation.next()), None);
    let status = conversation.status().expect("ended");
    assert_eq!(status.code(), RpcStatusCode::CANCELLED);
}

#[test]
fn without_a_server_the_metadata_fails_with_the_status_of_the_call() {
    let client = unconnected();
    let mut conversation = converse(&client, Vec::new());
    let options = CallOption::default();
    let responses = client::server_streaming(&client, COUNT, &text(""), options);
    let mut responses: Responses<StringValue> = responses.expect("starts");
    for _ in 0..2 {
        for failure in [
            soon("failure", conversation.metadata()),
            soon("failure", responses.metadata()),
        ] {
            let failure = failure.expect_err("no server");
            assert_eq!(failure.code(), RpcStatusCode::UNAVAILABLE, "{failure}");
        }
    }
    for failure in [
        soon("failure", conversation.next()),
        soon("failure", responses.next()),
    ] {
        let failure = failure.expect("a failure").expect_err("no server");
        assert_eq!(failure.code(), RpcStatusCode::UNAVAILABLE, "{failure}");
    }
}
