//! Who calls, and whether they may.
//!
//! With a [token file](callers), and with a client CA, each call needs an identity: a token in the
//! metadata `authorization: Bearer TOKEN` ([RFC 6750](https://www.rfc-editor.org/rfc/rfc6750)), or
//! the client's certificate. A call that sends a token is the token's caller, or nobody.
//!
//! | server has | a call needs | and may |
//! |---|---|---|
//! | a token file | a token of the file | what its line says |
//! | a client CA | a certificate of the CA that has a name | everything; tokens mean nothing |
//! | both | a token of the file, or a certificate whose name the file has with `cert` | what its line says |
//!
//! On a topic GetStream needs the right to read, PutStream to write, AllStream both. Calls without
//! a topic need an identity only; those of the health service need nothing.
//!
//! What is refused ends with UNAUTHENTICATED, or with PERMISSION_DENIED where the caller is known
//! and lacks a right, before any of its messages is read. A token is refused where it has come over
//! a network in plaintext: others may have it by now. A change of the file is in force for new
//! calls within about a second; running calls go on.

mod callers;

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use grpcio::RpcStatusCode;

use self::callers::{Caller, Callers};
use super::reload::Reloaded;
use crate::file::FileError;
use crate::service::{access, Access};
use grpcio_streams::{Call, Status};

/// The services that are for everyone: who asks whether a server lives has no identity.
const OPEN: [&str; 1] = ["/grpc.health.v1.Health/"];

/// What a server knows about those who call.
pub(super) struct Identities {
    /// None for everyone whose certificate has a name.
    listed: Option<Reloaded<Callers>>,
}

impl Identities {
    /// None for a server that everyone may call.
    pub(super) fn start(
        token_file: Option<&Path>,
        has_client_ca: bool,
    ) -> Result<Option<Self>, FileError> {
        let Some(path) = token_file.map(Path::to_owned) else {
            return Ok(has_client_ca.then_some(Self { listed: None }));
        };
        let paths = vec![path.clone()];
        let make = move |contents: &[Vec<u8>]| Callers::parse(&path, &contents.concat());
        let listed = Some(Reloaded::start(paths, make)?);
        Ok(Some(Self { listed }))
    }

    /// Names the caller, or refuses the call.
    pub(super) fn admit(&self, call: &mut Call) -> Result<(), Status> {
        if is_open(call.method()) {
            return Ok(());
        }
        let Some(callers) = &self.listed else {
            let name = call.certificate_name().map(str::to_owned);
            call.identify(name.ok_or_else(unknown)?);
            return Ok(());
        };
        let callers = callers.current();
        let caller = find(&callers, call)?;
        call.identify(&*caller.name);
        match access(call)? {
            Some(access) if !caller.may(&access) => Err(forbidden(caller, &access)),
            _ => Ok(()),
        }
    }
}

/// Whether anybody may call it, as often as they like.
pub(super) fn is_open(method: &str) -> bool {
    OPEN.iter().any(|service| method.starts_with(service))
}

fn find<'a>(callers: &'a Callers, call: &Call) -> Result<&'a Caller, Status> {
    let mut credentials = call
        .metadata()
        .iter()
        .filter(|(key, _)| *key == "authorization");
    let caller = match (credentials.next(), credentials.next()) {
        (None, _) => call
            .certificate_name()
            .and_then(|name| callers.with_certificate(name)),
        _ if !call.is_encrypted() && !is_local(call.peer()) => return Err(exposed()),
        (Some((_, one)), None) => bearer(one).and_then(|token| callers.with_token(token)),
        (Some(_), Some(_)) => None,
    };
    caller.ok_or_else(unknown)
}

/// The token in credentials; the scheme is in any case (RFC 9110, 11.1).
fn bearer(credentials: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = credentials.split_at_checked("Bearer ".len())?;
    scheme
        .eq_ignore_ascii_case(b"Bearer ")
        .then(|| token.trim_ascii())
        .filter(|token| !token.is_empty())
}

/// Whether nobody but this machine sees what a peer sends.
fn is_local(peer: &str) -> bool {
    let address = peer.parse::<SocketAddr>();
    let is_loopback = |ip: IpAddr| ip.to_canonical().is_loopback();
    peer.starts_with("unix:") || address.is_ok_and(|address| is_loopback(address.ip()))
}

/// The same whatever is missing or wrong.
fn unknown() -> Status {
    let why = "this server needs to know who calls: send a token that it knows (greeter-client \
               --token-file), or use a certificate that it knows (--cert and --key)";
    Status::new(RpcStatusCode::UNAUTHENTICATED, why)
}

fn exposed() -> Status {
    let why = "a token that comes over the network in plaintext is not accepted: others may have \
               read it; use TLS (greeter-client --tls), and have the token replaced";
    Status::new(RpcStatusCode::UNAUTHENTICATED, why)
}

fn forbidden(caller: &Caller, access: &Access) -> Status {
    let needed = match (access.reads, access.writes) {
        (true, true) => "the rights to read and to write",
        (true, false) => "the right to read",
        (false, _) => "the right to write",
    };
    let why = format!(
        "this call needs {needed} topic {}, which {} does not have; whoever runs the server can \
         give it in the token file",
        access.topic, caller.name
    );
    Status::new(RpcStatusCode::PERMISSION_DENIED, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_not_empty() {
        assert_eq!(bearer(b"bearer  t "), Some(&b"t"[..]));
        for none in [&b"Bearer"[..], b"Bearer ", b"Bearer  ", b"Basic t", b""] {
            assert_eq!(bearer(none), None);
        }
    }

    #[test]
    fn only_the_health_service_is_open() {
        assert!(is_open("/grpc.health.v1.Health/Check"));
        assert!(is_open("/grpc.health.v1.Health/Watch"));
        for closed in [
            "/Greeter/GetStream",
            "/grpc.health.v1.HealthX/Check",
            "",
            "/",
        ] {
            assert!(!is_open(closed), "{closed}");
        }
    }

    #[test]
    fn only_this_machine_is_local() {
        for own in [
            "127.0.0.1:1",
            "127.9.9.9:1",
            "[::1]:1",
            "[::ffff:127.0.0.1]:1",
            "unix:/x",
        ] {
            assert!(is_local(own), "{own}");
        }
        for other in [
            "10.0.0.1:1",
            "[2001:db8::1]:1",
            "[::ffff:10.0.0.1]:1",
            "vsock:2:1",
            "",
        ] {
            assert!(!is_local(other), "{other}");
        }
    }
}
