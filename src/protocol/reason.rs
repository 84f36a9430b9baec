//! The statuses of calls on a topic, and the reasons in their details.
//!
//! | what happened | status | reason |
//! |---|---|---|
//! | wrong metadata ([`request`](super::request)) | INVALID_ARGUMENT | |
//! | an offset before the retained tail or beyond the end; a subscriber that fell behind the tail | OUT_OF_RANGE | `NO_SUCH_OFFSET` |
//! | an offset of another epoch | OUT_OF_RANGE | `OTHER_EPOCH` |
//! | a sequence number after a gap | FAILED_PRECONDITION | `SEQUENCE_GAP` |
//! | a sequence number from before the topic knew the producer | FAILED_PRECONDITION | `SEQUENCE_FORGOTTEN` |
//! | a sequence number whose message the topic keeps, with another message | FAILED_PRECONDITION | `SEQUENCE_REUSED` |
//! | a limit of the server | RESOURCE_EXHAUSTED | |
//! | the store cannot read or write now | UNAVAILABLE | |
//! | a stored message cannot be read | DATA_LOSS | |
//! | the server is shutting down | UNAVAILABLE | `DRAINING`, if the call reads the topic |
//!
//! A status with a reason has a `google.rpc.ErrorInfo` of the domain `greeter-stream` in its
//! details, for programs. The details are a `google.rpc.Status` in `grpc-status-details-bin`. The
//! metadata of the info has the fields of [`Reason`].

use std::str::FromStr;

use grpcio::RpcStatusCode;
use grpcio_streams::Status;
use protobuf::well_known_types::any::Any;
use protobuf::Message;
use topic_log::{Bounds, Epoch, Error, Name, Offset, ProducerName};

use crate::generated::rich_status::{self, ErrorInfo};

/// The domain of the reasons.
const DOMAIN: &str = "greeter-stream";

const INFO_TYPE: &str = "type.googleapis.com/google.rpc.ErrorInfo";

/// Why a call on a topic ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// `NO_SUCH_OFFSET`: the topic has no message at the offset. The metadata has `topic`, and the
    /// topic's present `epoch`, `earliest` and `next`.
    NoSuchOffset(Extent),
    /// `OTHER_EPOCH`: the offset belongs to another epoch. The metadata is the same.
    OtherEpoch(Extent),
    /// `SEQUENCE_GAP`: a producer left out sequence numbers. The metadata has `topic`, `producer`
    /// and the `expected` number.
    SequenceGap {
        /// The topic.
        topic: Name,
        /// The producer.
        producer: ProducerName,
        /// The sequence number that the topic expects next.
        expected: u64,
    },
    /// `SEQUENCE_FORGOTTEN`: a producer repeats a number from before the topic knew the producer.
    /// The metadata has `topic`, `producer` and the `first` number that the topic knows.
    SequenceForgotten {
        /// The topic.
        topic: Name,
        /// The producer.
        producer: ProducerName,
        /// The first sequence number that the topic knows.
        first: u64,
    },
    /// `SEQUENCE_REUSED`: a producer gives the number of a message that the topic keeps to another
    /// message. The metadata has `topic`, `producer`, the `sequence` number, and the `offset` of the
    /// message that is kept.
    SequenceReused {
        /// The topic.
        topic: Name,
        /// The producer.
        producer: ProducerName,
        /// The sequence number.
        sequence: u64,
        /// The offset of the message that is kept.
        offset: Offset,
    },
    /// `DRAINING`: the server is shutting down. The metadata has `topic`, `epoch`, and as `next` the
    /// offset of the first message that the call has not delivered.
    Draining {
        /// The topic.
        topic: Name,
        /// Its epoch.
        epoch: Epoch,
        /// The offset at which the client continues.
        next: Offset,
    },
}

/// The present epoch and offsets of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The topic.
    pub topic: Name,
    /// Its epoch.
    pub epoch: Epoch,
    /// Its earliest and its next offset.
    pub bounds: Bounds,
}

