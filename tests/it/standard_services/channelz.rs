//! `grpc.channelz.v1`: the servers, channels and connections that the C core counts.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use futures::StreamExt;
use greeter_stream::server::Config;
use grpcio::{ChannelBuilder, RpcStatusCode};
use grpcio_serve::generated::grpc_channelz_v1::address::TcpIpAddress;
use grpcio_serve::generated::grpc_channelz_v1::channel_connectivity_state::State;
use grpcio_serve::generated::grpc_channelz_v1::{
    Address, Channel, GetChannelRequest, GetChannelResponse, GetServerRequest, GetServerResponse,
    GetServerSocketsRequest, GetServerSocketsResponse, GetServersRequest, GetServersResponse,
    GetSocketRequest, GetSocketResponse, GetSubchannelRequest, GetSubchannelResponse,
    GetTopChannelsRequest, GetTopChannelsResponse, Socket,
};
use grpcio_streams::{Queues, Status};
use protobuf::well_known_types::timestamp::Timestamp;
use protobuf::Message;
use testkit::clock::unix_seconds;
use testkit::raw::{self, unary};
use testkit::wait::{soon, PATIENCE};

use crate::support::core::core;
use crate::support::{client, server};

const GET_TOP_CHANNELS: &str = "/grpc.channelz.v1.Channelz/GetTopChannels";
const GET_SERVERS: &str = "/grpc.channelz.v1.Channelz/GetServers";
const GET_SERVER: &str = "/grpc.channelz.v1.Channelz/GetServer";
const GET_SERVER_SOCKETS: &str = "/grpc.channelz.v1.Channelz/GetServerSockets";
const GET_CHANNEL: &str = "/grpc.channelz.v1.Channelz/GetChannel";
const GET_SUBCHANNEL: &str = "/grpc.channelz.v1.Channelz/GetSubchannel";
const GET_SOCKET: &str = "/grpc.channelz.v1.Channelz/GetSocket";

fn servers(client: &grpcio::Client) -> GetServersResponse {
    unary(client, GET_SERVERS, GetServersRequest::default()).expect("servers")
}

fn sockets(
    client: &grpcio::Client,
    server: i64,
    start: i64,
    most: i64,
) -> GetServerSocketsResponse {
    let request = GetServerSocketsRequest {
        server_id: server,
        start_socket_id: start,
        max_results: most,
        ..Default::default()
    };
    unary(client, GET_SERVER_SOCKETS, request).expect("sockets")
}

fn socket(client: &grpcio::Client, id: i64) -> Socket {
    let request = GetSocketRequest {
        socket_id: id,
        ..Default::default()
    };
    let response: GetSocketResponse = unary(client, GET_SOCKET, request).expect("a socket");
    assert_eq!(response.socket.ref_.socket_id, id);
    response.socket.unwrap()
}

fn address(address: &Address) -> SocketAddr {
    let TcpIpAddress {
        ip_address, port, ..
    } = address.tcpip_address();
    let ip: [u8; 4] = ip_address[..].try_into().expect("4 bytes");
    let port = u16::try_from(*port).expect("a port");
    SocketAddrV4::new(Ipv4Addr::from(ip), port).into()
}

fn is_now(time: &Timestamp) -> bool {
    unix_seconds().abs_diff(time.seconds as u64) <= PATIENCE.as_secs()
}

#[test]
fn a_server_tells_its_calls_its_listeners_and_its_connections() {
    let mut server = server::start(&["--channelz", "--tick-interval", "1h"]);
    let ours = raw::client(&server.address);
    let mut ticks = client(&server.address).get("aaa").expect("starts");
    assert!(matches!(soon("tick", ticks.next()), Some(Ok(_))));
    let started = server
        .log
        .wait_for_all(PATIENCE, &["GetStream from", "started"]);
    let peer = started.split_whitespace().rev().nth(1).expect("an address");

    let all = servers(&ours);
    assert!(all.end);
    let [known] = &all.server[..] else {
        panic!("{all}");
    };
    // GetStream, and the call that asks.
    assert_eq!(known.data.calls_started, 2);
    assert!(is_now(&known.data.last_call_started_timestamp));
    assert!(is_now(&known.data.trace.creation_timestamp));
    let id = known.ref_.server_id;
    let request = GetServerRequest {
        server_id: id,
        ..Default::default()
    };
    let one: GetServerResponse = unary(&ours, GET_SERVER, request).expect("the server");
    assert_eq!(one.server.ref_, known.ref_);
    assert_eq!(one.server.data.calls_started, 3);

    let [listener] = &known.listen_socket[..] else {
        panic!("{known}");
    };
    let listener = socket(&ours, listener.socket_id);
    // The C core names a listener by the address that it was given.
    assert_eq!(address(&listener.local).to_string(), "127.0.0.1:0");
    assert!(listener.remote.is_none());

    let all = sockets(&ours, id, 0, 0);
    assert!(all.end);
    assert_eq!(all.socket_ref.len(), 2, "{all}");
    let connections = all.socket_ref.iter().map(|s| socket(&ours, s.socket_id));
    let connections: Vec<_> = connections.collect();
    let streaming = connections
        .iter()
        .find(|c| address(&c.remote).to_string() == peer);
    let streaming = streaming.expect("the connection of the one that runs");
    assert_eq!(address(&streaming.local).to_string(), server.address);
    let data = &streaming.data;
    assert_eq!((data.streams_started, data.streams_succeeded), (1, 0));
    assert_eq!((data.messages_received, data.messages_sent), (1, 1));
    for time in [
        &data.last_remote_stream_created_timestamp,
        &data.last_message_received_timestamp,
        &data.last_message_sent_timestamp,
    ] {
        assert!(is_now(time), "{streaming}");
    }
    assert!(streaming.security.is_none(), "in plaintext");
    drop(ticks);
}

