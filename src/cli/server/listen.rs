//! The addresses of `--listen`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};

/// The addresses to which one HOST:PORT resolves.
#[derive(Clone, Debug)]
pub(super) struct Addresses(pub(super) Vec<SocketAddr>);

/// The addresses that a text names: HOST:PORT, or :PORT and *:PORT for all addresses of this
/// machine. Looks up the name of the host, which blocks.
///
/// # Errors
///
/// What is wrong with the text, and the remedy.
pub(super) fn addresses(text: &str) -> Result<Addresses, String> {
    let resolved: Vec<_> = match text.rsplit_once(':') {
        Some((host, port)) => {
            let port: u16 = port
                .parse()
                .map_err(|_| wrong("has no port from 0 to 65535"))?;
            match host {
                "" | "*" => vec![SocketAddr::new(all_addresses(), port)],
                _ => {
                    let resolved = text.to_socket_addrs();
                    resolved.map_err(|e| wrong(&e.to_string()))?.collect()
                }
            }
        }
        None => return Err(wrong("has no port, or no host")),
    };
    if resolved.is_empty() {
        return Err(wrong("the name has no address"));
    }
    Ok(Addresses(resolved))
}

fn wrong(what: &str) -> String {
    format!(
        "{what}; give a host and a port, such as 127.0.0.1:50052, or :50052 for all addresses of \
         this machine"
    )
}

/// The address that stands for all of this machine: `[::]`, which has IPv4 as well, or `0.0.0.0` on a
/// machine without IPv6.
fn all_addresses() -> IpAddr {
    match TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)) {
        Ok(_) => Ipv6Addr::UNSPECIFIED.into(),
        Err(_) => Ipv4Addr::UNSPECIFIED.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_alone_stands_for_all_addresses() {
        let named = |text| addresses(text).map(|addresses| addresses.0);
        for (text, port) in [(":50052", 50052), ("*:1", 1), (":0", 0)] {
            let expected = SocketAddr::new(all_addresses(), port);
            assert!(expected.ip().is_unspecified());
            assert_eq!(named(text), Ok(vec![expected]), "{text}");
        }
        let two = ["127.0.0.1:1", "[::1]:2"];
        for text in two {
            assert_eq!(named(text), Ok(vec![text.parse().unwrap()]));
        }
        for (text, why) in [
            ("", "has no port, or no host"),
            ("50052", "has no port, or no host"),
            ("localhost", "has no port, or no host"),
            (":", "has no port from 0 to 65535"),
            (":65536", "has no port from 0 to 65535"),
            (":http", "has no port from 0 to 65535"),
            ("localhost:65536", "has no port from 0 to 65535"),
            ("unix:/tmp/socket", "has no port from 0 to 65535"),
        ] {
            let said = named(text).unwrap_err();
            assert!(said.starts_with(why), "{text}: {said}");
            assert!(said.contains("or :50052 for all addresses"), "{said}");
        }
    }
}