/// The status of a call that ends because of `error`. All errors of topics become statuses here.
pub fn status_of(error: &Error) -> Status {
    let (code, reason) = match error {
        Error::OutOfRange {
            topic,
            epoch,
            bounds,
            ..
        } => {
            let reason = Reason::NoSuchOffset(Extent::new(topic, *epoch, *bounds));
            (RpcStatusCode::OUT_OF_RANGE, Some(reason))
        }
        Error::OtherEpoch {
            topic, now, bounds, ..
        } => {
            let reason = Reason::OtherEpoch(Extent::new(topic, *now, *bounds));
            (RpcStatusCode::OUT_OF_RANGE, Some(reason))
        }
        Error::Gap {
            topic,
            producer,
            expected,
            ..
        } => {
            let reason = Reason::SequenceGap {
                topic: topic.clone(),
                producer: producer.clone(),
                expected: *expected,
            };
            (RpcStatusCode::FAILED_PRECONDITION, Some(reason))
        }
        Error::Forgotten {
            topic,
            producer,
            first,
            ..
        } => {
            let reason = Reason::SequenceForgotten {
                topic: topic.clone(),
                producer: producer.clone(),
                first: *first,
            };
            (RpcStatusCode::FAILED_PRECONDITION, Some(reason))
        }
        Error::Reused {
            topic,
            producer,
            number,
            offset,
        } => {
            let reason = Reason::SequenceReused {
                topic: topic.clone(),
                producer: producer.clone(),
                sequence: *number,
                offset: *offset,
            };
            (RpcStatusCode::FAILED_PRECONDITION, Some(reason))
        }
        Error::Limit { .. } => (RpcStatusCode::RESOURCE_EXHAUSTED, None),
        Error::Damaged { .. } => (RpcStatusCode::DATA_LOSS, None),
        Error::Closed | Error::Storage { .. } => (RpcStatusCode::UNAVAILABLE, None),
        // `Error` may get new variants. Their text says what happened.
        _ => (RpcStatusCode::UNKNOWN, None),
    };
    let message = match error {
        Error::Closed => format!("{error}: the server is shutting down"),
        _ => error.to_string(),
    };
    let status = Status::new(code, message);
    match reason {
        None => status,
        Some(reason) => reason.encode(status),
    }
}

/// The status with another message. A reason in its details stays, and repeats the new message:
/// clients such as Python's `grpc_status` refuse details that say something else.
pub(crate) fn reworded(status: Status, message: String) -> Status {
    let reason = Reason::decode(&status);
    let status = status.with_message(message);
    match reason {
        Some(reason) => reason.encode(status),
        None => status,
    }
}

impl Reason {
    /// Adds the reason to the details of `status`.
    pub fn encode(&self, status: Status) -> Status {
        let (name, values) = self.info();
        let info = ErrorInfo {
            reason: name.to_owned(),
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
            let rich = rich_status::Status {
                code: status.code().into(),
                message: status.message().to_owned(),
                details: vec![any],
                ..Default::default()
            };
            rich.write_to_bytes()
        });
        // Encoding does not fail, because a proto3 message has no required fields. If it did, the
        // message of the status would still have the reason.
        status.with_details(encoded.unwrap_or_default())
    }

    /// The reason in the details of a status. None if they have no reason of this domain.
    pub fn decode(status: &Status) -> Option<Self> {
        let rich = rich_status::Status::parse_from_bytes(status.details()).ok()?;
        let infos = rich.details.iter().filter(|any| any.type_url == INFO_TYPE);
        let mut infos = infos.filter_map(|any| ErrorInfo::parse_from_bytes(&any.value).ok());
        let info = infos.find(|info| info.domain == DOMAIN)?;
        let topic = || Name::new(info.metadata.get("topic")?).ok();
        let producer = || ProducerName::new(info.metadata.get("producer")?).ok();
        Some(match info.reason.as_str() {
            "NO_SUCH_OFFSET" => Self::NoSuchOffset(Extent::decode(&info)?),
            "OTHER_EPOCH" => Self::OtherEpoch(Extent::decode(&info)?),
            "SEQUENCE_GAP" => Self::SequenceGap {
                topic: topic()?,
                producer: producer()?,
                expected: value(&info, "expected")?,
            },
            "SEQUENCE_FORGOTTEN" => Self::SequenceForgotten {
                topic: topic()?,
                producer: producer()?,
                first: value(&info, "first")?,
            },
            "SEQUENCE_REUSED" => Self::SequenceReused {
                topic: topic()?,
                producer: producer()?,
                sequence: value(&info, "sequence")?,
                offset: value(&info, "offset")?,
            },
            "DRAINING" => Self::Draining {
                topic: topic()?,
                epoch: value(&info, "epoch")?,
                next: value(&info, "next")?,
            },
            _ => return None,
        })
    }

    /// The name of the reason, and the metadata of the info.
    fn info(&self) -> (&'static str, Vec<(&'static str, String)>) {
        match self {
            Self::NoSuchOffset(extent) => ("NO_SUCH_OFFSET", extent.encode()),
            Self::OtherEpoch(extent) => ("OTHER_EPOCH", extent.encode()),
            Self::SequenceGap {
                topic,
                producer,
                expected,
            } => (
                "SEQUENCE_GAP",
                vec![
                    ("topic", topic.to_string()),
                    ("producer", producer.to_string()),
                    ("expected", expected.to_string()),
                ],
            ),
            Self::SequenceForgotten {
                topic,
                producer,
                first,
            } => (
                "SEQUENCE_FORGOTTEN",
                vec![
                    ("topic", topic.to_string()),
                    ("producer", producer.to_string()),
                    ("first", first.to_string()),
                ],
            ),
            Self::SequenceReused {
                topic,
                producer,
                sequence,
                offset,
            } => (
                "SEQUENCE_REUSED",
                vec![
                    ("topic", topic.to_string()),
                    ("producer", producer.to_string()),
                    ("sequence", sequence.to_string()),
                    ("offset", offset.to_string()),
                ],
            ),
            Self::Draining { topic, epoch, next } => (
                "DRAINING",
                vec![
                    ("topic", topic.to_string()),
                    ("epoch", epoch.to_string()),
                    ("next", next.to_string()),
                ],
            ),
        }
    }
}

