//! Header blocks of HPACK (RFC 7541), with as little compression as possible.

/// The headers of a call of `path`.
pub fn block(path: &str, metadata: &[(&str, &str)]) -> Vec<u8> {
    // The static table has indexes for `:method: POST`, `:scheme: http`, `:path` and `:authority`.
    let mut block = vec![0x83, 0x86];
    literal(&mut block, Name::Known(4), path);
    literal(&mut block, Name::Known(1), "localhost");
    let grpc = [("content-type", "application/grpc"), ("te", "trailers")];
    block.extend(fields(&grpc));
    block.extend(fields(metadata));
    block
}

/// These headers and no others, in this order.
pub fn fields(headers: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in headers {
        literal(&mut block, Name::Text(name), value);
    }
    block
}

enum Name<'a> {
    Known(u8),
    Text(&'a str),
}

/// Writes a literal that is not indexed (section 6.2.2), without Huffman coding.
fn literal(block: &mut Vec<u8>, name: Name<'_>, value: &str) {
    match name {
        Name::Known(number) => block.push(number),
        Name::Text(name) => {
            block.push(0);
            text(block, name);
        }
    }
    text(block, value);
}

/// Writes a string: its length as an integer with a prefix of 7 bits (sections 5.1 and 5.2), and its
/// bytes.
fn text(block: &mut Vec<u8>, text: &str) {
    match text.len().checked_sub(127) {
        None => block.push(text.len() as u8),
        Some(mut rest) => {
            block.push(127);
            while rest >= 128 {
                block.push(rest as u8 | 128);
                rest >>= 7;
            }
            block.push(rest as u8);
        }
    }
    block.extend(text.as_bytes());
}
