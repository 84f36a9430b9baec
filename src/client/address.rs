//! Addresses of servers, checked before the C core guesses what they mean.

use std::net::{IpAddr, SocketAddr, SocketAddrV6, ToSocketAddrs};

/// Checks the addresses of all servers: several must be names or numbers, since a URI is a target
/// of its own.
pub(super) fn check_all(servers: &[String]) -> Result<(), String> {
    servers.iter().try_for_each(|server| check(server))?;
    match servers {
        [] => Err("no server is given; give at least one HOST:PORT".to_owned()),
        [_] => Ok(()),
        several => match several.iter().find(|server| is_uri(server)) {
            Some(uri) => Err(format!(
                "server `{uri}` is one of several, which must all be HOST:PORT; give it alone"
            )),
            None => Ok(()),
        },
    }
}

/// What the C core shall connect to, of addresses that are good. A single one is its own business;
/// it knows several only as numbers, so names among several are looked up here.
///
/// Fails where none of them is found.
pub(super) fn target(servers: &[String]) -> Result<String, String> {
    if let [server] = servers {
        return Ok(server.clone());
    }
    let (mut all, mut failures) = (Vec::new(), Vec::new());
    for server in servers {
        match server.to_socket_addrs() {
            Ok(found) => all.extend(found),
            Err(e) => failures.push(format!("server `{server}` cannot be looked up: {e}")),
        }
    }
    if all.is_empty() {
        return Err(failures.join("; "));
    }
    // The others may do.
    failures.iter().for_each(|failure| log::warn!("{failure}"));
    if all.iter().all(SocketAddr::is_ipv4) {
        let all: Vec<_> = all.iter().map(SocketAddr::to_string).collect();
        return Ok(format!("ipv4:{}", all.join(",")));
    }
    // IPv4 addresses among them in the form that IPv6 has for them (RFC 4291, 2.5.5.2).
    let all = all.iter().map(|address| match address {
        SocketAddr::V4(v4) => {
            let ip = v4.ip().to_ipv6_mapped();
            SocketAddrV6::new(ip, v4.port(), 0, 0).to_string()
        }
        SocketAddr::V6(v6) => v6.to_string(),
    });
    let all: Vec<_> = all.collect();
    Ok(format!("ipv6:{}", all.join(",")))
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
    if address.contains(',') {
        return wrong("has a comma: several servers are given one by one");
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

/// Whether it is plain that what is sent to an address does not leave this machine.
pub(super) fn is_local(address: &str) -> bool {
    let socket = ["unix:", "unix-abstract:"];
    socket.iter().any(|scheme| address.starts_with(scheme)) || is_loopback(address)
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
            ("a:1,b:2", "has a comma"),
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
            let bad: Vec<_> = bad.iter().map(|s| (*s).to_owned()).collect();
            let said = check_all(&bad).unwrap_err();
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
