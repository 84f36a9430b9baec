//! Addresses of servers, checked before the C core guesses what they mean.

use std::net::{IpAddr, SocketAddr, SocketAddrV6, ToSocketAddrs};

/// What the C core shall connect to. A single address is its own business; it knows several only
/// as numbers, so names among several are looked up here.
pub(super) fn target(servers: &[String]) -> Result<String, String> {
    servers.iter().try_for_each(|server| check(server))?;
    if let [server] = servers {
        return Ok(server.clone());
    }
    let mut all = Vec::new();
    for server in servers {
        if is_uri(server) {
            return Err(format!(
                "server `{server}` is one of several, which must all be HOST:PORT; give it alone"
            ));
        }
        let found = server
            .to_socket_addrs()
            .map_err(|e| format!("server `{server}` cannot be looked up: {e}"))?;
        all.extend(found);
    }
    let addresses = |all: Vec<String>| all.join(",");
    match all.is_empty() {
        true => Err("no server is given; give at least one HOST:PORT".to_owned()),
        false if all.iter().all(SocketAddr::is_ipv4) => {
            let all = all.iter().map(SocketAddr::to_string);
            Ok(format!("ipv4:{}", addresses(all.collect())))
        }
        // IPv4 addresses among them in the form that IPv6 has for them (RFC 4291, 2.5.5.2).
        false => {
            let all = all.iter().map(|address| match address {
                SocketAddr::V4(v4) => {
                    let ip = v4.ip().to_ipv6_mapped();
                    SocketAddrV6::new(ip, v4.port(), 0, 0).to_string()
                }
                SocketAddr::V6(v6) => v6.to_string(),
            });
            Ok(format!("ipv6:{}", addresses(all.collect())))
        }
    }
}

/// Checks an address: a URI is the C core's business, all else must be `host:port`.
///
/// The C core takes a port modulo 65,536, and 443 or 0 where there is none.
pub(super) fn check(address: &str) -> Result<(), String> {
    let wrong = |why: &str| {
        Err(format!(
            "server `{address}` {why}; give a host and a port, such as 127.0.0.1:50052"
        ))
    };
    if address.contains('\0') {
        return wrong("has a NUL character");
    }
    if ["http://", "https://"]
        .iter()
        .any(|scheme| address.starts_with(scheme))
    {
        return wrong("is the address of a web page");
    }
    if is_uri(address) {
        return Ok(());
    }
    match address.rsplit_once(':') {
        None => wrong("has no port"),
        Some(("", _)) => wrong("has no host"),
        Some((host, _)) if host.contains(':') && !host.starts_with('[') => {
            wrong("is an IPv6 address without brackets")
        }
        Some((_, port)) => match port.parse::<u16>() {
            Ok(1..) => Ok(()),
            _ => wrong("has no port from 1 to 65535"),
        },
    }
}

fn is_uri(address: &str) -> bool {
    let schemes = [
        "dns:",
        "ipv4:",
        "ipv6:",
        "unix:",
        "unix-abstract:",
        "vsock:",
        "xds:",
    ];
    schemes.iter().any(|scheme| address.starts_with(scheme))
}

/// Whether it is plain that an address is this machine's own.
pub(super) fn is_loopback(address: &str) -> bool {
    let Some((host, _)) = address.rsplit_once(':') else {
        return false;
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked() {
        for good in [
            "127.0.0.1:50052",
            "localhost:1",
            "[::1]:65535",
            "dns:///a:1",
            "unix:/x",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for (bad, why) in [
            ("", "has no port"),
            ("localhost", "has no port"),
            ("50052", "has no port"),
            (":50052", "has no host"),
            ("127.0.0.1:99999", "has no port from 1 to 65535"),
            ("127.0.0.1:0", "has no port from 1 to 65535"),
            ("127.0.0.1:http", "has no port from 1 to 65535"),
            ("::1:50052", "is an IPv6 address without brackets"),
            ("http://localhost:50052", "is the address of a web page"),
            ("a\0:1", "has a NUL character"),
        ] {
            let said = check(bad).unwrap_err();
            assert!(said.contains(why), "{bad}: {said}");
        }
    }

    #[test]
    fn several_servers_are_one_target() {
        let target = |servers: &[&str]| {
            let servers: Vec<_> = servers.iter().map(|s| (*s).to_owned()).collect();
            target(&servers)
        };
        assert_eq!(target(&["dns:///a:1"]).as_deref(), Ok("dns:///a:1"));
        assert_eq!(target(&["nowhere:1"]).as_deref(), Ok("nowhere:1"));
        let two = target(&["127.0.0.1:1", "10.0.0.1:2"]);
        assert_eq!(two.as_deref(), Ok("ipv4:127.0.0.1:1,10.0.0.1:2"));
        let both = target(&["127.0.0.1:1", "[::1]:2"]);
        assert_eq!(both.as_deref(), Ok("ipv6:[::ffff:127.0.0.1]:1,[::1]:2"));
        for (bad, why) in [
            (&[][..], "no server is given"),
            (&["127.0.0.1:1", "a"], "server `a` has no port"),
            (&["127.0.0.1:1", "dns:///a:1"], "must all be HOST:PORT"),
            (&["127.0.0.1:1", "no.such.invalid:1"], "cannot be looked up"),
        ] {
            let said = target(bad).unwrap_err();
            assert!(said.contains(why), "{bad:?}: {said}");
        }
    }

    #[test]
    fn loopback_addresses_are_recognised() {
        for own in ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1"] {
            assert!(is_loopback(own), "{own}");
        }
        for other in [
            "10.0.0.1:1",
            "example.org:1",
            "[2001:db8::1]:1",
            "dns:///localhost:1",
        ] {
            assert!(!is_loopback(other), "{other}");
        }
    }
}
