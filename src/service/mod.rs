//! The three handlers of `Greeter`.
//!
//! A call without a topic in its metadata does this:
//!
//! | call | what it does |
//! |---|---|
//! | GetStream | sends the Unix time in seconds, [`ticks`](Config::ticks) times, the first at once, and ends one [`tick_interval`](Config::tick_interval) after the last |
//! | PutStream | logs each message, and answers with the number of messages |
//! | AllStream | sends `ssss` every [`tick_interval`](Config::tick_interval) and logs what it receives, until the client half-closes |
//!
//! With the metadata `topic` GetStream follows a topic, PutStream publishes to it and answers with
//! a [receipt](crate::protocol::receipt), and AllStream does both on one call. The response
//! metadata has the [position](crate::protocol::position) of the first message of a stream.
//!
//! These calls end with OK. Other statuses are:
//!
//! | status | when |
//! |---|---|
//! | INTERNAL | a message is not valid protobuf or not UTF-8; gRPC's table of statuses asks for this code |
//! | RESOURCE_EXHAUSTED | a message is longer than the server's limit |
//! | UNIMPLEMENTED | a GetStream has no request, or more than one |
//! | DEADLINE_EXCEEDED | the request of a GetStream does not arrive in time |
//! | UNAVAILABLE | the server drains |
//!
//! Calls on a topic have further [statuses](crate::protocol::reason).

mod config;
mod original;
mod rights;
mod topics;

use std::sync::Arc;

use futures::future::{self, BoxFuture};
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt};
use grpcio_serve::{Rights, Service};
use grpcio_streams::{Call, Requests, ServiceBuilder, Status};
use protobuf::reflect::FileDescriptor;
use topic_log::Store;

use self::original::Original;
use self::rights::TopicRights;
use self::topics::Topics;
use crate::generated::greeter::{self, StreamReqData, StreamResData};
use crate::generated::rich_status;
use crate::protocol::{Method, Request, ALL_STREAM, GET_STREAM, PUT_STREAM};

pub use self::config::Config;

/// The service `Greeter`, with the topics of a store.
#[derive(Clone)]
pub struct Greeter {
    original: Original,
    topics: Topics,
}

type Responses = BoxStream<'static, Result<StreamResData, Status>>;

impl Greeter {
    /// Makes the service. It closes `store` when its server stops.
    pub fn new(config: Config, store: Arc<dyn Store>) -> Self {
        Self {
            original: Original::new(config),
            topics: Topics::new(store),
        }
    }

    fn get_stream(&self, call: Arc<Call>) -> Responses {
        match Request::decode(call.metadata(), Method::Get) {
            Err(status) => stream::iter([Err(status)]).boxed(),
            Ok(None) => self.original.get_stream().boxed(),
            Ok(Some(request)) => self.topics.get_stream(call, request).boxed(),
        }
    }

    fn put_stream(
        &self,
        call: Arc<Call>,
        requests: Requests<StreamReqData>,
    ) -> BoxFuture<'static, Result<StreamResData, Status>> {
        match Request::decode(call.metadata(), Method::Put) {
            Err(status) => future::ready(Err(status)).boxed(),
            Ok(None) => self.original.put_stream(call, requests).boxed(),
            Ok(Some(request)) => self.topics.put_stream(request, requests).boxed(),
        }
    }

    fn all_stream(&self, call: Arc<Call>, requests: Requests<StreamReqData>) -> Responses {
        match Request::decode(call.metadata(), Method::All) {
            Err(status) => stream::iter([Err(status)]).boxed(),
            Ok(None) => self.original.all_stream(call, requests).boxed(),
            Ok(Some(request)) => self.topics.all_stream(call, request, requests).boxed(),
        }
    }
}

impl Service for Greeter {
    fn methods(self: Arc<Self>, builder: ServiceBuilder) -> ServiceBuilder {
        let (get, put, all) = (self.clone(), self.clone(), self);
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

    fn files(&self) -> Vec<FileDescriptor> {
        vec![
            greeter::file_descriptor().clone(),
            rich_status::file_descriptor().clone(),
        ]
    }

    fn rights(&self) -> Option<Arc<dyn Rights>> {
        Some(Arc::new(TopicRights))
    }

    fn stop(&self) {
        self.topics.close();
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
