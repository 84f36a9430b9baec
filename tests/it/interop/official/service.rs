//! `grpc.testing.TestService` on our adapters.

use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use futures::{stream, Stream, StreamExt, TryStreamExt};
use futures_timer::Delay;
use grpcio::{MetadataBuilder, RpcStatusCode};
use grpcio_serve::{Server, ServerTls, Service};
use grpcio_streams::{Call, Requests, ServiceBuilder, Status};
use protobuf::reflect::FileDescriptor;

use super::certificates::Certificates;
use super::generated::grpc_testing::{
    file_descriptor, EchoStatus, Empty, Payload, ResponseParameters, SimpleRequest, SimpleResponse,
    StreamingInputCallRequest, StreamingInputCallResponse, StreamingOutputCallRequest,
    StreamingOutputCallResponse,
};

pub const EMPTY_CALL: &str = "/grpc.testing.TestService/EmptyCall";
pub const UNARY_CALL: &str = "/grpc.testing.TestService/UnaryCall";
pub const STREAMING_OUTPUT_CALL: &str = "/grpc.testing.TestService/StreamingOutputCall";
pub const STREAMING_INPUT_CALL: &str = "/grpc.testing.TestService/StreamingInputCall";
pub const FULL_DUPLEX_CALL: &str = "/grpc.testing.TestService/FullDuplexCall";
pub const HALF_DUPLEX_CALL: &str = "/grpc.testing.TestService/HalfDuplexCall";

/// The request metadata that the service sends back as response metadata.
pub const ECHO_INITIAL: &str = "x-grpc-test-echo-initial";

/// Serves it on a free port until the server is dropped, with TLS if there are certificates.
pub fn serve(tls: Option<&Certificates>) -> Server {
    let builder = Server::builder()
        .listen(([127, 0, 0, 1], 0).into())
        .service(TestService);
    let builder = match tls {
        None => builder,
        Some(tls) => builder.tls(ServerTls::new(&tls.certificate, &tls.key)),
    };
    builder.start().expect("a free port and good certificates")
}

struct TestService;

impl Service for TestService {
    fn methods(self: Arc<Self>, builder: ServiceBuilder) -> ServiceBuilder {
        builder
            .unary(EMPTY_CALL, |_, _: Empty| ready(Ok(Empty::new())))
            .unary(UNARY_CALL, |call, request: SimpleRequest| {
                ready(echo_metadata(&call).and_then(|()| answer(&request)))
            })
            .server_streaming(STREAMING_OUTPUT_CALL, |_, request| answers(request))
            .client_streaming(STREAMING_INPUT_CALL, |_, requests| total(requests))
            .duplex(FULL_DUPLEX_CALL, |call, requests: Requests<_>| {
                let echoed = stream::iter(echo_metadata(&call).err().map(Err));
                echoed.chain(requests.map_ok(answers).try_flatten())
            })
            .duplex(HALF_DUPLEX_CALL, |_, requests: Requests<_>| {
                let all = stream::once(requests.try_collect::<Vec<_>>());
                all.map_ok(|all| stream::iter(all).flat_map(answers))
                    .try_flatten()
            })
    }

    fn files(&self) -> Vec<FileDescriptor> {
        vec![file_descriptor().clone()]
    }
}

/// A payload of this many bytes.
pub fn payload(size: i32) -> Result<Payload, Status> {
    let size = usize::try_from(size)
        .map_err(|_| Status::invalid_argument(format!("the size {size} of a payload")))?;
    Ok(Payload {
        body: vec![0; size],
        ..Default::default()
    })
}

fn echo_metadata(call: &Call) -> Result<(), Status> {
    let mut echo = MetadataBuilder::new();
    for (key, value) in call
        .metadata()
        .iter()
        .filter(|(key, _)| *key == ECHO_INITIAL)
    {
        let value = String::from_utf8_lossy(value);
        echo.add_str(key, &value).map_err(Status::from)?;
    }
    call.respond_with(echo.build());
    Ok(())
}

/// Fails with the status that a request asks for, if it asks for one.
fn echo_status(asked: Option<&EchoStatus>) -> Result<(), Status> {
    match asked {
        Some(asked) if asked.code != 0 => {
            let code = RpcStatusCode::from(asked.code);
            Err(Status::new(code, asked.message.as_str()))
        }
        _ => Ok(()),
    }
}

fn answer(request: &SimpleRequest) -> Result<SimpleResponse, Status> {
    echo_status(request.response_status.as_ref())?;
    Ok(SimpleResponse {
        payload: Some(payload(request.response_size)?).into(),
        ..Default::default()
    })
}

fn answers(
    request: StreamingOutputCallRequest,
) -> impl Stream<Item = Result<StreamingOutputCallResponse, Status>> {
    let refused = echo_status(request.response_status.as_ref()).err();
    let wanted = match refused {
        None => request.response_parameters,
        Some(_) => Vec::new(),
    };
    stream::iter(refused.map(Err)).chain(stream::iter(wanted).then(one_answer))
}

async fn one_answer(wanted: ResponseParameters) -> Result<StreamingOutputCallResponse, Status> {
    if let Ok(wait @ 1..) = u64::try_from(wanted.interval_us) {
        Delay::new(Duration::from_micros(wait)).await;
    }
    Ok(StreamingOutputCallResponse {
        payload: Some(payload(wanted.size)?).into(),
        ..Default::default()
    })
}

async fn total(
    requests: Requests<StreamingInputCallRequest>,
) -> Result<StreamingInputCallResponse, Status> {
    let lengths = requests.map_ok(|request| request.payload.body.len());
    let total = lengths.try_fold(0, |total, length| ready(Ok(total + length)));
    let aggregated_payload_size = i32::try_from(total.await?)
        .map_err(|_| Status::out_of_range("the payloads are longer than 2 GiB"))?;
    Ok(StreamingInputCallResponse {
        aggregated_payload_size,
        ..Default::default()
    })
}
