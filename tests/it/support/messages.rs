//! The messages of the Greeter service.

use greeter_stream::generated::greeter::{StreamReqData, StreamResData};

/// A request with this text.
pub fn request(data: &str) -> StreamReqData {
    StreamReqData {
        data: data.to_owned(),
        ..Default::default()
    }
}

/// A response with this text.
pub fn response(data: impl ToString) -> StreamResData {
    StreamResData {
        data: data.to_string(),
        ..Default::default()
    }
}
