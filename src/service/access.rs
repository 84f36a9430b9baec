//! What a call would do with a topic, known from its headers alone: for those who ask whether it
//! may.

use grpcio::Metadata;

use super::metadata::{self, Keys};
use super::{ALL_STREAM, GET_STREAM, PUT_STREAM};
use grpcio_streams::{Call, Status};
use topic_log::Name;

/// What a call would do with a topic: GetStream reads, PutStream writes, AllStream does both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Access {
    pub(crate) topic: Name,
    pub(crate) reads: bool,
    pub(crate) writes: bool,
}

/// What a call would do with a topic; None for one that names none, and for other services.
///
/// # Errors
///
/// INVALID_ARGUMENT as the call itself would have it, for metadata that is wrong.
pub(crate) fn access(call: &Call) -> Result<Option<Access>, Status> {
    of(call.method(), call.metadata())
}

fn of(method: &str, metadata: &Metadata) -> Result<Option<Access>, Status> {
    let keys = match method {
        GET_STREAM => Keys::Get,
        PUT_STREAM => Keys::Put,
        ALL_STREAM => Keys::All,
        _ => return Ok(None),
    };
    let request = metadata::request(metadata, keys)?;
    Ok(request.map(|request| Access {
        topic: request.topic,
        reads: keys != Keys::Put,
        writes: keys != Keys::Get,
    }))
}

#[cfg(test)]
mod tests {
    use grpcio::{MetadataBuilder, RpcStatusCode};

    use super::*;

    #[test]
    fn each_call_needs_what_it_does() {
        let metadata = |topic: Option<&str>| {
            let mut metadata = MetadataBuilder::new();
            if let Some(topic) = topic {
                metadata.add_str("topic", topic).unwrap();
            }
            metadata.build()
        };
        for (method, reads, writes) in [
            (GET_STREAM, true, false),
            (PUT_STREAM, false, true),
            (ALL_STREAM, true, true),
        ] {
            let topic = Name::new("a/b").unwrap();
            let expected = Access {
                topic,
                reads,
                writes,
            };
            assert_eq!(of(method, &metadata(Some("a/b"))), Ok(Some(expected)));
            assert_eq!(of(method, &metadata(None)), Ok(None));
            let wrong = of(method, &metadata(Some("a b"))).map_err(|status| status.code());
            assert_eq!(wrong, Err(RpcStatusCode::INVALID_ARGUMENT));
        }
        assert_eq!(
            of("/grpc.health.v1.Health/Check", &metadata(Some("a b"))),
            Ok(None)
        );
    }
}
