//! Addresses of servers, checked before the C core guesses what they mean.

use std::net::IpAddr;

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
    let schemes = [
        "dns:",
        "ipv4:",
        "ipv6:",
        "unix:",
        "unix-abstract:",
        "vsock:",
        "xds:",
    ];
    if schemes.iter().any(|scheme| address.starts_with(scheme)) {
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
