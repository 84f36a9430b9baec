//! Responses that are longer than the client takes.

use futures::{stream, StreamExt};
use grpcio::CallOption;
use grpcio_streams::client::{self, Options};
use grpcio_streams::{Status, TooLong};
use protobuf::well_known_types::wrappers::StringValue;

use crate::support::{serve, soon, text};

const TWO: &str = "/test.Test/Two";

#[test]
fn a_response_that_is_too_long_ends_the_call_and_is_measured() {
    let served = serve(|service| {
        service.server_streaming(TWO, |_, _: StringValue| {
            stream::iter(["short", "much longer"].map(|value| Ok(text(value))))
        })
    });
    let call = |options: Options| {
        client::server_streaming::<_, StringValue>(&served.client, TWO, &text(""), options)
            .expect("starts")
    };
    // A text of 11 bytes takes 13 as encoded.
    let limited = |limit| Options::from(CallOption::default()).max_message_bytes(limit);
    let mut responses = call(limited(12));
    assert_eq!(soon("first", responses.next()), Some(Ok(text("short"))));
    let Some(Err(status)) = soon("end", responses.next()) else {
        panic!("not refused");
    };
    assert_eq!(
        status.to_string(),
        "RESOURCE_EXHAUSTED: message 2 of the call has 13 bytes, and this client accepts at most 12"
    );
    let measured = TooLong {
        bytes: 13,
        limit: 12,
    };
    assert_eq!(status.too_long(), Some(measured));
    assert_eq!(soon("end", responses.next()), None);
    assert_eq!(responses.status(), Some(&status));

    let all = call(limited(13)).collect::<Vec<_>>();
    assert_eq!(soon("end", all).len(), 2);
}

#[test]
fn a_status_of_the_other_side_names_no_message_that_this_side_refused() {
    let served = serve(|service| {
        let echo = |_, request: StringValue| async { Ok::<_, Status>(request) };
        service.max_message_bytes(1).unary(TWO, echo)
    });
    let (long, options) = (text("long"), CallOption::default());
    let call = client::unary::<_, StringValue>(&served.client, TWO, &long, options);
    let status = soon("answer", call).expect_err("refused");
    assert_eq!(status.too_long(), None);
}
