//! Frames and their numbers (RFC 9113).

/// The numbers of the kinds of frames (section 6).
#[allow(missing_docs)]
mod kind {
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const PRIORITY: u8 = 2;
    pub const RST_STREAM: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const PING: u8 = 6;
    pub const GOAWAY: u8 = 7;
    pub const WINDOW_UPDATE: u8 = 8;
    pub const CONTINUATION: u8 = 9;
}
pub use kind::*;

/// The size of a frame's header, in bytes.
pub const HEADER_BYTES: usize = 9;

/// The longest payload in bytes, unless the receiver's settings allow more.
pub const MAX_BYTES: usize = 16_384;

/// Writes a frame of any kind, well made or not.
pub fn write(output: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let length = (payload.len() as u32).to_be_bytes();
    output.extend(&length[1..]);
    output.extend([kind, flags]);
    output.extend(stream.to_be_bytes());
    output.extend(payload);
}
