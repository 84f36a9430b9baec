//! Statuses with hints for the user of the command line.

use grpcio::RpcStatusCode;
use grpcio_credentials::ClientTls;
use grpcio_streams::Status;

use crate::client::Config;

/// The status of a call, with the servers and, if possible, the flag that solves it.
pub(super) fn explained(status: &Status, config: &Config) -> Status {
    let tls = config.tls.as_ref();
    let is_nobody = config.token.is_none() && !tls.is_some_and(ClientTls::has_certificate);
    let why = match hint(status, tls) {
        Some(hint) => hint.to_owned(),
        None if is_nobody && status.code() == RpcStatusCode::UNAUTHENTICATED => format!(
            "{}; --token-file names a token, --cert and --key a certificate",
            status.message()
        ),
        None => status.message().to_owned(),
    };
    let servers = config.servers.join(", ");
    Status::new(status.code(), format!("{why} (server {servers})"))
}

/// The hint for a connection that fails because of TLS, or because TLS is not used. The errors of
/// the C core are meant for its developers. None for all other statuses.
fn hint(status: &Status, tls: Option<&ClientTls>) -> Option<&'static str> {
    let said = status.message();
    if status.code() != RpcStatusCode::UNAVAILABLE || !said.contains("; last error: ") {
        return None;
    }
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
    let not_accepted =
        says(&"certificate verify failed") || says(&"handshake failed: ") && !says(&"SSL routines");
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
