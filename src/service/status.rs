//! The statuses of calls that name a topic: the one place where a topic's errors become statuses.
//!
//! | what happened | status | reason |
//! |---|---|---|
//! | metadata that is wrong ([`metadata`](super::metadata)) | INVALID_ARGUMENT | |
//! | an offset before the retained tail or beyond the end; a subscriber that fell off the tail | OUT_OF_RANGE | `NO_SUCH_OFFSET` |
//! | an offset of another life of the topic | OUT_OF_RANGE | `OTHER_EPOCH` |
//! | a sequence number that leaves some out | FAILED_PRECONDITION | `SEQUENCE_GAP` |
//! | a sequence number from before the topic knew the producer | FAILED_PRECONDITION | `SEQUENCE_FORGOTTEN` |
//! | a limit of the server | RESOURCE_EXHAUSTED | |
//! | the store cannot read or write now | UNAVAILABLE | |
//! | a message that is stored cannot be read | DATA_LOSS | |
//! | the server is shutting down | UNAVAILABLE | `DRAINING` of a call that was told messages of the topic |
//!
//! A status with a reason carries, for programs, a `google.rpc.ErrorInfo` of the domain
//! `greeter-stream` in its details. With OUT_OF_RANGE its metadata has `topic`, and `epoch`,
//! `earliest` and `next` as the topic has them now; with FAILED_PRECONDITION `topic`, `producer`
//! and the sequence number `expected`, or the `first` that is known; with UNAVAILABLE `topic`,
//! `epoch`, and `next`, the offset of the first message that the call was not told.

use grpcio::RpcStatusCode;
use protobuf::well_known_types::any::Any;
use protobuf::Message;

use crate::generated::rich_status;
use grpcio_streams::Status;
use topic_log::{Bounds, Epoch, Error, Name, Offset};

/// Whose reasons they are.
const DOMAIN: &str = "greeter-stream";
/// There is no message at an offset.
const NO_SUCH_OFFSET: &str = "NO_SUCH_OFFSET";
/// An offset belongs to another life of the topic.
const OTHER_EPOCH: &str = "OTHER_EPOCH";
/// A producer left out sequence numbers.
const SEQUENCE_GAP: &str = "SEQUENCE_GAP";

/// A producer repeats what the topic may never have had.
const SEQUENCE_FORGOTTEN: &str = "SEQUENCE_FORGOTTEN";
/// The server ends a call that may go on elsewhere, or later.
const DRAINING: &str = "DRAINING";

const INFO_TYPE: &str = "type.googleapis.com/google.rpc.ErrorInfo";

/// How a call ends because of `error`.
pub(super) fn of(error: &Error) -> Status {
    let (code, details) = match error {
        Error::OutOfRange {
            topic,
            epoch,
            bounds,
            ..
        } => (
            RpcStatusCode::OUT_OF_RANGE,
            Some((NO_SUCH_OFFSET, position(topic, *epoch, *bounds))),
        ),
        Error::OtherEpoch {
            topic, now, bounds, ..
        } => (
            RpcStatusCode::OUT_OF_RANGE,
            Some((OTHER_EPOCH, position(topic, *now, *bounds))),
        ),
        Error::Gap {
            topic,
            producer,
            expected,
            ..
        } => (
            RpcStatusCode::FAILED_PRECONDITION,
            Some((
                SEQUENCE_GAP,
                vec![
                    ("topic", topic.to_string()),
                    ("producer", producer.to_string()),
                    ("expected", expected.to_string()),
                ],
            )),
        ),
        Error::Forgotten {
            topic,
            producer,
            first,
            ..
        } => (
            RpcStatusCode::FAILED_PRECONDITION,
            Some((
                SEQUENCE_FORGOTTEN,
                vec![
                    ("topic", topic.to_string()),
                    ("producer", producer.to_string()),
                    ("first", first.to_string()),
                ],
            )),
        ),
        Error::Limit { .. } => (RpcStatusCode::RESOURCE_EXHAUSTED, None),
        Error::Closed | Error::Storage { .. } => (RpcStatusCode::UNAVAILABLE, None),
        Error::Damaged { .. } => (RpcStatusCode::DATA_LOSS, None),
    };
    let message = error.to_string();
    match details {
        None => Status::new(code, message),
        Some((reason, values)) => {
            let details = encode(code, &message, reason, values);
            Status::new(code, message).with_details(details)
        }
    }
}

/// How a call ends whose client goes on at an offset.
pub(super) fn draining(topic: &Name, epoch: Epoch, next: Offset) -> Status {
    let plain = Status::draining();
    let message = format!(
        "{}: topic {topic} goes on at offset {next} of epoch {epoch}",
        plain.message()
    );
    let values = vec![
        ("topic", topic.to_string()),
        ("epoch", epoch.to_string()),
        ("next", next.to_string()),
    ];
    let details = encode(plain.code(), &message, DRAINING, values);
    Status::new(plain.code(), message).with_details(details)
}

