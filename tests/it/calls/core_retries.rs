//! The C core begins a call again by itself if the server has not seen it. That may lose a message
//! (`grpcio_streams::client`), so clients switch it off.

use std::net::TcpListener;
use std::thread;

use futures::channel::mpsc;
use futures::{FutureExt, SinkExt};
use grpcio::RpcStatusCode;
use grpcio_streams::Status;
use testkit::http2::{frame, Connection, Frame};
use testkit::wait::{soon, PATIENCE};

use crate::support::client;

/// A GOAWAY without an error whose last stream is 0: the server has seen no call.
const SEEN_NONE: [u8; 8] = [0; 8];

/// A server that takes one message and says that it has seen no call. It accepts one connection; the
/// next ones wait in the queue of the listener.
fn forgetful(listener: TcpListener) {
    let mut connection = Connection::accept(&listener).expect("a client");
    let is_message = |frame: &Frame<'_>| frame.kind == frame::DATA;
    connection
        .read_until(PATIENCE, is_message)
        .expect("a message");
    connection.write(frame::GOAWAY, 0, 0, &SEEN_NONE);
    connection.send().expect("a client that reads");
    let left = connection.read_until(PATIENCE, |_| false);
    left.expect_err("the client leaves");
}

#[test]
fn a_call_that_the_server_has_not_seen_is_unavailable() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let listening = listener.try_clone().expect("a descriptor");
    let server = thread::spawn(move || forgetful(listening));
    let client = client(&address);
    let (mut sender, messages) = mpsc::channel::<Result<String, Status>>(0);
    let mut call = client.put(messages).boxed();
    soon("the message", async {
        let sent = sender.send(Ok("a".to_owned()));
        futures::future::select(sent.boxed(), &mut call).await;
    });
    let ended = soon("the end", &mut call);
    assert_eq!(
        ended.map_err(|status| status.code()),
        Err(RpcStatusCode::UNAVAILABLE)
    );
    drop(call);
    drop(client);
    server.join().expect("no panic");
    drop(listener);
}
