//! The three handlers of `Greeter`.
//!
//! | call | what it does |
//! |---|---|
//! | GetStream | sends the Unix time in seconds, [`ticks`](Config::ticks) times, the first at once, and ends one [`tick_interval`](Config::tick_interval) after the last |
//! | PutStream | logs each message; answers how many it received |
//! | AllStream | says `ssss` every [`tick_interval`](Config::tick_interval) and logs what it receives, until the client half-closes |
//!
//! Statuses: OK as above. INTERNAL for a message that is not valid protobuf or not UTF-8 (the
//! code that gRPC's table of statuses asks for), RESOURCE_EXHAUSTED for one over the server's
//! limit, UNIMPLEMENTED for a GetStream with no request or more than one, DEADLINE_EXCEEDED for
//! one whose request does not come, UNAVAILABLE when the server drains.

mod original;

use std::sync::Arc;
use std::time::Duration;

use crate::generated::greeter::StreamReqData;
use crate::stream::ServiceBuilder;

/// The path of GetStream: one request, a stream of responses.
pub const GET_STREAM: &str = "/Greeter/GetStream";
/// The path of PutStream: a stream of requests, one response.
pub const PUT_STREAM: &str = "/Greeter/PutStream";
/// The path of AllStream: streams both ways.
pub const ALL_STREAM: &str = "/Greeter/AllStream";

/// How `Greeter` behaves.
#[derive(Clone, Debug)]
pub struct Config {
    /// The time between two messages of GetStream and of AllStream; zero for as fast as the
    /// client reads.
    pub tick_interval: Duration,
    /// How many messages a GetStream sends; zero for no end.
    pub ticks: u64,
}

impl Default for Config {
    /// What the original Go server does: 11 messages, one a second.
    fn default() -> Self {
        Self {
            tick_interval: Duration::from_secs(1),
            ticks: 11,
        }
    }
}

/// Adds the three methods of `Greeter` to a service.
#[must_use]
pub fn greeter(builder: ServiceBuilder, config: &Config) -> ServiceBuilder {
    let greeter = Arc::new(original::Original::new(config.clone()));
    let (get, put, all) = (greeter.clone(), greeter.clone(), greeter);
    builder
        .server_streaming(GET_STREAM, move |_call, _request: StreamReqData| {
            get.get_stream()
        })
        .client_streaming(PUT_STREAM, move |call, requests| {
            put.put_stream(call, requests)
        })
        .duplex(ALL_STREAM, move |call, requests| {
            all.all_stream(call, requests)
        })
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
