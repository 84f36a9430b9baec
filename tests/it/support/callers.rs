//! Calls with a token, and servers that require one.

use futures::{stream, StreamExt, TryStreamExt};
use greeter_stream::generated::greeter::StreamResData;
use grpcio::CallOption;
use grpcio_streams::{client as calls, Status};
use openssl::sha::sha256;
use testkit::folder::Folder;
use testkit::raw;
use testkit::server::Server;
use testkit::wait::soon;

use crate::support::messages::request;
use crate::support::server;

/// The three methods of the Greeter service.
pub const METHODS: [&str; 3] = [
    "/Greeter/GetStream",
    "/Greeter/PutStream",
    "/Greeter/AllStream",
];

/// The status of a call without a token or a certificate that the server knows.
pub const UNKNOWN: &str =
    "UNAUTHENTICATED: the call needs an identity: send a token that this server knows, or use a \
     client certificate that it knows";

/// A token as the token file has it.
pub fn hash(token: &str) -> String {
    sha256(token.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// A server with a token file `tokens` of this content.
pub fn server(folder: &Folder, callers: &str) -> Server {
    server::start(&flags(&folder.write("tokens", callers)))
}

/// The flags of a server with the token file at this path, whose GetStream has one message.
pub fn flags(tokens: &str) -> [&str; 6] {
    [
        "--token-file",
        tokens,
        "--ticks",
        "1",
        "--tick-interval",
        "1ms",
    ]
}

/// The metadata of a call with these credentials.
pub fn with_token<'a>(
    credentials: &'a str,
    topic: Option<&'a str>,
) -> Vec<(&'static str, &'a str)> {
    let mut metadata = vec![("authorization", credentials)];
    metadata.extend(topic.map(|topic| ("topic", topic)));
    metadata
}

/// Makes a call with one message; the status with which it ends.
pub fn call(client: &grpcio::Client, method: &'static str, metadata: &[(&str, &str)]) -> Status {
    let options = raw::with_metadata(metadata);
    let requests = stream::iter([Ok::<_, Status>(request("a"))]);
    let ended = match method {
        "/Greeter/GetStream" => {
            let responses = calls::server_streaming(client, method, &request("a"), options);
            let responses: calls::Responses<StreamResData> = responses.expect("starts");
            soon("end", responses.try_collect::<Vec<_>>()).map(|_| ())
        }
        "/Greeter/PutStream" => {
            let answer = calls::client_streaming::<_, StreamResData, _>;
            soon("end", answer(client, method, requests, options)).map(|_| ())
        }
        _ => {
            let responses = calls::duplex(client, method, requests, options).expect("starts");
            let all: Result<Vec<StreamResData>, Status> = soon("end", responses.try_collect());
            all.map(|_| ())
        }
    };
    ended.err().unwrap_or_else(Status::ok)
}

/// Makes a call that sends no message; the failure with which it ends.
pub fn silent_call(client: &grpcio::Client, method: &'static str, options: CallOption) -> Status {
    let (sink, mut receiver) = client
        .duplex_streaming(&raw::method(method), options)
        .expect("starts");
    let failure = soon("end", receiver.next()).expect("a failure");
    drop(sink);
    failure.expect_err("a failure").into()
}
