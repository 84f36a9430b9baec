//! Calls through the binding's own client, with protobuf messages or with arbitrary bytes.

use std::io::Read;

use futures::stream;
use grpcio::{
    CallOption, Channel, ChannelBuilder, Client, GrpcSlice, Marshaller, MessageReader,
    MetadataBuilder, Method, MethodType,
};
use grpcio_streams::{client as calls, Queues, Status};
use protobuf::Message;

use crate::wait::soon;

// The binding requires a function with this exact type.
#[allow(clippy::ptr_arg)]
fn ser(bytes: &Vec<u8>, slice: &mut GrpcSlice) -> grpcio::Result<()> {
    *slice = GrpcSlice::from(bytes.clone());
    Ok(())
}

fn de(mut reader: MessageReader) -> grpcio::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader
        .read_to_end(&mut bytes)
        .map_err(|e| grpcio::Error::Codec(Box::new(e)))?;
    Ok(bytes)
}

/// The method at `path` as a bidirectional one, with bytes for messages.
pub fn method(path: &'static str) -> Method<Vec<u8>, Vec<u8>> {
    Method {
        ty: MethodType::Duplex,
        name: path,
        req_mar: Marshaller { ser, de },
        resp_mar: Marshaller { ser, de },
    }
}

/// Builds a channel with its own completion queue and connection. It sends messages of any length.
pub fn channel_builder() -> ChannelBuilder {
    let queues = Queues::start("test", 1);
    // Otherwise channels to the same address share a connection.
    ChannelBuilder::new(queues.env())
        .raw_cfg_int(c"grpc.use_local_subchannel_pool".into(), 1)
        .enable_retry(false)
        .max_send_message_len(-1)
}

/// Such a channel, in plaintext.
pub fn channel(address: &str) -> Channel {
    channel_builder().connect(address)
}

/// The binding's own client, as generated code uses it, on a [channel] of its own.
pub fn client(address: &str) -> Client {
    Client::new(channel(address))
}

/// The options of a call with this request metadata.
pub fn with_metadata(metadata: &[(&str, &str)]) -> CallOption {
    let mut headers = MetadataBuilder::new();
    for (key, value) in metadata {
        headers.add_str(key, value).expect("good metadata");
    }
    CallOption::default().headers(headers.build())
}

/// Makes a unary call. Panics when it takes longer than [`PATIENCE`](crate::wait::PATIENCE).
///
/// # Errors
///
/// The status of the call if it is not OK.
pub fn unary<Req: Message, Resp: Message>(
    client: &Client,
    path: &'static str,
    request: Req,
) -> Result<Resp, Status> {
    let requests = stream::iter([Ok::<_, Status>(request)]);
    let call = calls::client_streaming(client, path, requests, CallOption::default());
    soon(path, call)
}
