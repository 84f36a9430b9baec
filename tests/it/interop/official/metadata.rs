//! Response metadata that a server sends before its first message. Servers on our adapters cannot:
//! see `tests/it/calls/metadata.rs`.

use futures::{stream, FutureExt, StreamExt};
use grpcio::{Client, Metadata};
use grpcio_streams::client::{self, Conversation, Responses};
use grpcio_streams::Status;
use protobuf::Message;
use testkit::raw::{self, with_metadata};
use testkit::wait::{next, soon};

use super::generated::grpc_testing::{
    ResponseParameters, SimpleRequest, SimpleResponse, StreamingOutputCallRequest,
    StreamingOutputCallResponse,
};
use super::service::{ECHO_INITIAL, FULL_DUPLEX_CALL, UNARY_CALL};
use super::their_server::TheirServer;

const VALUE: &str = "test_initial_metadata_value";

/// Starts a call of a method that sends this metadata back.
fn start<Resp: Message>(
    client: &Client,
    path: &'static str,
    request: &impl Message,
) -> Responses<Resp> {
    let options = with_metadata(&[(ECHO_INITIAL, VALUE)]);
    client::server_streaming(client, path, request, options).expect("starts")
}

fn assert_echoed(metadata: &Metadata) {
    let mut values = metadata.iter().filter(|(key, _)| *key == ECHO_INITIAL);
    assert_eq!(values.next(), Some((ECHO_INITIAL, VALUE.as_bytes())));
    assert_eq!(values.next(), None);
}

#[test]
fn a_conversation_has_them_before_anything_is_said() {
    let server = TheirServer::start(None);
    let client = raw::client(&server.address);
    let silent = stream::pending::<Result<StreamingOutputCallRequest, Status>>();
    let options = with_metadata(&[(ECHO_INITIAL, VALUE)]);
    let call = client::duplex(&client, FULL_DUPLEX_CALL, silent, options);
    let mut call: Conversation<StreamingOutputCallResponse, _> = call.expect("starts");
    assert_echoed(&soon("metadata", call.metadata()).expect("an open call"));
    assert!(call.next().now_or_never().is_none());
}

#[test]
fn a_stream_has_them_before_its_first_message() {
    let server = TheirServer::start(None);
    let client = raw::client(&server.address);
    let in_half_an_hour = ResponseParameters {
        interval_us: 30 * 60 * 1_000_000,
        ..Default::default()
    };
    let request = StreamingOutputCallRequest {
        response_parameters: vec![in_half_an_hour],
        ..Default::default()
    };
    let mut call: Responses<StreamingOutputCallResponse> =
        start(&client, FULL_DUPLEX_CALL, &request);
    assert_echoed(&soon("metadata", call.metadata()).expect("an open call"));
    assert!(call.next().now_or_never().is_none());
}

#[test]
fn a_single_response_comes_with_metadata() {
    let server = TheirServer::start(None);
    let client = raw::client(&server.address);
    let mut call: Responses<SimpleResponse> = start(&client, UNARY_CALL, &SimpleRequest::new());
    assert_echoed(&soon("metadata", call.metadata()).expect("an open call"));
    next("the response", &mut call);
    assert_eq!(soon("the end", call.next()), None);
}
