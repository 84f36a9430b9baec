//! The statuses of calls that name a topic: the one place where a topic's errors become statuses.
//!
//! | what happened | status |
//! |---|---|
//! | metadata that is wrong ([`metadata`](super::metadata)) | INVALID_ARGUMENT |
//! | an offset before the retained tail or beyond the end, or of another life of the topic; a subscriber that fell off the tail | OUT_OF_RANGE |
//! | a sequence number that leaves some out | FAILED_PRECONDITION |
//! | a limit of the server | RESOURCE_EXHAUSTED |
//! | the server is shutting down | UNAVAILABLE |

use grpcio::RpcStatusCode;

use crate::stream::Status;
use crate::topic::Error;

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let code = match error {
            Error::OutOfRange { .. } | Error::OtherEpoch { .. } => RpcStatusCode::OUT_OF_RANGE,
            Error::Gap { .. } => RpcStatusCode::FAILED_PRECONDITION,
            Error::Limit { .. } => RpcStatusCode::RESOURCE_EXHAUSTED,
            Error::Closed => RpcStatusCode::UNAVAILABLE,
        };
        Status::new(code, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topic::{Bounds, Epoch, Name, ProducerName};

    #[test]
    fn every_error_has_its_status_and_says_the_numbers() {
        let topic = Name::new("stocks/aaa").unwrap();
        let bounds = Bounds {
            earliest: 5,
            next: 9,
        };
        let producer = ProducerName::new("p").unwrap();
        for (error, shown) in [
            (
                Error::OutOfRange { topic: topic.clone(), wanted: 3, bounds },
                "OUT_OF_RANGE: topic stocks/aaa has no offset 3: its earliest is 5 and its next 9",
            ),
            (
                Error::OtherEpoch { topic: topic.clone(), wanted: Epoch(1), now: Epoch(255), bounds },
                "OUT_OF_RANGE: topic stocks/aaa lives its epoch 00000000000000ff, not \
                 0000000000000001: offsets of then mean nothing now; its earliest is 5 and its next 9",
            ),
            (
                Error::Gap { topic, producer, expected: 7, got: 9 },
                "FAILED_PRECONDITION: topic stocks/aaa expects sequence 7 of producer p, not 9: \
                 send what is missing first",
            ),
            (
                Error::Limit { of: "topics", limit: 10 },
                "RESOURCE_EXHAUSTED: the server's limit of 10 topics is reached",
            ),
            (Error::Closed, "UNAVAILABLE: the topics are closed: the server is shutting down"),
        ] {
            assert_eq!(Status::from(error).to_string(), shown);
        }
    }
}
