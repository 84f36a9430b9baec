//! HTTP/2 by hand, for clients that keep to less than a library does.

use std::io::Write;
use std::net::TcpStream;

use super::PATIENCE;

/// A connection that speaks HTTP/2 and calls nothing.
pub fn speaking(address: &str) -> TcpStream {
    let mut socket = TcpStream::connect(address).expect("connects");
    socket.set_read_timeout(Some(PATIENCE)).expect("set");
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    socket
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .expect("sent");
    socket.write_all(&settings).expect("sent");
    socket
}

/// The HEADERS of a call on this stream (RFC 9113, 6.2; RFC 7541, 6.2.2), of AllStream.
pub fn headers(stream: u8) -> Vec<u8> {
    let fields = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/Greeter/AllStream"),
        (":authority", "test"),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
    ];
    let text = |text: &str| {
        let length = u8::try_from(text.len()).expect("short");
        [&[length], text.as_bytes()].concat()
    };
    let literal = |(name, value): (&str, &str)| [vec![0], text(name), text(value)].concat();
    let block: Vec<u8> = fields.into_iter().flat_map(literal).collect();
    let length = u8::try_from(block.len()).expect("short");
    [&[0, 0, length, 1, 4, 0, 0, 0, stream], &block[..]].concat()
}
