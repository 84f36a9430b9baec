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
