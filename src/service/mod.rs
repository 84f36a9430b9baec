//! The three handlers of `Greeter`.
//!
//! What a call does without a topic in its metadata:
//!
//! | call | what it does |
//! |---|---|
//! | GetStream | sends the Unix time in seconds, [`ticks`](Config::ticks) times, the first at once, and ends one [`tick_interval`](Config::tick_interval) after the last |
//! | PutStream | logs each message; answers how many it received |
//! | AllStream | says `ssss` every [`tick_interval`](Config::tick_interval) and logs what it receives, until the client half-closes |
//!
//! With the metadata `topic` GetStream follows a topic, PutStream publishes to it and answers with
//! a receipt (one line of JSON: topic, epoch, first and last offset, accepted, duplicates), and
//! AllStream does both on one call. Before the first message of a stream comes the response
//! metadata `epoch` and `offset`: message i of the stream has the offset `offset + i`.
//!
//! Statuses: OK as above. INTERNAL for a message that is not valid protobuf or not UTF-8 (the
//! code that gRPC's table of statuses asks for), RESOURCE_EXHAUSTED for one over the server's
//! limit, UNIMPLEMENTED for a GetStream with no request or more than one, DEADLINE_EXCEEDED for
//! one whose request does not come, UNAVAILABLE when the server drains, with the offset at which a
//! reader of a topic goes on.

mod access;
mod metadata;
mod original;
mod status;
mod topics;

use std::sync::Arc;
use std::time::Duration;

use futures::future::{self, BoxFuture};
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt};

use self::metadata::Keys;
use self::original::Original;
use self::topics::Topics;
use crate::generated::greeter::{StreamReqData, StreamResData};
use grpcio_streams::{Call, Requests, ServiceBuilder, Status};
use topic_log::Store;

pub(crate) use self::access::{access, Access};
pub(crate) use self::status::info;

/// The path of GetStream: one request, a stream of responses.
pub const GET_STREAM: &str = "/Greeter/GetStream";
/// The path of PutStream: a stream of requests, one response.
pub const PUT_STREAM: &str = "/Greeter/PutStream";
/// The path of AllStream: streams both ways.
pub const ALL_STREAM: &str = "/Greeter/AllStream";

/// How `Greeter` behaves.
#[derive(Clone, Debug)]
pub struct Config {
    /// The time between two messages of GetStream and of AllStream without a topic; zero for as
    /// fast as the client reads.
    pub tick_interval: Duration,
    /// How many messages a GetStream without a topic sends; zero for no end.
    pub ticks: u64,
}

impl Default for Config {
    /// Without a topic what the original Go server does: 11 messages, one a second.
    fn default() -> Self {
        Self {
            tick_interval: Duration::from_secs(1),
            ticks: 11,
        }
    }
}

/// Adds the three methods of `Greeter` to a service, with the topics of `store`.
#[must_use]
pub fn greeter(builder: ServiceBuilder, config: &Config, store: Arc<dyn Store>) -> ServiceBuilder {
    let greeter = Arc::new(Greeter {
        original: Original::new(config.clone()),
        topics: Topics::new(store),
    });
    let (get, put, all) = (greeter.clone(), greeter.clone(), greeter);
    builder
        .server_streaming(GET_STREAM, move |call, _: StreamReqData| {
            get.get_stream(call)
        })
        .client_streaming(PUT_STREAM, move |call, requests| {
            put.put_stream(call, requests)
        })
        .duplex(ALL_STREAM, move |call, requests| {
            all.all_stream(call, requests)
        })
}

/// Sends each call to what serves it.
struct Greeter {
    original: Original,
    topics: Topics,
}

type Responses = BoxStream<'static, Result<StreamResData, Status>>;

impl Greeter {
    fn get_stream(&self, call: Arc<Call>) -> Responses {
        let responses = metadata::request(call.metadata(), Keys::Get).and_then(|request| {
            Ok(match request {
                None => self.original.get_stream().boxed(),
                Some(request) => self.topics.get_stream(call, request)?.boxed(),
            })
        });
        responses.unwrap_or_else(|status| failed(status))
    }

    fn put_stream(
        &self,
        call: Arc<Call>,
        requests: Requests<StreamReqData>,
    ) -> BoxFuture<'static, Result<StreamResData, Status>> {
        let response = metadata::request(call.metadata(), Keys::Put).and_then(|request| {
            Ok(match request {
                None => self.original.put_stream(call, requests).boxed(),
                Some(request) => self.topics.put_stream(request, requests)?.boxed(),
            })
        });
        response.unwrap_or_else(|status| future::ready(Err(status)).boxed())
    }

    fn all_stream(&self, call: Arc<Call>, requests: Requests<StreamReqData>) -> Responses {
        let responses = metadata::request(call.metadata(), Keys::All).and_then(|request| {
            Ok(match request {
                None => self.original.all_stream(call, requests).boxed(),
                Some(request) => self.topics.all_stream(call, request, requests)?.boxed(),
            })
        });
        responses.unwrap_or_else(|status| failed(status))
    }
}

fn failed(status: Status) -> Responses {
    stream::iter([Err(status)]).boxed()
}

fn response(data: String) -> StreamResData {
    StreamResData {
        data,
        ..StreamResData::default()
    }
}

#[cfg(test)]
mod tests {
    use crate::generated::greeter::file_descriptor;

    #[test]
    fn the_paths_are_those_of_the_proto_file() {
        let proto = file_descriptor().proto();
        assert_eq!(proto.package(), "");
        let [service] = &proto.service[..] else {
            unreachable!("the contract has one service");
        };
        let paths = service.method.iter().map(|method| {
            let path = format!("/{}/{}", service.name(), method.name());
            (path, method.client_streaming(), method.server_streaming())
        });
        let expected = [
            (super::GET_STREAM, false, true),
            (super::PUT_STREAM, true, false),
            (super::ALL_STREAM, true, true),
        ];
        assert_eq!(
            paths.collect::<Vec<_>>(),
            expected.map(|(path, c, s)| (path.to_owned(), c, s))
        );
    }
}
