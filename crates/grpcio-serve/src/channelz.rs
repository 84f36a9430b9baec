//! `grpc.channelz.v1`: what the gRPC core knows about the servers, connections and channels of this
//! process. It helps to find a connection that stalls.
//!
//! It reveals the address of every client to every caller. So it is served only if
//! [`Config::channelz`](crate::Config::channelz) is set.
//!
//! A call with an id that does not exist, or that belongs to another kind of object, ends with
//! NOT_FOUND. A negative start or size of a page ends it with INVALID_ARGUMENT. A page has at most
//! 100 servers or channels, or 500 sockets.

use std::future::{self, Ready};
use std::sync::Arc;

use grpcio::{channelz as core, RpcStatusCode};
use grpcio_streams::{Call, ServiceBuilder, Status};
use protobuf::MessageFull;
use protobuf_json_mapping::{parse_from_str_with_options, ParseOptions};

use crate::generated::grpc_channelz_v1::{
    GetChannelRequest, GetChannelResponse, GetServerRequest, GetServerResponse,
    GetServerSocketsRequest, GetServerSocketsResponse, GetServersRequest, GetServersResponse,
    GetSocketRequest, GetSocketResponse, GetSubchannelRequest, GetSubchannelResponse,
    GetTopChannelsRequest, GetTopChannelsResponse,
};

/// The most sockets in a page. It is the core's own default.
const SOCKETS: usize = 500;

/// Adds all methods of the service.
#[must_use]
pub(crate) fn add(builder: ServiceBuilder) -> ServiceBuilder {
    builder
        .unary(
            "/grpc.channelz.v1.Channelz/GetTopChannels",
            by(top_channels),
        )
        .unary("/grpc.channelz.v1.Channelz/GetServers", by(servers))
        .unary("/grpc.channelz.v1.Channelz/GetServer", by(server))
        .unary(
            "/grpc.channelz.v1.Channelz/GetServerSockets",
            by(server_sockets),
        )
        .unary("/grpc.channelz.v1.Channelz/GetChannel", by(channel))
        .unary("/grpc.channelz.v1.Channelz/GetSubchannel", by(subchannel))
        .unary("/grpc.channelz.v1.Channelz/GetSocket", by(socket))
}

/// Makes a handler that answers at once.
fn by<Req, Resp>(
    answer: fn(&Req) -> Result<Resp, Status>,
) -> impl Fn(Arc<Call>, Req) -> Ready<Result<Resp, Status>> {
    move |_, request| future::ready(answer(&request))
}

fn top_channels(request: &GetTopChannelsRequest) -> Result<GetTopChannelsResponse, Status> {
    let (start, most) = page(request.start_channel_id, request.max_results)?;
    let mut page: GetTopChannelsResponse = core::get_top_channels(start, read)?;
    page.end &= page.channel.len() <= most;
    page.channel.truncate(most);
    Ok(page)
}

fn servers(request: &GetServersRequest) -> Result<GetServersResponse, Status> {
    let (start, most) = page(request.start_server_id, request.max_results)?;
    let mut page: GetServersResponse = core::get_servers(start, read)?;
    page.end &= page.server.len() <= most;
    page.server.truncate(most);
    Ok(page)
}

fn server(request: &GetServerRequest) -> Result<GetServerResponse, Status> {
    core::get_server(id(request.server_id)?, read)
}

fn server_sockets(request: &GetServerSocketsRequest) -> Result<GetServerSocketsResponse, Status> {
    let (start, most) = page(request.start_socket_id, request.max_results)?;
    core::get_server_sockets(id(request.server_id)?, start, most.min(SOCKETS), read)
}

fn channel(request: &GetChannelRequest) -> Result<GetChannelResponse, Status> {
    core::get_channel(id(request.channel_id)?, read)
}

fn subchannel(request: &GetSubchannelRequest) -> Result<GetSubchannelResponse, Status> {
    core::get_subchannel(id(request.subchannel_id)?, read)
}

fn socket(request: &GetSocketRequest) -> Result<GetSocketResponse, Status> {
    core::get_socket(id(request.socket_id)?, read)
}

/// The first id of a page, and the most entries that it may hold.
fn page(start: i64, most: i64) -> Result<(u64, usize), Status> {
    match (u64::try_from(start), usize::try_from(most)) {
        (Ok(start), Ok(0)) => Ok((start, usize::MAX)),
        (Ok(start), Ok(most)) => Ok((start, most)),
        _ => {
            let why = "neither the first id of a page nor its size can be negative";
            Err(Status::new(RpcStatusCode::INVALID_ARGUMENT, why))
        }
    }
}

fn id(id: i64) -> Result<u64, Status> {
    u64::try_from(id).map_err(|_| not_found())
}

/// Reads the core's answer, which is a response in protobuf's JSON, or empty if there is none.
fn read<T: MessageFull>(json: &str) -> Result<T, Status> {
    if json.is_empty() {
        return Err(not_found());
    }
    // A core may know more than the protocol has here.
    let options = ParseOptions {
        ignore_unknown_fields: true,
        ..ParseOptions::default()
    };
    parse_from_str_with_options(json, &options).map_err(|e| {
        log::error!("the gRPC core's channelz data cannot be read: {e}: {json}");
        Status::internal("the gRPC core's channelz data cannot be read; the server's log says why")
    })
}

fn not_found() -> Status {
    let why = "nothing of this kind has that id; it may have ended";
    Status::new(RpcStatusCode::NOT_FOUND, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_as_large_as_the_client_says() {
        assert_eq!(page(0, 0), Ok((0, usize::MAX)));
        assert_eq!(page(i64::MAX, 3), Ok((i64::MAX as u64, 3)));
        for (start, most) in [(-1, 0), (0, -1), (i64::MIN, i64::MIN)] {
            let code = page(start, most).map_err(|status| status.code());
            assert_eq!(code, Err(RpcStatusCode::INVALID_ARGUMENT));
        }
    }

    #[test]
    fn what_the_core_writes_is_read() {
        // In the core's spelling: names of both kinds, numbers as text, and a field of a newer core.
        let json = r#"{"new": 1, "socket": {"ref": {"socketId": "7"}, "remote": {"tcpip_address":
            {"ip_address": "fwAAAQ==", "port": "50052"}}, "security": {"tls":
            {"standard_name": "TLS_AES_128_GCM_SHA256", "remote_certificate": "/+8="}}}}"#;
        let socket = read::<GetSocketResponse>(json).unwrap().socket;
        assert_eq!(socket.ref_.socket_id, 7);
        assert_eq!(socket.remote.tcpip_address().ip_address, [127, 0, 0, 1]);
        assert_eq!(socket.remote.tcpip_address().port, 50052);
        let tls = socket.security.tls();
        assert_eq!(tls.standard_name(), "TLS_AES_128_GCM_SHA256");
        assert_eq!(tls.remote_certificate, [0xff, 0xef]);

        for (json, code) in [
            ("", RpcStatusCode::NOT_FOUND),
            ("{", RpcStatusCode::INTERNAL),
            (r#"{"socket": 1}"#, RpcStatusCode::INTERNAL),
        ] {
            let read = read::<GetSocketResponse>(json);
            assert_eq!(read.map_err(|status| status.code()), Err(code), "{json}");
        }
    }
}