fn position(topic: &Name, epoch: Epoch, bounds: Bounds) -> Vec<(&'static str, String)> {
    vec![
        ("topic", topic.to_string()),
        ("epoch", epoch.to_string()),
        ("earliest", bounds.earliest.to_string()),
        ("next", bounds.next.to_string()),
    ]
}

fn encode(
    code: RpcStatusCode,
    message: &str,
    reason: &str,
    values: Vec<(&'static str, String)>,
) -> Vec<u8> {
    let info = rich_status::ErrorInfo {
        reason: reason.to_owned(),
        domain: DOMAIN.to_owned(),
        metadata: values
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect(),
        ..Default::default()
    };
    let encoded = info.write_to_bytes().and_then(|value| {
        let any = Any {
            type_url: INFO_TYPE.to_owned(),
            value,
            ..Default::default()
        };
        let status = rich_status::Status {
            code: code.into(),
            message: message.to_owned(),
            details: vec![any],
            ..Default::default()
        };
        status.write_to_bytes()
    });
    // Proto3 messages have no required field to miss; the text of the status says the same.
    encoded.unwrap_or_default()
}

/// What a status says to programs, if it is one of ours.
pub(crate) fn info(status: &Status) -> Option<rich_status::ErrorInfo> {
    let rich = rich_status::Status::parse_from_bytes(status.details()).ok()?;
    let ours = rich.details.iter().filter(|any| any.type_url == INFO_TYPE);
    let infos = ours.filter_map(|any| rich_status::ErrorInfo::parse_from_bytes(&any.value).ok());
    infos.into_iter().find(|info| info.domain == DOMAIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use topic_log::ProducerName;

    #[test]
    fn every_error_has_its_status_and_says_the_numbers() {
        let topic = Name::new("stocks/aaa").unwrap();
        let epoch = Epoch(255);
        let bounds = Bounds {
            earliest: 5,
            next: 9,
        };
        let producer = ProducerName::new("p").unwrap();
        let position = "earliest=5 epoch=00000000000000ff next=9 topic=stocks/aaa";
        for (error, shown, reason, values) in [
            (
                Error::OutOfRange { topic: topic.clone(), epoch, wanted: 3, bounds },
                "OUT_OF_RANGE: topic stocks/aaa has no offset 3: its earliest is 5 and its next 9",
                "NO_SUCH_OFFSET",
                position,
            ),
            (
                Error::OtherEpoch { topic: topic.clone(), wanted: Epoch(1), now: epoch, bounds },
                "OUT_OF_RANGE: topic stocks/aaa lives its epoch 00000000000000ff, not \
                 0000000000000001: offsets of then mean nothing now; its earliest is 5 and its next 9",
                "OTHER_EPOCH",
                position,
            ),
            (
                Error::Gap { topic: topic.clone(), producer, expected: 7, got: 9 },
                "FAILED_PRECONDITION: topic stocks/aaa expects sequence 7 of producer p, not 9: \
                 send what is missing first",
                "SEQUENCE_GAP",
                "expected=7 producer=p topic=stocks/aaa",
            ),
            (
                Error::Limit { of: "topics", limit: 10 },
                "RESOURCE_EXHAUSTED: the server's limit of 10 topics is reached",
                "",
                "",
            ),
            (
                Error::Storage { dir: "/data".into(), why: "No space left on device".to_owned() },
                "UNAVAILABLE: the topics in /data cannot be used: No space left on device; try \
                 again, as the server does every second",
                "",
                "",
            ),
            (
                Error::Damaged { topic, offset: 7, dir: "/data".into() },
                "DATA_LOSS: topic stocks/aaa is damaged at offset 7: read from a later one, or \
                 have a copy of /data put back",
                "",
                "",
            ),
            (
                Error::Closed,
                "UNAVAILABLE: the topics are closed: the server is shutting down",
                "",
                "",
            ),
        ] {
            let status = of(&error);
            assert_eq!(status.to_string(), shown);
            let info = info(&status).unwrap_or_default();
            assert_eq!(info.reason, reason);
            let mut pairs: Vec<_> = info.metadata.iter().map(|(k, v)| format!("{k}={v}")).collect();
            pairs.sort();
            assert_eq!(pairs.join(" "), values);
        }
    }

    #[test]
    fn foreign_details_are_not_ours() {
        let status = Status::new(RpcStatusCode::OUT_OF_RANGE, "");
        for details in [&b""[..], b"\xff\xff", b"\x1a\x02\x0a\x00"] {
            assert_eq!(info(&status.clone().with_details(details.to_vec())), None);
        }
    }
}
