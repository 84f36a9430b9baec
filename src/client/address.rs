//! Checks the addresses of servers, because the C core accepts malformed ones.

use std::net::SocketAddr;

use grpcio_streams::{escaped, is_escaped};

/// An address is malformed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("server `{}` {problem}", escaped(address))]
pub struct AddressError {
    address: String,
    problem: String,
}

/// The schemes of the C core.
const SCHEMES: [&str; 7] = [
    "dns",
    "ipv4",
    "ipv6",
    "unix",
    "unix-abstract",
    "vsock",
    "xds",
];

/// What to do about an address whose right form is not known.
const REMEDY: &str = "give a host and a port, such as 127.0.0.1:50052";

/// Checks an address. It has to be `host:port`, or a URI, which only the C core checks.
///
/// The C core itself takes a port modulo 65,536, and assumes port 443 or 0 if there is none.
pub(crate) fn check(address: &str) -> Result<(), AddressError> {
    problem(address).map_or(Ok(()), |problem| {
        Err(AddressError {
            address: address.to_owned(),
            problem,
        })
    })
}

/// What is wrong with an address, and the remedy.
fn problem(address: &str) -> Option<String> {
    if address.contains(|c: char| c.is_whitespace() || is_escaped(c)) {
        return Some(format!("has white space or a control character; {REMEDY}"));
    }
    if let Some((scheme, rest)) = address.split_once(':') {
        if SCHEMES.contains(&scheme) {
            return uri(scheme, rest);
        }
        if SCHEMES.contains(&scheme.to_lowercase().as_str()) || rest.starts_with("//") {
            return Some(foreign(scheme, rest));
        }
    }
    if address.contains(',') {
        return Some("has a comma; give each server by itself".to_owned());
    }
    if let Some((server, _)) = address.split_once('/') {
        return Some(format!("has a path; {}", without(server)));
    }
    let wrong = host_and_port(address).err()?;
    Some(format!("{wrong}; {REMEDY}"))
}

/// What is wrong with a URI of this scheme. The C core checks the rest of what it knows.
fn uri(scheme: &str, rest: &str) -> Option<String> {
    let path = match rest.strip_prefix("//") {
        Some(rest) => rest.split_once('/').map_or("", |(_, path)| path),
        None => rest,
    };
    match scheme {
        "unix" | "unix-abstract" if rest.is_empty() => {
            Some(format!("names no socket; give {scheme}:NAME"))
        }
        "unix" if rest.starts_with("//") && !rest.starts_with("///") => {
            Some("names no absolute path; give unix:///PATH".to_owned())
        }
        "ipv4" | "ipv6" => {
            let is_address =
                |address: &str| address.parse::<SocketAddr>().is_ok_and(|a| a.port() > 0);
            // Percent signs are decoded by the C core, and may be part of a zone.
            let wrong = path
                .split(',')
                .find(|a| !a.contains('%') && !is_address(a))?;
            Some(format!(
                "has `{wrong}`, which is no IP address with a port from 1 to 65535; give \
                 ipv4:127.0.0.1:50052 or ipv6:[::1]:50052"
            ))
        }
        "dns" if path.is_empty() => Some(format!("names no host; {REMEDY}")),
        "dns" => {
            // Without a port the C core takes 443.
            let (host, port) = path.rsplit_once(':')?;
            let has_port = !port.ends_with(']') && (!host.contains(':') || host.ends_with(']'));
            let good = matches!(port.parse::<u16>(), Ok(1..));
            (has_port && !good).then(|| format!("has no port from 1 to 65535; {REMEDY}"))
        }
        _ => None,
    }
}

/// What is wrong with an address that has a scheme which the C core does not know. `rest` is what
/// follows its colon.
fn foreign(scheme: &str, rest: &str) -> String {
    let known = scheme.to_lowercase();
    if SCHEMES.contains(&known.as_str()) {
        return format!("has its scheme in upper case; give {known}:{rest}");
    }
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let server = rest.split('/').next().unwrap_or_default();
    // A user's name has no meaning to gRPC.
    let server = server.rsplit('@').next().unwrap_or_default();
    let tls = match known.as_str() {
        "https" | "grpcs" | "tls" | "ssl" => ", and use TLS",
        _ => "",
    };
    format!(
        "has the scheme {scheme}://, which no gRPC server has; {}{tls}",
        without(server)
    )
}

/// The remedy for an address that has more than this server.
fn without(server: &str) -> String {
    match host_and_port(server) {
        Ok(()) => format!("give {server}"),
        Err(_) => REMEDY.to_owned(),
    }
}

