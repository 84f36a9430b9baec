//! The configuration of a client.

use std::net::{SocketAddr, SocketAddrV6, ToSocketAddrs};
use std::time::Duration;

use grpcio_credentials::{is_local, ClientTls, Token};
use grpcio_streams::{MAX_MESSAGE_BYTES, MAX_METADATA_BYTES, METADATA_LIMITS};

use super::address::{self, AddressError};

/// The configuration of a client: its servers, timeouts and credentials.
#[derive(Clone, Debug)]
pub struct Config {
    /// The servers' addresses: each `host:port`, or a single URI that the C core knows, such as
    /// `dns:///host:port` or `unix:/path`.
    ///
    /// The name of a single server is looked up again whenever connecting fails. The names of
    /// several servers are looked up once. A name that is not found is left out, with a warning in
    /// the log. Several servers are called directly, even if the environment names a proxy.
    pub servers: Vec<String>,
    /// How calls are distributed over the servers.
    pub balance: Balance,
    /// The deadline of each call, from its start. Then it ends with DEADLINE_EXCEEDED. Calls that are
    /// tried again while the server is unavailable are tried for this time. None for no deadline.
    pub timeout: Option<Duration>,
    /// Whether a call waits for a server that cannot be reached. Otherwise it ends with
    /// UNAVAILABLE.
    pub wait: bool,
    /// The longest message that the client receives or sends, in bytes as encoded. A call with a
    /// longer one ends with RESOURCE_EXHAUSTED.
    pub message_bytes: usize,
    /// The most metadata that a server may send in one block, the status included, in bytes, from
    /// 1 KiB to 16 MiB. Each entry counts as its name, its value and 32 bytes. A call with more ends with
    /// RESOURCE_EXHAUSTED.
    pub metadata_bytes: u32,
    /// How long a connection with running calls may be silent before the client pings the server.
    /// The calls end with UNAVAILABLE if the server does not answer within 10 s. None for no pings.
    /// Times below 10 s count as 10 s, because servers end connections that ping too often. By
    /// default, `greeter-server` allows a ping every 10 s, and servers in Go allow one every 5 min.
    pub keepalive: Option<Duration>,
    /// The TLS credentials; None for plaintext.
    pub tls: Option<ClientTls>,
    /// The token that identifies the caller, in the metadata `authorization` of each call. In
    /// plaintext it is sent only to servers on this machine.
    pub token: Option<Token>,
}

impl Default for Config {
    /// The server at 127.0.0.1:50052 in plaintext, no timeout, no waiting, messages of 4 MiB,
    /// metadata of 16 KiB, no token, and a ping after 30 s.
    fn default() -> Self {
        Self {
            servers: vec!["127.0.0.1:50052".to_owned()],
            balance: Balance::PickFirst,
            timeout: None,
            wait: false,
            message_bytes: MAX_MESSAGE_BYTES,
            metadata_bytes: MAX_METADATA_BYTES,
            keepalive: Some(Duration::from_secs(30)),
            tls: None,
            token: None,
        }
    }
}

/// How calls are distributed over several servers, or over the addresses of one name.
///
/// A topic in memory belongs to one server: a message that is published at one server cannot be
/// read at another. So use [`PickFirst`](Self::PickFirst) for topics in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Balance {
    /// The first server that can be reached, in the given order, until its connection is lost.
    PickFirst,
    /// Each server in turn, as long as it can be reached.
    RoundRobin,
    /// The servers that a balancer names. [`Config::servers`] has to be the single URI
    /// `dns:///NAME:PORT`. The DNS records `SRV _grpclb._tcp.NAME` name the balancers, which speak
    /// the protocol [`grpc.lb.v1`](https://github.com/grpc/grpc/blob/master/doc/load-balancing.md).
    /// If there is no such record, or no balancer answers within 10 s, calls go to the name's own
    /// addresses as with [`RoundRobin`](Self::RoundRobin).
    Grpclb,
}

/// Why a client cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// No server is given.
    #[error("no server is given; give at least one HOST:PORT")]
    NoServer,
    /// An address is malformed.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// One of several servers is a URI.
    #[error("server `{0}` is one of several, which must all be HOST:PORT; give it alone")]
    UriAmongSeveral(String),
    /// None of several servers is found. The texts have the error of each.
    #[error("{}", .0.join("; "))]
    NotFound(Vec<String>),
    /// Several servers are used with TLS, and the name in their certificates is not given.
    #[error(
        "several servers are called by IP address, so TLS needs the name in their certificates"
    )]
    NameNeeded,
    /// This name cannot be in a certificate.
    #[error(
        "server name {0:?} cannot be the name of a host; give the name in the servers' certificates"
    )]
    ServerName(String),
    /// The limit of metadata is out of its range.
    #[error(
        "metadata_bytes {0} is out of range; the range is {least} to {most}",
        least = METADATA_LIMITS.start(), most = METADATA_LIMITS.end()
    )]
    MetadataBytes(u32),
    /// A token would go to this server in plaintext.
    #[error(
        "without TLS everyone on the network path to {0} could read the token, so it is not sent; \
         use TLS"
    )]
    TokenInPlaintext(String),
}

