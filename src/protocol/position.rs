//! The response metadata of a call that reads a topic.
//!
//! | key | value |
//! |---|---|
//! | `epoch` | the topic's epoch, 16 hexadecimal digits |
//! | `offset` | the offset of the first message of the stream |
//!
//! Message number i of the stream, counted from 0, has the offset `offset + i`.
//!
//! The metadata arrives together with the first message. A call that ends without a message has no
//! such metadata.

use grpcio::{Metadata, MetadataBuilder};
use topic_log::{Epoch, Offset};

const EPOCH: &str = "epoch";
const OFFSET: &str = "offset";

/// The position of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The topic's epoch.
    pub epoch: Epoch,
    /// The offset in that epoch.
    pub offset: Offset,
}

impl Position {
    /// The position as response metadata.
    ///
    /// # Errors
    ///
    /// Never: the values are ASCII. The binding's signature requires the result.
    pub fn encode(self) -> grpcio::Result<Metadata> {
        let mut metadata = MetadataBuilder::with_capacity(2);
        metadata.add_str(EPOCH, &self.epoch.to_string())?;
        metadata.add_str(OFFSET, &self.offset.to_string())?;
        Ok(metadata.build())
    }

    /// The position in response metadata. None if it is missing or malformed. A server without
    /// topics sends none.
    pub fn decode(metadata: &Metadata) -> Option<Self> {
        let value = |key| {
            let mut values = metadata.iter().filter(|(k, _)| *k == key);
            let (_, value) = values.next()?;
            std::str::from_utf8(value).ok()
        };
        Some(Self {
            epoch: value(EPOCH)?.parse().ok()?,
            offset: value(OFFSET)?.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoded_position_is_decoded() {
        for (epoch, offset) in [(0, 0), (255, 7), (u64::MAX, u64::MAX)] {
            let position = Position {
                epoch: Epoch(epoch),
                offset,
            };
            let metadata = position.encode().unwrap();
            assert_eq!(Position::decode(&metadata), Some(position));
        }
    }

    #[test]
    fn other_metadata_is_no_position() {
        for pairs in [
            &[][..],
            &[("epoch", "00000000000000ff")],
            &[("epoch", "x"), ("offset", "1")],
            &[("epoch", "00000000000000ff"), ("offset", "-1")],
        ] {
            let mut metadata = MetadataBuilder::new();
            for (key, value) in pairs {
                metadata.add_str(key, value).unwrap();
            }
            assert_eq!(Position::decode(&metadata.build()), None, "{pairs:?}");
        }
    }
}
