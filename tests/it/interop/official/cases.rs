//! The cases for a client: what it calls, and what it has to get.

use std::path::Path;
use std::time::Duration;

use futures::channel::mpsc::{unbounded, UnboundedSender};
use futures::{stream, StreamExt, TryStreamExt};
use greeter_stream::client::ClientTls;
use grpcio::{CallOption, Client, RpcStatusCode};
use grpcio_streams::client::{self, Conversation, Responses};
use grpcio_streams::Status;
use protobuf::Message;
use testkit::raw;
use testkit::wait::{next, soon};

use super::certificates::Certificates;
use super::generated::grpc_testing::{
    EchoStatus, Empty, ResponseParameters, SimpleRequest, SimpleResponse,
    StreamingInputCallRequest, StreamingInputCallResponse, StreamingOutputCallRequest,
    StreamingOutputCallResponse,
};
use super::service::{
    payload, EMPTY_CALL, FULL_DUPLEX_CALL, HALF_DUPLEX_CALL, STREAMING_INPUT_CALL,
    STREAMING_OUTPUT_CALL, UNARY_CALL,
};
use super::SOAK_CALLS;

/// The lengths of the payloads of streams, in bytes.
const REQUESTS: [i32; 4] = [27_182, 8, 1_828, 45_904];
const RESPONSES: [i32; 4] = [31_415, 9, 2_653, 58_979];

/// A server that has the test service.
pub struct Target {
    address: String,
    tls: Option<ClientTls>,
}

impl Target {
    /// The server at `address`, which uses TLS if there are certificates.
    pub fn new(address: impl ToString, tls: Option<&Certificates>) -> Self {
        let trusting = |tls: &Certificates| ClientTls::new().ca(Path::new(&tls.ca)).expect("a CA");
        Self {
            address: address.to_string(),
            tls: tls.map(trusting),
        }
    }

    /// A client with a connection of its own.
    pub fn client(&self) -> Client {
        let mut builder = raw::channel_builder();
        if let Some(tls) = &self.tls {
            builder = tls.secure(builder);
        }
        Client::new(builder.connect(&self.address))
    }

    /// The same, once it is connected.
    fn connected(&self) -> Client {
        let client = self.client();
        empty_call(&client);
        client
    }
}

pub fn empty_unary(target: &Target) {
    empty_call(&target.client());
}

pub fn large_unary(target: &Target) {
    large_call(&target.client());
}

pub fn client_streaming(target: &Target) {
    let request = |size| {
        Ok::<_, Status>(StreamingInputCallRequest {
            payload: Some(payload(size)?).into(),
            ..Default::default()
        })
    };
    let (client, requests) = (target.client(), stream::iter(REQUESTS.map(request)));
    let options = CallOption::default();
    let call = client::client_streaming(&client, STREAMING_INPUT_CALL, requests, options);
    let response: StreamingInputCallResponse = soon("the response", call).expect("OK");
    assert_eq!(response.aggregated_payload_size, 74_922);
}

pub fn server_streaming(target: &Target) {
    let request = asking_for(&RESPONSES);
    let options = CallOption::default();
    let client = target.client();
    let responses = client::server_streaming(&client, STREAMING_OUTPUT_CALL, &request, options);
    let responses: Responses<StreamingOutputCallResponse> = responses.expect("starts");
    let lengths = responses.map_ok(|response| response.payload.body.len() as i32);
    let lengths = soon("all responses", lengths.try_collect::<Vec<_>>());
    assert_eq!(lengths, Ok(RESPONSES.to_vec()));
}

pub fn ping_pong(target: &Target) {
    let mut call = Duplex::start(&target.client(), FULL_DUPLEX_CALL, CallOption::default());
    for (request, response) in REQUESTS.into_iter().zip(RESPONSES) {
        call.send(request, &[response]);
        assert_eq!(call.next_length(), response);
    }
    call.half_close();
    assert_eq!(call.end(), Status::ok());
}

pub fn empty_stream(target: &Target) {
    let mut call = Duplex::start(&target.client(), FULL_DUPLEX_CALL, CallOption::default());
    call.half_close();
    assert_eq!(call.end(), Status::ok());
}

pub fn half_duplex(target: &Target) {
    let mut call = Duplex::start(&target.client(), HALF_DUPLEX_CALL, CallOption::default());
    for (request, response) in REQUESTS.into_iter().zip(RESPONSES) {
        call.send(request, &[response]);
    }
    call.half_close();
    assert_eq!(RESPONSES.map(|_| call.next_length()), RESPONSES);
    assert_eq!(call.end(), Status::ok());
}

pub fn timeout_on_sleeping_server(target: &Target) {
    let options = CallOption::default().timeout(Duration::from_millis(1));
    let mut call = Duplex::start(&target.connected(), FULL_DUPLEX_CALL, options);
    call.send(REQUESTS[0], &[]);
    let status = call.end();
    assert_eq!(status.code(), RpcStatusCode::DEADLINE_EXCEEDED, "{status}");
}

