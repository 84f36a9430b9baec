//! Whether an address belongs to this machine.

use std::net::IpAddr;

/// Whether nothing that goes to an address leaves this machine, as far as the address itself shows.
///
/// It takes every form that the C core takes for a target, and that it gives for a peer:
/// `host:port`, and the URIs of the schemes `dns`, `ipv4`, `ipv6`, `unix`, `unix-abstract` and
/// `vsock` ([gRPC name resolution](https://github.com/grpc/grpc/blob/master/doc/naming.md)). A list
/// is this machine's where each of its addresses is.
///
/// This machine's are loopback addresses (RFC 1122, section 3.2.1.3; RFC 4291, section 2.5.3), also as
/// IPv4-mapped IPv6 addresses, `0.0.0.0` and `::`, which stand for this host (RFC 1122, section
/// 3.2.1.3), the name `localhost` (RFC 6761, section 6.3), and local sockets. A name
/// that is looked up at a particular DNS server (`dns://8.8.8.8/localhost`) is not: that server
/// decides where it leads. Neither are `localhost.` and short forms such as `127.1`, which the C core
/// asks a DNS server for.
pub fn is_local(address: &str) -> bool {
    let Some((scheme, rest)) = address.split_once(':') else {
        return is_local_host(address);
    };
    match scheme {
        "unix" | "unix-abstract" => true,
        // VMADDR_CID_LOCAL, vsock(7).
        "vsock" => rest.split(':').next() == Some("1"),
        "ipv4" | "ipv6" => path(rest).is_some_and(|list| list.split(',').all(is_local_ip)),
        "dns" => path(rest).is_some_and(|name| is_local_host(host(&name))),
        "xds" | "google-c2p" => false,
        _ => is_local_host(host(address)),
    }
}

/// The path of a URI behind its scheme, its percent signs decoded; None where it names an authority.
fn path(rest: &str) -> Option<String> {
    let path = match rest.strip_prefix("//") {
        None => rest,
        Some(rest) => rest.strip_prefix('/')?,
    };
    Some(decoded(path.trim_start_matches('/')))
}

/// A text with its percent-encoded bytes decoded (RFC 3986, section 2.1).
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, others @ ..] = rest {
        let digits = others
            .get(..2)
            .and_then(|two| std::str::from_utf8(two).ok());
        let byte = digits.and_then(|two| u8::from_str_radix(two, 16).ok());
        match byte {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &others[2..];
            }
            _ => {
                bytes.push(*first);
                rest = others;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The host of `host`, `host:port`, `[host]` or `[host]:port`.
fn host(address: &str) -> &str {
    if let Some(rest) = address.strip_prefix('[') {
        return rest.split(']').next().unwrap_or_default();
    }
    match address.rsplit_once(':') {
        // More than one colon is an IPv6 address without a port.
        Some((host, _)) if !host.contains(':') => host,
        _ => address,
    }
}

fn is_local_ip(address: &str) -> bool {
    ip(host(address)).is_some_and(is_this_host)
}

fn is_local_host(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || ip(host).is_some_and(is_this_host)
}

fn is_this_host(ip: IpAddr) -> bool {
    let ip = ip.to_canonical();
    ip.is_loopback() || ip.is_unspecified()
}

/// An IP address, without the zone that IPv6 may have.
fn ip(text: &str) -> Option<IpAddr> {
    text.split('%').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::is_local;

    #[test]
    fn every_spelling_of_this_machine_is_local() {
        for own in [
            "127.0.0.1:1",
            "127.9.9.9:1",
            "0.0.0.0:1",
            "[::]:1",
            "ipv4:0.0.0.0:1",
            "[::1]:1",
            "[::1]",
            "[::ffff:127.0.0.1]:1",
            "[0:0:0:0:0:0:0:1]:1",
            "[::1%lo]:1",
            "localhost:1",
            "LOCALHOST:1",
            "localhost",
            "dns:localhost:1",
            "dns:///localhost:1",
            "dns:///127.0.0.1:1",
            "dns:///[::1]:1",
            "dns:///%5B::1%5D:1",
            "dns:localhost",
            "ipv4:127.0.0.1:1",
            "ipv4:127.0.0.1",
            "ipv4:///127.0.0.1:1",
            "ipv4:127.0.0.1:1,127.0.0.2:2",
            "ipv6:[::1]:1",
            "ipv6:%5B::1%5D:1",
            "ipv6:[::ffff:127.0.0.1]:1,[::1]:2",
            "unix:/x",
            "unix:x",
            "unix:///x",
            "unix-abstract:name",
            "unix-abstract:a%00b",
            "vsock:1:5",
        ] {
            assert!(is_local(own), "{own}");
        }
    }

    #[test]
    fn other_machines_are_not() {
        for other in [
            "10.0.0.1:1",
            "127.1:1",
            "2130706433:1",
            "0x7f.0.0.1:1",
            "0177.0.0.1:1",
            "a.localhost:1",
            "localhost.:1",
            "127.0.0.1.example.org:1",
            "127.0.0.256:1",
            "127.0.0.0.1:1",
            "localhost.example.org:1",
            "notlocalhost:1",
            "example.org:1",
            "[2001:db8::1]:1",
            "[::ffff:10.0.0.1]:1",
            "[fe80::1%lo]:1",
            "dns:///example.org:1",
            "dns://8.8.8.8/localhost:1",
            "dns:///localhost.example.org",
            "ipv4:10.0.0.1:1",
            "ipv4:127.0.0.1:1,10.0.0.1:1",
            "ipv4:127.0.0.1:1,",
            "ipv6:[::1]:1,[2001:db8::1]:2",
            "xds:///localhost",
            "vsock:2:1",
            "vsock:12:1",
            "http://localhost:1",
            "",
            ":1",
        ] {
            assert!(!is_local(other), "{other}");
        }
    }
}
