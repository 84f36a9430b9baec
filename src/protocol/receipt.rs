//! The answer to a PutStream on a topic: one line of JSON.
//!
//! ```json
//! {"accepted":3,"duplicates":0,"earliest":0,"epoch":"18ea566c72f6d99b","first":0,"last":2,"topic":"numbers"}
//! ```
//!
//! `first` and `last` are the offsets of the first and the last message that was stored. They are
//! null if no message was stored. A call with a producer has one field more, `expected`.

use serde::{Deserialize, Serialize};
use topic_log::{Epoch, Name, Offset};

/// The result of publishing, for the messages of one call or of several calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The topic.
    pub topic: Name,
    /// Its epoch.
    pub epoch: Epoch,
    /// The offset of the first message that was stored; None if no message was stored.
    pub first: Option<Offset>,
    /// The offset of the last message that was stored; None if no message was stored.
    pub last: Option<Offset>,
    /// How many messages were stored.
    pub accepted: u64,
    /// How many messages the topic already had from this producer.
    pub duplicates: u64,
    /// The earliest offset that the topic keeps after it has stored the messages. Where it is
    /// greater than `first`, retention has dropped some of them.
    pub earliest: Offset,
    /// The sequence number that the topic expects next of the call's producer; None if the call
    /// has no producer.
    pub expected: Option<u64>,
}

/// The JSON form. Its fields are in alphabetical order.
#[derive(Deserialize, Serialize)]
struct Json {
    accepted: u64,
    duplicates: u64,
    earliest: Offset,
    epoch: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<u64>,
    first: Option<Offset>,
    last: Option<Offset>,
    topic: String,
}

impl Receipt {
    /// A receipt for no messages.
    pub fn new(topic: Name, epoch: Epoch) -> Self {
        Self {
            topic,
            epoch,
            first: None,
            last: None,
            accepted: 0,
            duplicates: 0,
            earliest: 0,
            expected: None,
        }
    }

    /// How many of the stored messages the topic no longer keeps.
    pub fn dropped(&self) -> u64 {
        match (self.first, self.last) {
            // Messages of other publishers may lie between them.
            (Some(first), Some(last)) if self.earliest > first => {
                let gone = self.earliest.min(last + 1) - first;
                gone.min(self.accepted)
            }
            _ => 0,
        }
    }

    /// How many messages the receipt acknowledges: those that were stored, and duplicates.
    pub fn acknowledged(&self) -> u64 {
        self.accepted + self.duplicates
    }

    /// Adds further messages. `first` is the offset of the first one that was stored, `stored` is
    /// how many were stored from that offset on, and `duplicates` is how many the topic already
    /// had.
    pub fn add(&mut self, first: Option<Offset>, stored: u64, duplicates: u64) {
        self.accepted += stored;
        self.duplicates += duplicates;
        if let (Some(first), Some(behind)) = (first, stored.checked_sub(1)) {
            self.first.get_or_insert(first);
            self.last = Some(first + behind);
        }
    }

    /// The receipt as a line of JSON, without its line feed.
    pub fn encode(&self) -> String {
        let json = Json {
            accepted: self.accepted,
            duplicates: self.duplicates,
            earliest: self.earliest,
            epoch: self.epoch.to_string(),
            expected: self.expected,
            first: self.first,
            last: self.last,
            topic: self.topic.as_str().to_owned(),
        };
        // Numbers and texts can always be encoded as JSON.
        serde_json::to_string(&json).unwrap_or_default()
    }

    /// The receipt in a line of JSON; None if the line is not a receipt.
    pub fn decode(line: &str) -> Option<Self> {
        let json: Json = serde_json::from_str(line).ok()?;
        Some(Self {
            topic: Name::new(&json.topic).ok()?,
            epoch: json.epoch.parse().ok()?,
            first: json.first,
            last: json.last,
            accepted: json.accepted,
            duplicates: json.duplicates,
            earliest: json.earliest,
            expected: json.expected,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt() -> Receipt {
        Receipt::new(Name::new("a/b").unwrap(), Epoch(255))
    }

    #[test]
    fn an_encoded_receipt_is_decoded() {
        let mut full = receipt();
        full.add(None, 0, 2);
        full.add(Some(7), 3, 0);
        full.add(Some(12), 1, 1);
        full.earliest = 8;
        full.expected = Some(20);
        let line = r#"{"accepted":4,"duplicates":3,"earliest":8,"epoch":"00000000000000ff","expected":20,"first":7,"last":12,"topic":"a/b"}"#;
        assert_eq!(full.encode(), line);
        assert_eq!(Receipt::decode(line), Some(full));
        let empty = r#"{"accepted":0,"duplicates":0,"earliest":0,"epoch":"00000000000000ff","first":null,"last":null,"topic":"a/b"}"#;
        assert_eq!(receipt().encode(), empty);
        assert_eq!(Receipt::decode(empty), Some(receipt()));
    }

    #[test]
    fn a_receipt_tells_what_retention_has_dropped() {
        let mut receipt = receipt();
        assert_eq!(receipt.dropped(), 0);
        receipt.add(Some(7), 3, 0);
        for (earliest, dropped) in [(0, 0), (7, 0), (8, 1), (10, 3), (99, 3)] {
            receipt.earliest = earliest;
            assert_eq!(receipt.dropped(), dropped, "{earliest}");
        }
    }

    #[test]
    fn a_newer_receipt_may_have_more_and_another_line_is_none() {
        let newer = receipt().encode().replace('{', r#"{"new":1,"#);
        assert_eq!(Receipt::decode(&newer), Some(receipt()));
        for other in ["", "7", "{}", r#"{"accepted":1}"#, "ssss"] {
            assert_eq!(Receipt::decode(other), None, "{other}");
        }
    }
}
