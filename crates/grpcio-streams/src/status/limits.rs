//! How much of a status can be sent, so that its code always arrives.
//!
//! The status travels in a block of HTTP/2 headers, whose length is the sum of all names and
//! values as encoded plus 32 bytes for each header. A client on the C core refuses a block of
//! 16 KiB or more, and refuses a block of more than 8 KiB with a probability that grows with its
//! length (`hpack_parser.cc` and `random_early_detection.cc` of version 1.56). It reports such a
//! call as RESOURCE_EXHAUSTED. The limit of grpc-java is 8 KiB as well
//! (`GrpcUtil.DEFAULT_MAX_HEADER_LIST_SIZE`).

/// What the message and the details of a status may take of 8 KiB, as encoded. The rest is left to
/// the other headers, which take about 300 bytes.
const STATUS: usize = 7 * 1024;

/// What the message may take, as encoded. It leaves room for details that repeat the message.
const MESSAGE: usize = 2 * 1024;

/// Ends a message that has been cut.
const ELLIPSIS: char = '…';

/// Cuts a message that is too long. Never splits a character.
pub(super) fn cut(message: &mut String) {
    let (mut encoded, mut keep) = (0, 0);
    for (at, c) in message.char_indices() {
        encoded += encoded_character(c);
        if encoded > MESSAGE {
            message.truncate(keep);
            message.push(ELLIPSIS);
            return;
        }
        if encoded + encoded_character(ELLIPSIS) <= MESSAGE {
            keep = at + c.len_utf8();
        }
    }
}

/// How many bytes of details fit beside a message that has been [`cut`].
pub(super) fn details_beside(message: &str) -> usize {
    let message: usize = message.chars().map(encoded_character).sum();
    // Base64 turns three bytes into four.
    (STATUS - message) / 4 * 3
}

/// The bytes that gRPC sends for a character of a message. It percent-encodes all bytes except
/// printable ASCII, and the percent sign (`PROTOCOL-HTTP2.md`, `Percent-Encoded`).
fn encoded_character(c: char) -> usize {
    match c {
        '%' => 3,
        ' '..='~' => 1,
        c => 3 * c.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(message: &str) -> usize {
        message.chars().map(encoded_character).sum()
    }

    #[test]
    fn a_message_that_fits_is_not_touched() {
        for message in [
            String::new(),
            "a".repeat(MESSAGE),
            "%".repeat(MESSAGE / 3),
            "票".repeat(MESSAGE / 9),
        ] {
            let mut cut_message = message.clone();
            cut(&mut cut_message);
            assert_eq!(cut_message, message);
        }
    }

    #[test]
    fn a_message_that_is_too_long_ends_with_an_ellipsis_between_two_characters() {
        for (text, kept) in [
            ("a", MESSAGE - 9),
            ("\n", (MESSAGE - 9) / 3),
            ("ß", (MESSAGE - 9) / 6),
            ("票", (MESSAGE - 9) / 9),
            ("🙂", (MESSAGE - 9) / 12),
        ] {
            // One more than fits, and many more.
            for length in [MESSAGE / encoded(text) + 1, 100_000] {
                let mut message = text.repeat(length);
                cut(&mut message);
                assert_eq!(message, text.repeat(kept) + "…");
                assert!(encoded(&message) <= MESSAGE);

                let once = message.clone();
                cut(&mut message);
                assert_eq!(message, once, "cut twice");
            }
        }
    }
}