/// The binding answers such calls itself, so no line of the log is about them.
#[test]
fn calls_that_reach_no_handler_are_counted() {
    let mut server = server::start(&["--channelz"]);
    let ours = raw::client(&server.address);
    for path in ["/Greeter/NoStream", "/Nobody/GetStream"] {
        let unknown: Result<GetServersResponse, _> =
            unary(&ours, path, GetServersRequest::default());
        let code = unknown.map_err(|status| status.code());
        assert_eq!(code.err(), Some(RpcStatusCode::UNIMPLEMENTED));
    }
    let known = servers(&ours);
    assert_eq!(known.server[0].data.calls_started, 3);
    assert_eq!(known.server[0].data.calls_failed, 2);
    server
        .log
        .wait_for_all(PATIENCE, &["GetServers from", "ended", ": OK"]);
    let lines = server.log.so_far();
    let started = lines.iter().filter(|line| line.contains(" started"));
    assert_eq!(started.count(), 1, "{lines:#?}");
}

#[test]
fn connections_come_in_pages() {
    const CONNECTIONS: usize = 7;
    let server = server::start(&["--channelz"]);
    let clients: Vec<_> = (0..CONNECTIONS)
        .map(|_| raw::client(&server.address))
        .collect();
    let ids = clients
        .iter()
        .map(|client| servers(client).server[0].ref_.server_id);
    let ids: Vec<_> = ids.collect();
    let id = ids[0];
    assert!(ids.iter().all(|other| *other == id));
    for most in [1, 3, 7, 8] {
        let mut seen = Vec::new();
        loop {
            let start = seen.last().map_or(0, |last| last + 1);
            let page = sockets(&clients[0], id, start, most);
            assert!(page.socket_ref.len() as i64 <= most);
            seen.extend(page.socket_ref.iter().map(|s| s.socket_id));
            if page.end {
                break;
            }
        }
        assert_eq!(seen.len(), CONNECTIONS);
        assert!(seen.is_sorted());
    }
}

/// A server in this process, whose channelz also knows the channels of its clients.
fn here() -> grpcio_serve::Server {
    let mut config = Config::default();
    config.serve.listen = vec![SocketAddr::from(([127, 0, 0, 1], 0))];
    config.serve.channelz = true;
    greeter_stream::server::start(&config).expect("starts")
}

/// All channels of this process, read in pages of at most `most`. Those of other tests are among them.
fn channels(client: &grpcio::Client, most: i64) -> Vec<Channel> {
    let mut seen: Vec<Channel> = Vec::new();
    loop {
        let request = GetTopChannelsRequest {
            start_channel_id: seen.last().map_or(0, |last| last.ref_.channel_id + 1),
            max_results: most,
            ..Default::default()
        };
        let page: GetTopChannelsResponse =
            unary(client, GET_TOP_CHANNELS, request).expect("a page");
        let size = page.channel.len();
        assert!(
            size <= 100 && (most == 0 || size as i64 <= most),
            "{size} of {most}"
        );
        assert!(page.end || size > 0, "a page without end has something");
        seen.extend(page.channel);
        if page.end {
            return seen;
        }
    }
}

