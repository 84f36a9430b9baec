//! Which servers a client calls, and how.

use std::net::{SocketAddr, SocketAddrV6, ToSocketAddrs};
use std::time::Duration;

use grpcio_credentials::{ClientTls, Token};

use super::address::{self, AddressError};

/// Which servers to call, and how patiently.
#[derive(Clone, Debug)]
pub struct Config {
    /// The servers' addresses: `host:port`, or a single URI as the C core takes it, such as
    /// `dns:///host:port` or `unix:/path`.
    ///
    /// The names among several are looked up once. Those that are not found are left out, with a
    /// warning in the log. The name of a single server is looked up again whenever connecting
    /// fails. Several servers are called directly, whatever proxy the environment names.
    pub servers: Vec<String>,
    /// Which of the servers a call goes to.
    pub balance: Balance,
    /// How long each call may take in all; None for no limit. Then it ends with DEADLINE_EXCEEDED.
    pub timeout: Option<Duration>,
    /// Whether a call waits for a server that does not answer. Otherwise it ends with UNAVAILABLE.
    pub wait: bool,
    /// How long a connection with running calls may be silent before it is pinged. The server has to
    /// answer within 10 s, or the calls end with UNAVAILABLE. None never to ping. At least 10 s:
    /// servers end connections that ping too often. Ours allow a ping every 10 s, Go's every 5 min
    /// unless they are told otherwise.
    pub keepalive: Option<Duration>,
    /// How TLS is used; None for plaintext.
    pub tls: Option<ClientTls>,
    /// Says who calls, in the metadata `authorization` of each call. In plaintext it is sent to
    /// this machine only.
    pub token: Option<Token>,
}

impl Default for Config {
    /// The server of the original, on this machine, in plaintext; no timeout, no waiting, no token,
    /// a ping after 30 s.
    fn default() -> Self {
        Self {
            servers: vec!["127.0.0.1:50052".to_owned()],
            balance: Balance::PickFirst,
            timeout: None,
            wait: false,
            keepalive: Some(Duration::from_secs(30)),
            tls: None,
            token: None,
        }
    }
}

/// Which of several servers, or of a name's several addresses, a call goes to.
///
/// Topics in memory belong to one server: a message that is published through one server is not
/// seen through another. So calls with topics that the servers do not share want the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Balance {
    /// The first that can be reached, in the given order, until its connection is lost.
    PickFirst,
    /// Each in turn, as long as it can be reached.
    RoundRobin,
    /// Those that a balancer names. The only server has to be `dns:///NAME:PORT`: the DNS records
    /// `SRV _grpclb._tcp.NAME` name the balancers, which speak the protocol
    /// [`grpc.lb.v1`](https://github.com/grpc/grpc/blob/master/doc/load-balancing.md). Where there
    /// are none, or none answers within 10 s, it is the same as [`RoundRobin`](Self::RoundRobin)
    /// among the name's own addresses.
    Grpclb,
}

/// Why a client cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// There is no server.
    #[error("no server is given; give at least one HOST:PORT")]
    NoServer,
    /// An address is malformed.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// One of several servers is a URI.
    #[error("server `{0}` is one of several, which must all be HOST:PORT; give it alone")]
    UriAmongSeveral(String),
    /// None of several servers is found; what was wrong with each.
    #[error("{}", .0.join("; "))]
    NotFound(Vec<String>),
    /// Several servers speak TLS, and it is not known which name their certificates have.
    #[error(
        "several servers are connected to by number, and need the name that their certificates have"
    )]
    NameNeeded,
    /// A certificate cannot have this name.
    #[error("server name {0:?} is not one; give a host's name")]
    ServerName(String),
    /// A token would go to this server in plaintext.
    #[error(
        "without TLS everyone on the way to {0} could read the token, so it is not sent; use TLS"
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
        match (&self.tls, &self.token) {
            (Some(tls), _) => check_name(tls.expected_name(), self.servers.len()),
            (None, None) => Ok(()),
            (None, Some(_)) => match self
                .servers
                .iter()
                .find(|server| !address::is_local(server))
            {
                None => Ok(()),
                Some(server) => Err(ConfigError::TokenInPlaintext(server.clone())),
            },
        }
    }

    /// What the C core shall connect to. A single server is its own business. It takes several only
    /// as numbers, so names among them are looked up here, which blocks.
    ///
    /// # Errors
    ///
    /// [`ConfigError::NotFound`] where none of several is found.
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
        // The others may be enough.
        failures.iter().for_each(|failure| log::warn!("{failure}"));
        Ok(target(&found))
    }

    /// Whether a proxy that the environment names may be asked for the connection. It is not meant
    /// for this machine's own programs, and the C core would ask it for all of several servers at
    /// once.
    pub(super) fn may_use_proxy(&self) -> bool {
        matches!(&self.servers[..], [server] if !address::is_loopback(server))
    }
}

/// Several addresses as one target of the C core.
fn target(addresses: &[SocketAddr]) -> String {
    if addresses.iter().all(SocketAddr::is_ipv4) {
        let all: Vec<_> = addresses.iter().map(SocketAddr::to_string).collect();
        return format!("ipv4:{}", all.join(","));
    }
    // IPv4 addresses among them take the form that IPv6 has for them (RFC 4291, section 2.5.5.2).
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

/// Checks the addresses of all servers. Several have to be `host:port`, since a URI is a target of
/// its own.
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

/// Checks the name that is expected in the certificates of so many servers.
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
