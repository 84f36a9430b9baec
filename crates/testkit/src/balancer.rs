//! A balancer of `grpc.lb.v1` that always names the same servers.

use std::net::SocketAddrV4;

use futures::SinkExt;
use futures::{stream, StreamExt};
use grpcio::{DuplexSink, RequestStream, RpcContext, ServiceBuilder, WriteFlags};
use grpcio_streams::Queues;

use crate::{raw, served};

/// A balancer that stops when this is dropped.
pub struct Balancer {
    /// Where it listens on 127.0.0.1.
    pub port: u16,
    _server: grpcio::Server,
}

/// Starts a balancer that names these servers.
pub fn serve(servers: &[SocketAddrV4]) -> Balancer {
    let answers = [initial(), list(servers)];
    let accept = move |ctx: RpcContext<'_>,
                       requests: RequestStream<Vec<u8>>,
                       mut sink: DuplexSink<Vec<u8>>| {
        let answers = answers.clone().map(|a| Ok((a, WriteFlags::default())));
        ctx.spawn(async move {
            let _ = sink.send_all(&mut stream::iter(answers)).await;
            // The client ends the call.
            requests.for_each(|_| async {}).await;
            let _ = sink.close().await;
        });
    };
    let path = "/grpc.lb.v1.LoadBalancer/BalanceLoad";
    let service = ServiceBuilder::new()
        .add_duplex_streaming_handler(&raw::method(path), accept)
        .build();
    let queues = Queues::start("balancer", 1);
    let (server, port) = served::listen(&queues, service);
    Balancer {
        port,
        _server: server,
    }
}

/// A `LoadBalanceResponse` with an empty `initial_response` (field 1).
fn initial() -> Vec<u8> {
    field(1, &[])
}

/// A `LoadBalanceResponse` with a `server_list` (2): `servers` (1) of `ip_address` (1) and `port`
/// (2).
fn list(servers: &[SocketAddrV4]) -> Vec<u8> {
    let servers = servers.iter().flat_map(|server| {
        let mut bytes = field(1, &server.ip().octets());
        bytes.push(2 << 3);
        bytes.extend(varint(u32::from(server.port())));
        field(1, &bytes)
    });
    field(2, &servers.collect::<Vec<_>>())
}

/// A field of the protobuf wire type LEN.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    field.extend(varint(bytes.len() as u32));
    field.extend(bytes);
    field
}

fn varint(mut value: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}
