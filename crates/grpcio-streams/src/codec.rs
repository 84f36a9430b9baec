//! How messages become bytes and back.

use grpcio::{Marshaller, MessageReader, Method, MethodType};
use protobuf::Message;

/// The description of a method that the binding asks for.
pub(crate) fn method<Req, Resp>(
    path: &'static str,
    requests: Marshaller<Req>,
    responses: Marshaller<Resp>,
) -> Method<Req, Resp> {
    Method {
        // The binding stores it and never reads it.
        ty: MethodType::Duplex,
        name: path,
        req_mar: requests,
        resp_mar: responses,
    }
}

/// Encodes and parses protobuf messages.
pub(crate) fn protobuf<T: Message>() -> Marshaller<T> {
    Marshaller {
        ser: grpcio::pb_ser,
        de: grpcio::pb_de,
    }
}

/// Hands over received messages as bytes, for a receiver that checks their length before it calls
/// [`parse`]. They are never sent.
pub(crate) fn unparsed() -> Marshaller<MessageReader> {
    Marshaller {
        ser: |_, _| {
            Err(grpcio::Error::Codec(
                "this side receives such messages only".into(),
            ))
        },
        de: Ok,
    }
}

/// Parses a message, whatever its length.
///
/// # Errors
///
/// What is wrong with the message, in words.
pub(crate) fn parse<T: Message>(message: MessageReader) -> Result<T, String> {
    grpcio::pb_de(message).map_err(|e| match e {
        // The binding's own text is debug output.
        grpcio::Error::Codec(e) => e.to_string(),
        other => other.to_string(),
    })
}