/// Checks that an address is `host:port`.
fn host_and_port(address: &str) -> Result<(), &'static str> {
    // An IPv6 address in brackets may come without a port.
    let (host, port) = match address.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ if address.parse::<u16>().is_ok() => return Err("has no host"),
        _ => return Err("has no port"),
    };
    if host.is_empty() {
        return Err("has no host");
    }
    if host == "*" {
        return Err("names no server, because * stands for all");
    }
    let in_brackets = host.strip_prefix('[').and_then(|ip| ip.strip_suffix(']'));
    match in_brackets {
        None if host.contains(':') => return Err("is an IPv6 address without brackets"),
        None if host.contains(['[', ']']) => return Err("has a bracket too many"),
        _ => {}
    }
    match port.parse::<u16>() {
        Ok(1..) => Ok(()),
        _ => Err("has no port from 1 to 65535"),
    }
}

/// Whether an address is a URI with a scheme of the C core.
pub(super) fn is_uri(address: &str) -> bool {
    let scheme = address.split(':').next();
    address.contains(':') && scheme.is_some_and(|scheme| SCHEMES.contains(&scheme))
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
            "[fe80::1%lo]:1",
            "dns:///a:1",
            "dns://8.8.8.8/a:1",
            "dns:a",
            "dns:///[::1]",
            "ipv4:127.0.0.1:1,127.0.0.2:2",
            "ipv6:[::1]:1",
            "ipv6:%5B::1%5D:1",
            "unix:/x",
            "unix-abstract:x",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for (bad, why) in [
            (
                "",
                "has no port; give a host and a port, such as 127.0.0.1:50052",
            ),
            ("localhost", "has no port; give a host and a port"),
            ("50052", "has no host; give a host and a port"),
            (":50052", "has no host"),
            ("*:50052", "names no server, because * stands for all"),
            ("127.0.0.1:99999", "has no port from 1 to 65535"),
            ("127.0.0.1:65536", "has no port from 1 to 65535"),
            ("127.0.0.1:0", "has no port from 1 to 65535"),
            ("127.0.0.1:", "has no port from 1 to 65535"),
            ("127.0.0.1:http", "has no port from 1 to 65535"),
            ("::1:50052", "is an IPv6 address without brackets"),
            ("2001:db8::1", "is an IPv6 address without brackets"),
            ("[::1]", "has no port; give"),
            ("[::1:1", "is an IPv6 address without brackets"),
            ("a]:1", "has a bracket too many"),
            (
                "http://localhost:50052",
                "has the scheme http://, which no gRPC server has; give localhost:50052",
            ),
            ("https://a.b:1/", "give a.b:1, and use TLS"),
            (
                "grpc://localhost:50052",
                "has the scheme grpc://, which no gRPC server has; give localhost:50052",
            ),
            ("GRPC://[::1]:50052", "give [::1]:50052"),
            ("grpcs://a.b:443/x/y", "give a.b:443, and use TLS"),
            (
                "tcp://a.b",
                "give a host and a port, such as 127.0.0.1:50052",
            ),
            (
                "DNS:///a:1",
                "has its scheme in upper case; give dns:///a:1",
            ),
            ("Unix:/x", "has its scheme in upper case; give unix:/x"),
            ("dns:localhost:65536", "has no port from 1 to 65535"),
            ("dns:///localhost:0", "has no port from 1 to 65535"),
            ("dns:///[::1]:99999", "has no port from 1 to 65535"),
            ("ipv4:127.0.0.1", "has `127.0.0.1`, which is no IP address"),
            ("ipv4:localhost:1", "has `localhost:1`, which is no IP"),
            ("ipv4:1.2.3.4:1,1.2.3.4:99999", "has `1.2.3.4:99999`"),
            ("ipv6:[::1", "has `[::1`, which is no IP address"),
            ("dns://localhost:1", "names no host; give a host"),
            ("unix://rel", "names no absolute path"),
            ("unix:", "names no socket; give unix:NAME"),
            ("grpc://u@a:1", "give a:1"),
            ("localhost:50052/", "has a path; give localhost:50052"),
            ("localhost/x", "has a path; give a host and a port, such as"),
            (" localhost:1", "has white space or a control character"),
            ("a\0:1", "has white space or a control character"),
            ("a:1,b:2", "has a comma; give each server by itself"),
            ("a:1,", "has a comma"),
        ] {
            let said = check(bad).unwrap_err().to_string();
            assert!(said.contains(why), "{bad}: {said}");
        }
    }
}
