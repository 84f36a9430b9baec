//! Calls with one request and one response.

use futures::stream;
use grpcio::{CallOption, RpcStatusCode};
use grpcio_streams::{client, Status};
use protobuf::well_known_types::wrappers::StringValue;

use crate::support::{serve, soon, text, Served};

fn call(served: &Served, path: &'static str, request: &str) -> Result<StringValue, Status> {
    let request = text(request);
    let response = client::unary(&served.client, path, &request, CallOption::default());
    soon("response", response)
}

#[test]
fn a_unary_call_returns_its_response_or_its_status() {
    let served = serve(|service| {
        service.unary("/test.Test/Upper", |_, request: StringValue| async move {
            if request.value.is_empty() {
                return Err(Status::invalid_argument("the text is empty"));
            }
            Ok(text(request.value.to_uppercase()))
        })
    });
    assert_eq!(call(&served, "/test.Test/Upper", "a"), Ok(text("A")));
    assert_eq!(
        call(&served, "/test.Test/Upper", ""),
        Err(Status::invalid_argument("the text is empty"))
    );
    let missing = call(&served, "/test.Test/Lower", "A").expect_err("no such method");
    assert_eq!(missing.code(), RpcStatusCode::UNIMPLEMENTED);
}

#[test]
fn an_ok_without_exactly_one_response_is_unimplemented() {
    let served = serve(|service| {
        service.server_streaming("/test.Test/Repeat", |_, request: StringValue| {
            let responses = request.value.chars().map(|c| Ok(text(c)));
            stream::iter(responses.collect::<Vec<_>>())
        })
    });
    assert_eq!(call(&served, "/test.Test/Repeat", "a"), Ok(text("a")));
    for (request, sent) in [("", "no response"), ("ab", "more than one response")] {
        assert_eq!(
            call(&served, "/test.Test/Repeat", request),
            Err(Status::unimplemented(format!(
                "the server ended the call with OK but sent {sent}"
            )))
        );
    }
}
