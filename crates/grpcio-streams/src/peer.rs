//! What a connection says about the other side.

use grpcio::RpcContext;

/// The other side of a call's connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Peer {
    pub(super) address: String,
    pub(super) is_encrypted: bool,
    pub(super) certificate_name: Option<String>,
}

impl Peer {
    pub(super) fn of(ctx: &RpcContext<'_>) -> Self {
        let context = ctx.auth_context();
        let properties: Vec<Property<'_>> = context
            .iter()
            .flatten()
            .map(|property| (property.name(), property.value()))
            .collect();
        Self {
            address: readable(&ctx.peer()),
            is_encrypted: is_encrypted(&properties),
            certificate_name: certificate_name(&properties),
        }
    }
}

/// A property of a connection: its name and its value. The C core has several properties of the
/// same name, in the order of the certificate (`ssl_utils.cc`, `grpc_ssl_peer_to_auth_context`).
type Property<'a> = (&'a str, &'a [u8]);

fn is_encrypted(properties: &[Property<'_>]) -> bool {
    let tls = ["ssl", "tls"].map(|kind| ("transport_security_type", kind.as_bytes()));
    properties.iter().any(|property| tls.contains(property))
}

/// The C core chooses a name itself, its peer identity. That is an empty text for a certificate
/// without a name, and a fixed text for a name of a kind that the core does not know.
fn certificate_name(properties: &[Property<'_>]) -> Option<String> {
    let first = |kinds: &[&str]| {
        let mut named = properties.iter().filter(|(kind, _)| kinds.contains(kind));
        named.next().map(|(_, name)| *name)
    };
    let alternative = first(&["peer_uri", "peer_dns", "peer_email", "peer_ip"]);
    let name = alternative.or_else(|| first(&["x509_common_name"]))?;
    let name = std::str::from_utf8(name).ok()?;
    (!name.is_empty()).then(|| name.to_owned())
}

/// Makes an address of the C core's URI for a peer: `ipv4:127.0.0.1:80`, `ipv6:%5B::1%5D:80`, `unix:/path`.
fn readable(peer: &str) -> String {
    match peer.split_once(':') {
        Some(("ipv4" | "ipv6", address)) => address.replace("%5B", "[").replace("%5D", "]"),
        _ => peer.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_are_shown_as_addresses() {
        for (uri, shown) in [
            ("ipv4:127.0.0.1:41234", "127.0.0.1:41234"),
            ("ipv6:%5B::1%5D:41234", "[::1]:41234"),
            ("unix:/run/greeter", "unix:/run/greeter"),
            ("", ""),
        ] {
            assert_eq!(readable(uri), shown);
        }
    }

    #[test]
    fn a_certificate_has_one_name_or_none() {
        for (pairs, encrypted, name) in [
            (&[][..], false, None),
            (&[("transport_security_type", "insecure")], false, None),
            (&[("transport_security_type", "ssl")], true, None),
            (
                &[
                    ("transport_security_type", "ssl"),
                    ("x509_common_name", "ann"),
                ],
                true,
                Some("ann"),
            ),
            (
                &[("transport_security_type", "tls"), ("x509_common_name", "")],
                true,
                None,
            ),
            (
                &[
                    ("x509_subject", "CN=ann"),
                    ("x509_common_name", "ann"),
                    ("x509_subject_alternative_name", "ann.example"),
                    ("peer_dns", "ann.example"),
                    ("peer_uri", "spiffe://example/ann"),
                ],
                false,
                Some("ann.example"),
            ),
            (
                &[
                    ("x509_common_name", ""),
                    ("x509_subject_alternative_name", "other types of SAN"),
                ],
                false,
                None,
            ),
        ] {
            let properties: Vec<_> = pairs.iter().map(|(k, v)| (*k, v.as_bytes())).collect();
            assert_eq!(is_encrypted(&properties), encrypted, "{pairs:?}");
            assert_eq!(certificate_name(&properties).as_deref(), name, "{pairs:?}");
        }
    }
}
