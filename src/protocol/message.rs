//! Makes the messages, each of which is a text.

use crate::generated::greeter::{StreamReqData, StreamResData};

/// A message of a client with this text.
pub fn request(data: String) -> StreamReqData {
    StreamReqData {
        data,
        ..StreamReqData::default()
    }
}

/// A message of a server with this text.
pub fn response(data: String) -> StreamResData {
    StreamResData {
        data,
        ..StreamResData::default()
    }
}

/// The length of a message as encoded, in bytes, with a text of `text` bytes: the text, the field's
/// tag, and the text's length as a varint. An empty text takes no bytes.
pub fn encoded_bytes(text: usize) -> usize {
    match text {
        0 => 0,
        _ => 1 + varint_bytes(text) + text,
    }
}

/// The longest text that fits a message of at most `limit` bytes as encoded, in bytes.
pub fn longest_text(limit: usize) -> usize {
    let texts = (1..).map(|varint| limit.saturating_sub(1 + varint));
    let mut fitting = texts.filter(|text| encoded_bytes(*text) <= limit);
    // An empty text always fits.
    fitting.next().unwrap_or_default()
}

/// The bytes of a number as a varint, which has seven bits in each byte.
fn varint_bytes(number: usize) -> usize {
    let bits = usize::BITS - number.leading_zeros();
    bits.div_ceil(7) as usize
}

#[cfg(test)]
mod tests {
    use protobuf::Message;

    use super::*;

    #[test]
    fn the_length_of_a_message_follows_from_its_text() {
        for text in [0, 1, 127, 128, 16_383, 16_384, 1 << 21, (1 << 21) - 1] {
            let message = request("x".repeat(text));
            assert_eq!(message.compute_size(), encoded_bytes(text) as u64, "{text}");
        }
    }

    #[test]
    fn the_longest_text_fits_and_one_byte_more_does_not() {
        let around = |limit: usize| limit - 3..limit + 9;
        for limit in (0..9).chain(
            [128, 16_384, 1 << 21, 4 << 20, 1 << 28]
                .into_iter()
                .flat_map(around),
        ) {
            let text = longest_text(limit);
            assert!(encoded_bytes(text) <= limit, "{limit}");
            assert!(encoded_bytes(text + 1) > limit, "{limit}");
        }
        assert_eq!(longest_text(4 * 1024 * 1024), 4_194_299);
    }
}