#[test]
fn a_channel_leads_to_its_connection() {
    let server = here();
    let target = server.addresses()[0].to_string();
    let ours = raw::client(&target);
    let mut known = channels(&ours, 0);
    known.retain(|channel| channel.data.target.ends_with(&target));
    let [known] = &known[..] else {
        panic!("{known:?}");
    };
    assert_eq!(known.data.state.state, State::READY.into());
    assert!(known.data.calls_started >= 1);
    let trace = &known.data.trace;
    let counted = trace.num_events_logged >= trace.events.len() as i64;
    assert!(counted || !core().counts_events, "{trace:?}");
    let request = GetChannelRequest {
        channel_id: known.ref_.channel_id,
        ..Default::default()
    };
    let one: GetChannelResponse = unary(&ours, GET_CHANNEL, request).expect("the channel");
    assert_eq!(one.channel.subchannel_ref, known.subchannel_ref);

    let [subchannel] = &known.subchannel_ref[..] else {
        panic!("{known}");
    };
    let request = GetSubchannelRequest {
        subchannel_id: subchannel.subchannel_id,
        ..Default::default()
    };
    let subchannel: GetSubchannelResponse =
        unary(&ours, GET_SUBCHANNEL, request).expect("the subchannel");
    let subchannel = subchannel.subchannel.unwrap();
    assert_eq!(subchannel.data.state.state, State::READY.into());
    assert!(subchannel.data.target.ends_with(&target), "{subchannel}");
    let [connection] = &subchannel.socket_ref[..] else {
        panic!("{subchannel}");
    };
    let connection = socket(&ours, connection.socket_id);
    assert_eq!(address(&connection.remote).to_string(), target);
    assert!(is_now(&connection.data.last_local_stream_created_timestamp));
}

#[test]
fn a_hundred_channels_are_a_page() {
    let server = here();
    let target = server.addresses()[0].to_string();
    let ours = raw::client(&target);
    let queues = Queues::start("test", 1);
    let idle = |n| ChannelBuilder::new(queues.env()).connect(&format!("127.0.0.1:1/{target}/{n}"));
    let idle: Vec<_> = (0..150).map(idle).collect();
    for most in [0, 7, 100, 1_000, i64::MAX] {
        let seen = channels(&ours, most);
        let seen = seen
            .iter()
            .filter(|c| c.data.target.contains(&format!("/{target}/")));
        assert_eq!(seen.count(), idle.len());
    }
}

#[test]
fn what_is_not_there_is_not_found_and_what_is_wrong_is_refused() {
    fn code<Req: Message, Resp: Message>(
        client: &grpcio::Client,
        path: &'static str,
        request: Req,
    ) -> RpcStatusCode {
        unary::<_, Resp>(client, path, request).map_or_else(|s| s.code(), |_| RpcStatusCode::OK)
    }
    let server = server::start(&["--channelz"]);
    let ours = raw::client(&server.address);
    let known = servers(&ours).server[0].ref_.server_id;
    let a_socket = sockets(&ours, known, 0, 0).socket_ref[0].socket_id;
    // Identifiers of nothing, and the identifier of something else.
    for id in [i64::MIN, -1, 0, 1 << 40, i64::MAX, a_socket] {
        let ask = |code: RpcStatusCode| assert_eq!(code, RpcStatusCode::NOT_FOUND, "{id}");
        ask(code::<_, GetServerResponse>(
            &ours,
            GET_SERVER,
            GetServerRequest {
                server_id: id,
                ..Default::default()
            },
        ));
        ask(code::<_, GetServerSocketsResponse>(
            &ours,
            GET_SERVER_SOCKETS,
            GetServerSocketsRequest {
                server_id: id,
                ..Default::default()
            },
        ));
        ask(code::<_, GetChannelResponse>(
            &ours,
            GET_CHANNEL,
            GetChannelRequest {
                channel_id: id,
                ..Default::default()
            },
        ));
        ask(code::<_, GetSubchannelResponse>(
            &ours,
            GET_SUBCHANNEL,
            GetSubchannelRequest {
                subchannel_id: id,
                ..Default::default()
            },
        ));
        let id = if id == a_socket { known } else { id };
        ask(code::<_, GetSocketResponse>(
            &ours,
            GET_SOCKET,
            GetSocketRequest {
                socket_id: id,
                ..Default::default()
            },
        ));
    }
    for (start, most) in [(-1, 0), (0, -1), (i64::MIN, i64::MIN)] {
        let ask = |code: RpcStatusCode| {
            assert_eq!(code, RpcStatusCode::INVALID_ARGUMENT, "{start} {most}");
        };
        ask(code::<_, GetServersResponse>(
            &ours,
            GET_SERVERS,
            GetServersRequest {
                start_server_id: start,
                max_results: most,
                ..Default::default()
            },
        ));
        ask(code::<_, GetTopChannelsResponse>(
            &ours,
            GET_TOP_CHANNELS,
            GetTopChannelsRequest {
                start_channel_id: start,
                max_results: most,
                ..Default::default()
            },
        ));
        ask(code::<_, GetServerSocketsResponse>(
            &ours,
            GET_SERVER_SOCKETS,
            GetServerSocketsRequest {
                server_id: known,
                start_socket_id: start,
                max_results: most,
                ..Default::default()
            },
        ));
    }
}

#[test]
fn it_is_off_unless_asked_for() {
    let server = server::start(&[]);
    let ours = raw::client(&server.address);
    let answer: Result<GetServersResponse, Status> =
        unary(&ours, GET_SERVERS, GetServersRequest::default());
    let status = answer.expect_err("off");
    assert_eq!(status.code(), RpcStatusCode::UNIMPLEMENTED, "{status}");
}
