//! A client of HTTP/2 (RFC 9113) that need not keep to any rule.

mod connection;
pub mod frame;
mod hpack;

pub use connection::{connect, Answers, Connection, Event, Frame};
pub use hpack::{block, fields};

/// How many bytes a call, and a connection, may send before it is given more: HTTP/2's default.
pub const WINDOW: u32 = 65_535;

/// What a client sends first.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The flags of frames. What a number means depends on the kind of the frame.
#[allow(missing_docs)]
pub mod flag {
    pub const END_STREAM: u8 = 1;
    pub const ACK: u8 = 1;
    pub const END_HEADERS: u8 = 4;
    pub const PADDED: u8 = 8;
}

/// Why a stream or a connection ends (section 7).
#[allow(missing_docs)]
pub mod code {
    pub const CANCEL: u32 = 8;
    pub const ENHANCE_YOUR_CALM: u32 = 11;
}