impl Config {
    /// Checks everything that can be checked before connecting.
    ///
    /// # Errors
    ///
    /// All but [`ConfigError::NotFound`].
    pub fn check(&self) -> Result<(), ConfigError> {
        check_servers(&self.servers)?;
        if !METADATA_LIMITS.contains(&self.metadata_bytes) {
            return Err(ConfigError::MetadataBytes(self.metadata_bytes));
        }
        match (&self.tls, &self.token) {
            (Some(tls), _) => check_name(tls.expected_name(), self.servers.len()),
            (None, None) => Ok(()),
            (None, Some(_)) => match self.servers.iter().find(|server| !is_local(server)) {
                None => Ok(()),
                Some(server) => Err(ConfigError::TokenInPlaintext(server.clone())),
            },
        }
    }

    /// The target for the C core. A single server is passed on as it is. The C core accepts several
    /// servers only as IP addresses, so their names are looked up here, which blocks.
    ///
    /// # Errors
    ///
    /// [`ConfigError::NotFound`] if none of several servers is found.
    pub(super) fn target(&self) -> Result<String, ConfigError> {
        if let [server] = &self.servers[..] {
            return Ok(server.clone());
        }
        let (mut found, mut failures) = (Vec::new(), Vec::new());
        for server in &self.servers {
            match server.to_socket_addrs() {
                Ok(addresses) => found.extend(addresses),
                Err(e) => failures.push(format!("server `{server}` cannot be looked up: {e}")),
            }
        }
        if found.is_empty() {
            return Err(ConfigError::NotFound(failures));
        }
        // The servers that were found may be enough.
        failures.iter().for_each(|failure| log::warn!("{failure}"));
        Ok(target(&found))
    }

    /// Whether the C core may use a proxy that the environment names. It must not for a server on
    /// this machine. It must not for several servers either, because the C core would pass all of
    /// them to the proxy as one.
    pub(super) fn may_use_proxy(&self) -> bool {
        matches!(&self.servers[..], [server] if !is_local(server))
    }
}

/// Several addresses as one target of the C core.
fn target(addresses: &[SocketAddr]) -> String {
    if addresses.iter().all(SocketAddr::is_ipv4) {
        let all: Vec<_> = addresses.iter().map(SocketAddr::to_string).collect();
        return format!("ipv4:{}", all.join(","));
    }
    // The IPv4 addresses among them become IPv4-mapped IPv6 addresses (RFC 4291, section 2.5.5.2).
    let all = addresses.iter().map(|address| match address {
        SocketAddr::V4(v4) => {
            let ip = v4.ip().to_ipv6_mapped();
            SocketAddrV6::new(ip, v4.port(), 0, 0).to_string()
        }
        SocketAddr::V6(v6) => v6.to_string(),
    });
    let all: Vec<_> = all.collect();
    format!("ipv6:{}", all.join(","))
}

/// Checks the addresses of all servers. Several servers have to be `host:port`, because a URI is a
/// target of its own.
fn check_servers(servers: &[String]) -> Result<(), ConfigError> {
    for server in servers {
        address::check(server)?;
    }
    match servers {
        [] => Err(ConfigError::NoServer),
        [_] => Ok(()),
        several => match several.iter().find(|server| address::is_uri(server)) {
            Some(uri) => Err(ConfigError::UriAmongSeveral(uri.clone())),
            None => Ok(()),
        },
    }
}

/// Checks the name that is expected in the certificates of `servers` servers.
fn check_name(name: Option<&str>, servers: usize) -> Result<(), ConfigError> {
    match name {
        None if servers > 1 => Err(ConfigError::NameNeeded),
        Some(name) if name.is_empty() || name.contains('\0') => {
            Err(ConfigError::ServerName(name.to_owned()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(servers: &[&str]) -> Config {
        Config {
            servers: servers.iter().map(|s| (*s).to_owned()).collect(),
            ..Config::default()
        }
    }

    #[test]
    fn several_servers_are_one_target() {
        let target = |servers: &[&str]| {
            let target = config(servers).target();
            target.map_err(|e| e.to_string())
        };
        assert_eq!(target(&["dns:///a:1"]).as_deref(), Ok("dns:///a:1"));
        assert_eq!(target(&["nowhere:1"]).as_deref(), Ok("nowhere:1"));
        let two = target(&["127.0.0.1:1", "10.0.0.1:2"]);
        assert_eq!(two.as_deref(), Ok("ipv4:127.0.0.1:1,10.0.0.1:2"));
        let both = target(&["127.0.0.1:1", "[::1]:2"]);
        assert_eq!(both.as_deref(), Ok("ipv6:[::ffff:127.0.0.1]:1,[::1]:2"));
        let one_of_two = target(&["no.such.invalid:1", "127.0.0.1:1"]);
        assert_eq!(one_of_two.as_deref(), Ok("ipv4:127.0.0.1:1"));
        let none = target(&["no.such.invalid:1", "nor.such.invalid:1"]).unwrap_err();
        assert!(
            none.contains("`no.such.invalid:1` cannot be looked up"),
            "{none}"
        );

        for (bad, why) in [
            (&[][..], "no server is given"),
            (&["127.0.0.1:1", "a"], "server `a` has no port"),
            (&["127.0.0.1:1", "dns:///a:1"], "must all be HOST:PORT"),
        ] {
            let said = config(bad).check().unwrap_err().to_string();
            assert!(said.contains(why), "{bad:?}: {said}");
        }
    }
}
