//! Checks the addresses of servers, because the C core accepts malformed ones.

/// An address is malformed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("server `{address}` {problem}; give a host and a port, such as 127.0.0.1:50052")]
pub struct AddressError {
    address: String,
    problem: &'static str,
}

/// Checks an address. It has to be `host:port`, or a URI, which only the C core checks.
///
/// The C core itself takes a port modulo 65,536, and assumes port 443 or 0 if there is none.
pub(crate) fn check(address: &str) -> Result<(), AddressError> {
    match problem(address) {
        None => Ok(()),
        Some(problem) => Err(AddressError {
            address: address.to_owned(),
            problem,
        }),
    }
}

fn problem(address: &str) -> Option<&'static str> {
    let is_web_page = ["http://", "https://"]
        .iter()
        .any(|scheme| address.starts_with(scheme));
    if address.contains('\0') {
        return Some("has a NUL character");
    }
    if is_web_page {
        return Some("is the address of a web page");
    }
    if is_uri(address) {
        return None;
    }
    if address.contains(',') {
        return Some("has a comma; give each server by itself");
    }
    match address.rsplit_once(':') {
        None => Some("has no port"),
        Some(("", _)) => Some("has no host"),
        Some((host, _)) if host.contains(':') && !host.starts_with('[') => {
            Some("is an IPv6 address without brackets")
        }
        Some((_, port)) => match port.parse::<u16>() {
            Ok(1..) => None,
            _ => Some("has no port from 1 to 65535"),
        },
    }
}

/// Whether an address is a URI with a scheme of the C core.
pub(super) fn is_uri(address: &str) -> bool {
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
            let said = check(bad).unwrap_err().to_string();
            assert!(said.contains(why), "{bad}: {said}");
        }
    }
}
