//! Messages that cannot be parsed.

use futures::{stream, StreamExt};
use grpcio::CallOption;
use grpcio_streams::{client, Status};
use protobuf::well_known_types::wrappers::{BytesValue, StringValue};

use crate::support::{serve, soon, text};

/// On the wire a [`StringValue`] that is not UTF-8.
fn not_text() -> BytesValue {
    BytesValue {
        value: vec![0xff, 0xfe],
        ..Default::default()
    }
}

#[test]
fn a_request_that_cannot_be_parsed_is_internal_and_says_why() {
    let served = serve(|service| {
        service.duplex("/test.Test/Echo", |_, requests| {
            requests.map(|request: Result<StringValue, Status>| request)
        })
    });
    let requests = stream::iter([Ok::<_, Status>(not_text())]);
    let responses = client::duplex::<_, StringValue, _>(
        &served.client,
        "/test.Test/Echo",
        requests,
        CallOption::default(),
    );
    let failure = soon("end", responses.expect("starts").next());
    assert_eq!(
        failure.expect("a status").expect_err("a failure"),
        Status::internal("message 1 of the call cannot be parsed: Invalid UTF-8 sequence")
    );
}

#[test]
fn a_response_that_cannot_be_parsed_is_internal_and_says_why() {
    let served = serve(|service| {
        service.unary("/test.Test/Bytes", |_, _: StringValue| async {
            Ok(not_text())
        })
    });
    let responses = client::server_streaming::<_, StringValue>(
        &served.client,
        "/test.Test/Bytes",
        &text(""),
        CallOption::default(),
    );
    let failure = soon("end", responses.expect("starts").next());
    assert_eq!(
        failure.expect("a status").expect_err("a failure"),
        Status::internal("a response cannot be parsed: Invalid UTF-8 sequence")
    );
}