/// The call is bidirectional for our client, which hands out the status of a call that it cancels
/// only there. On the wire there is no difference.
pub fn cancel_after_begin(target: &Target) {
    let requests = stream::pending::<Result<StreamingInputCallRequest, Status>>();
    let call = client::duplex(
        &target.connected(),
        STREAMING_INPUT_CALL,
        requests,
        CallOption::default(),
    );
    let mut call: Conversation<StreamingInputCallResponse, _> = call.expect("starts");
    call.cancel();
    let end = soon("the end", call.next()).expect("a failure");
    assert_eq!(end.expect_err("cancelled").code(), RpcStatusCode::CANCELLED);
}

pub fn cancel_after_first_response(target: &Target) {
    let mut call = Duplex::start(&target.client(), FULL_DUPLEX_CALL, CallOption::default());
    call.send(REQUESTS[0], &[RESPONSES[0]]);
    assert_eq!(call.next_length(), RESPONSES[0]);
    call.responses.cancel();
    assert_eq!(call.end().code(), RpcStatusCode::CANCELLED);
}

pub fn status_code_and_message(target: &Target) {
    let client = target.client();
    let status = Status::unknown("test status message");
    assert_eq!(unary_failure(&client, &status), status);

    let mut call = Duplex::start(&client, FULL_DUPLEX_CALL, CallOption::default());
    let request = StreamingOutputCallRequest {
        response_status: Some(echo(&status)).into(),
        ..Default::default()
    };
    call.send_request(request);
    call.half_close();
    assert_eq!(call.end(), status);
}

pub fn special_status_message(target: &Target) {
    let message = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n";
    let status = Status::unknown(message);
    assert_eq!(unary_failure(&target.client(), &status), status);
}

pub fn unimplemented_method(target: &Target) {
    is_unimplemented(target, "/grpc.testing.TestService/UnimplementedCall");
}

pub fn unimplemented_service(target: &Target) {
    is_unimplemented(
        target,
        "/grpc.testing.UnimplementedService/UnimplementedCall",
    );
}

pub fn rpc_soak(target: &Target) {
    let client = target.client();
    (0..SOAK_CALLS).for_each(|_| large_call(&client));
}

pub fn channel_soak(target: &Target) {
    (0..SOAK_CALLS).for_each(|_| large_call(&target.client()));
}

/// A bidirectional call whose requests a test sends one by one.
struct Duplex {
    requests: Option<UnboundedSender<Result<StreamingOutputCallRequest, Status>>>,
    responses: Conversation<StreamingOutputCallResponse, Status>,
}

impl Duplex {
    fn start(client: &Client, path: &'static str, options: CallOption) -> Self {
        let (requests, sent) = unbounded();
        let responses = client::duplex(client, path, sent, options);
        Self {
            requests: Some(requests),
            responses: responses.expect("starts"),
        }
    }

    /// Sends a request with a payload of `size` bytes, which asks for responses of these lengths.
    fn send(&mut self, size: i32, responses: &[i32]) {
        self.send_request(StreamingOutputCallRequest {
            payload: Some(payload(size).expect("a length")).into(),
            ..asking_for(responses)
        });
    }

    fn send_request(&mut self, request: StreamingOutputCallRequest) {
        let requests = self.requests.as_ref().expect("not half-closed");
        requests.unbounded_send(Ok(request)).expect("not ended");
    }

    fn half_close(&mut self) {
        self.requests = None;
    }

    /// The length of the payload of the next response.
    fn next_length(&mut self) -> i32 {
        next("a response", &mut self.responses).payload.body.len() as i32
    }

    /// The status of the call, which has no more responses.
    fn end(&mut self) -> Status {
        match soon("the end", self.responses.next()) {
            None => Status::ok(),
            Some(end) => end.expect_err("no more responses"),
        }
    }
}

fn asking_for(sizes: &[i32]) -> StreamingOutputCallRequest {
    let response = |size: &i32| ResponseParameters {
        size: *size,
        ..Default::default()
    };
    StreamingOutputCallRequest {
        response_parameters: sizes.iter().map(response).collect(),
        ..Default::default()
    }
}

fn echo(status: &Status) -> EchoStatus {
    EchoStatus {
        code: status.code().into(),
        message: status.message().to_owned(),
        ..Default::default()
    }
}

fn unary<Resp: Message>(
    client: &Client,
    path: &'static str,
    request: &impl Message,
) -> Result<Resp, Status> {
    let call = client::unary(client, path, request, CallOption::default());
    soon("the response", call)
}

fn empty_call(client: &Client) {
    assert_eq!(unary(client, EMPTY_CALL, &Empty::new()), Ok(Empty::new()));
}

fn large_call(client: &Client) {
    let request = SimpleRequest {
        response_size: 314_159,
        payload: Some(payload(271_828).expect("a length")).into(),
        ..Default::default()
    };
    let response: SimpleResponse = unary(client, UNARY_CALL, &request).expect("OK");
    assert_eq!(
        response.payload,
        Some(payload(314_159).expect("a length")).into()
    );
}

/// The status of a unary call that asks for this status.
fn unary_failure(client: &Client, status: &Status) -> Status {
    let request = SimpleRequest {
        response_status: Some(echo(status)).into(),
        ..Default::default()
    };
    unary::<SimpleResponse>(client, UNARY_CALL, &request).expect_err("a status")
}

fn is_unimplemented(target: &Target, path: &'static str) {
    let status = unary::<Empty>(&target.client(), path, &Empty::new()).expect_err("a status");
    assert_eq!(status.code(), RpcStatusCode::UNIMPLEMENTED, "{status}");
}
