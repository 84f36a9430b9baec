//! Statuses with hints for the user of the command line.

use grpcio::RpcStatusCode;
use grpcio_credentials::ClientTls;
use grpcio_streams::{Status, TooLong};

use crate::client::Config;

/// The status of a call, with the servers and, if possible, the flag that solves it.
pub(super) fn explained(status: &Status, config: &Config) -> Status {
    let (why, servers) = (reason(status, config), config.servers.join(", "));
    Status::new(status.code(), format!("{why} (server {servers})"))
}

/// Why a call has failed, if possible with the flag that solves it.
pub(super) fn reason(status: &Status, config: &Config) -> String {
    let tls = config.tls.as_ref();
    let said = status.message();
    let is_nobody = config.token.is_none() && !tls.is_some_and(ClientTls::has_certificate);
    let known = match status.code() {
        RpcStatusCode::UNAVAILABLE => connecting(said, tls),
        RpcStatusCode::RESOURCE_EXHAUSTED => too_long(status, config),
        RpcStatusCode::UNAUTHENTICATED if is_nobody => Some(format!(
            "{said}; --token-file names a token, --cert and --key a certificate"
        )),
        _ => None,
    };
    known.unwrap_or_else(|| said.to_owned())
}

/// Which limit a call has exceeded, with the flag. None for a limit that the server names itself.
fn too_long(status: &Status, config: &Config) -> Option<String> {
    let said = status.message();
    if let Some(TooLong { bytes, .. }) = status.too_long() {
        return Some(format!("{said}; --max-message-bytes {bytes} allows it"));
    }
    if said.contains("this server accepts at most") {
        return Some(format!(
            "{said}; --max-message-bytes of the server allows more"
        ));
    }
    // The C core of both sides says this, and the status looks the same from both.
    let (_, exceeded) = said.split_once("metadata size exceeds ")?;
    let limit = exceeded.split_once(" vs. ")?.1.split(')').next()?;
    let token = config
        .token
        .as_ref()
        .map_or(0, |token| token.credentials().len());
    let is_token = limit.parse().is_ok_and(|limit: usize| token > limit);
    Some(if is_token || exceeded.contains(" :path:") {
        format!(
            "the server refuses the metadata of the call, because it accepts at most {limit} bytes; \
             use a shorter token, topic or producer, or raise --max-metadata-bytes of the server"
        )
    } else {
        format!(
            "the server's metadata, or its status, exceed the {limit} bytes that this client accepts; \
             --max-metadata-bytes allows more"
        )
    })
}

/// Why connecting fails. The errors of the C core are meant for its developers. None for an error of
/// another kind.
fn connecting(said: &str, tls: Option<&ClientTls>) -> Option<String> {
    let unresolved = ["DNS resolution failed", "errors resolving "];
    if unresolved.iter().any(|text| said.starts_with(text)) {
        return Some("the name of the server is not found, or no DNS server answers".to_owned());
    }
    let (_, error) = said.split_once("; last error: ")?;
    if let Some(hint) = handshake(error, tls) {
        return Some(hint.to_owned());
    }
    if error.ends_with("Connection refused") {
        return Some("nothing listens at this address: the connection was refused".to_owned());
    }
    // The code of the last error means nothing to a person.
    let why = error.strip_prefix("UNKNOWN: ").unwrap_or(error);
    Some(format!("cannot connect: {why}"))
}

/// The hint for a connection that fails because of TLS, or because TLS is not used.
fn handshake(said: &str, tls: Option<&ClientTls>) -> Option<&'static str> {
    let says = |text: &&str| said.contains(text);
    // With TLS 1.3 a client has finished the handshake before the server looks at its certificate.
    let hung_up = [
        "Socket closed",
        "Connection reset",
        "Broken pipe",
        " alert ",
    ];
    let hung_up = hung_up.iter().any(says);
    // Other parts of OpenSSL report what is wrong with a signature.
    let handshake_failed = says(&"handshake failed: ") || says(&"handshake failed (");
    let not_accepted =
        says(&"certificate verify failed") || handshake_failed && !says(&"SSL routines");
    Some(match tls {
        None if hung_up => {
            "the server ended the connection at once: if it speaks TLS this client has to as well; \
             use --tls"
        }
        // A server looks for a certificate to show before it asks for that of the client.
        Some(_) if says(&"alert handshake failure") => {
            "the server refused the handshake: perhaps its certificate has a key of a kind that \
             clients do not support; the server's log may say more"
        }
        Some(_) if says(&"alert protocol version") => {
            "the server speaks neither TLS 1.2 nor TLS 1.3"
        }
        Some(_) if says(&"wrong version number") => {
            "the server does not speak TLS; leave out --tls"
        }
        Some(_) if not_accepted => {
            "the server's certificate is not accepted: no trusted CA has signed it, or it \
             is not valid at this time; --ca names other CAs"
        }
        Some(_) if says(&"is not in peer certificate") => {
            "the server's certificate is for another host; call the server by a name that its \
             certificate has, or give that name with --server-name"
        }
        Some(tls) if hung_up && !tls.has_certificate() => {
            "the server ended the connection at once: if it wants a client's certificate, give it \
             with --cert and --key"
        }
        Some(_) if hung_up => {
            "the server ended the connection at once: perhaps no CA that it trusts has signed the \
             certificate of --cert, or the certificate is not valid at this time"
        }
        _ => return None,
    })
}
