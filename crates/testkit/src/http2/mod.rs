//! A client of HTTP/2 (RFC 9113) that can break the rules of the protocol.

mod connection;
pub mod frame;
mod hpack;

pub use connection::{connect, Answers, Connection, Event, Frame};
pub use hpack::{block, fields};

/// The initial flow-control window of calls and connections, in bytes: HTTP/2's default.
pub const WINDOW: u32 = 65_535;

/// The connection preface of a client (section 3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The flags of frames. Their meaning depends on the kind of the frame.
#[allow(missing_docs)]
pub mod flag {
    pub const END_STREAM: u8 = 1;
    pub const ACK: u8 = 1;
    pub const END_HEADERS: u8 = 4;
    pub const PADDED: u8 = 8;
}

/// The error codes of streams and connections (section 7).
#[allow(missing_docs)]
pub mod code {
    pub const CANCEL: u32 = 8;
    pub const ENHANCE_YOUR_CALM: u32 = 11;
}
