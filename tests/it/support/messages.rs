//! The messages of the Greeter service.

use greeter_stream::generated::greeter::{StreamReqData, StreamResData};

pub fn request(data: &str) -> StreamReqData {
    StreamReqData {
        data: data.to_owned(),
        ..Default::default()
    }
}

pub fn response(data: impl ToString) -> StreamResData {
    StreamResData {
        data: data.to_string(),
        ..Default::default()
    }
}
