//! Calls with arbitrary bytes as messages.

use grpcio::{
    CallOption, Channel, ChannelBuilder, GrpcSlice, Marshaller, MessageReader, MetadataBuilder,
    Method, MethodType,
};
use grpcio_streams::Queues;
use std::io::Read;

// The binding wants a function of the message type itself.
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

/// The method at `path` with bytes for messages, as a bidirectional one.
pub fn method(path: &'static str) -> Method<Vec<u8>, Vec<u8>> {
    Method {
        ty: MethodType::Duplex,
        name: path,
        req_mar: Marshaller { ser, de },
        resp_mar: Marshaller { ser, de },
    }
}

pub fn channel(address: &str) -> Channel {
    let queues = Queues::start("test", 1);
    // One connection each, also where several channels go to one address.
    ChannelBuilder::new(queues.env())
        .raw_cfg_int(c"grpc.use_local_subchannel_pool".into(), 1)
        .max_send_message_len(-1)
        .connect(address)
}

/// The binding's own client, as any generated code uses it.
pub fn client(address: &str) -> grpcio::Client {
    grpcio::Client::new(channel(address))
}

/// Calls with this request metadata.
pub fn with_metadata(metadata: &[(&str, &str)]) -> CallOption {
    let mut headers = MetadataBuilder::new();
    for (key, value) in metadata {
        headers.add_str(key, value).expect("good metadata");
    }
    CallOption::default().headers(headers.build())
}