impl Extent {
    fn new(topic: &Name, epoch: Epoch, bounds: Bounds) -> Self {
        Self {
            topic: topic.clone(),
            epoch,
            bounds,
        }
    }

    fn encode(&self) -> Vec<(&'static str, String)> {
        vec![
            ("topic", self.topic.to_string()),
            ("epoch", self.epoch.to_string()),
            ("earliest", self.bounds.earliest.to_string()),
            ("next", self.bounds.next.to_string()),
        ]
    }

    fn decode(info: &ErrorInfo) -> Option<Self> {
        Some(Self {
            topic: Name::new(info.metadata.get("topic")?).ok()?,
            epoch: value(info, "epoch")?,
            bounds: Bounds {
                earliest: value(info, "earliest")?,
                next: value(info, "next")?,
            },
        })
    }
}

fn value<T: FromStr>(info: &ErrorInfo, key: &str) -> Option<T> {
    info.metadata.get(key)?.parse().ok()
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
                "OUT_OF_RANGE: topic stocks/aaa is in epoch 00000000000000ff and not in \
                 0000000000000001, whose offsets mean nothing now: its earliest is 5 and its next 9",
                "OTHER_EPOCH",
                position,
            ),
            (
                Error::Reused { topic: topic.clone(), producer: producer.clone(), number: 7, offset: 9 },
                "FAILED_PRECONDITION: topic stocks/aaa has another message as sequence 7 of producer \
                 p, at offset 9: give a new message a new number",
                "SEQUENCE_REUSED",
                "offset=9 producer=p sequence=7 topic=stocks/aaa",
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
                "RESOURCE_EXHAUSTED: the store's limit of 10 topics is reached: raise it, or make room",
                "",
                "",
            ),
            (
                Error::Storage { dir: "/data".into(), why: "No space left on device".to_owned() },
                "UNAVAILABLE: the topics in /data cannot be used: No space left on device; try again \
                 later, as the store does every second",
                "",
                "",
            ),
            (
                Error::Damaged { topic, offset: 7, dir: "/data".into() },
                "DATA_LOSS: topic stocks/aaa is damaged at offset 7: read from a later offset, or put \
                 back a copy of /data",
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
            let status = status_of(&error);
            assert_eq!(status.to_string(), shown);
            let decoded = Reason::decode(&status);
            let (name, info) = decoded.as_ref().map(Reason::info).unwrap_or_default();
            assert_eq!(name, reason);
            let mut pairs: Vec<_> = info.iter().map(|(k, v)| format!("{k}={v}")).collect();
            pairs.sort();
            assert_eq!(pairs.join(" "), values);
        }
    }

    #[test]
    fn foreign_details_are_not_ours() {
        let status = Status::new(RpcStatusCode::OUT_OF_RANGE, "");
        for details in [&b""[..], b"\xff\xff", b"\x1a\x02\x0a\x00"] {
            let foreign = status.clone().with_details(details.to_vec());
            assert_eq!(Reason::decode(&foreign), None);
        }
    }

    /// Clients such as Python's `grpc_status` compare the two.
    #[test]
    fn details_repeat_a_message_that_is_changed() {
        let (topic, epoch) = (Name::new("t").unwrap(), Epoch(1));
        let reason = Reason::Draining {
            topic,
            epoch,
            next: 3,
        };
        let status = reason.encode(Status::new(RpcStatusCode::ABORTED, "why"));
        let status = reworded(status, "why, and where".into());
        assert_eq!(status.to_string(), "ABORTED: why, and where");
        let rich = rich_status::Status::parse_from_bytes(status.details()).unwrap();
        assert_eq!(rich.message, "why, and where");
        assert_eq!(Reason::decode(&status), Some(reason));
    }

    #[test]
    fn an_encoded_reason_is_decoded() {
        let topic = Name::new("a/b").unwrap();
        let producer = ProducerName::new("p").unwrap();
        let bounds = Bounds {
            earliest: 5,
            next: u64::MAX,
        };
        let extent = Extent::new(&topic, Epoch(255), bounds);
        for reason in [
            Reason::NoSuchOffset(extent.clone()),
            Reason::OtherEpoch(extent),
            Reason::SequenceGap {
                topic: topic.clone(),
                producer: producer.clone(),
                expected: 7,
            },
            Reason::SequenceForgotten {
                topic: topic.clone(),
                producer: producer.clone(),
                first: 1,
            },
            Reason::SequenceReused {
                topic: topic.clone(),
                producer,
                sequence: u64::MAX,
                offset: 0,
            },
            Reason::Draining {
                topic,
                epoch: Epoch(1),
                next: 0,
            },
        ] {
            let status = reason.encode(Status::new(RpcStatusCode::ABORTED, "why"));
            assert_eq!(status.to_string(), "ABORTED: why");
            assert_eq!(Reason::decode(&status), Some(reason));
        }
    }
}
