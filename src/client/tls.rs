//! TLS as a client wants it.

use std::fmt;
use std::path::Path;

use grpcio::{ChannelBuilder, ChannelCredentialsBuilder, RpcStatusCode};

use crate::file::{self, FileError};
use crate::pem;
use grpcio_streams::Status;

/// How a client knows its servers, and they it.
///
/// Files are read once, when they are given.
#[derive(Clone, Default)]
pub struct Tls {
    ca: Option<Vec<u8>>,
    identity: Option<Identity>,
    server_name: Option<String>,
}

/// What a client shows.
#[derive(Clone)]
struct Identity {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Tls {
    /// Servers show a certificate for their host, of a CA that this system trusts; the client shows
    /// none.
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts the CAs in a file, in PEM form, instead of those of the system.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or has no certificate.
    pub fn ca(self, path: &Path) -> Result<Self, FileError> {
        let pem = file::read(path)?;
        pem::certificates(path, &pem)?;
        Ok(Self {
            ca: Some(pem),
            ..self
        })
    }

    /// Shows the certificate in a file, with its chain if any, whose key is in another; both in PEM
    /// form, the key without a passphrase.
    ///
    /// # Errors
    ///
    /// When a file cannot be read, has nothing of the kind, or is not the other's.
    pub fn certificate(self, certificate: &Path, key: &Path) -> Result<Self, FileError> {
        let identity = Identity {
            certificate: file::read(certificate)?,
            key: file::read(key)?,
        };
        pem::pair((certificate, &identity.certificate), (key, &identity.key))?;
        Ok(Self {
            identity: Some(identity),
            ..self
        })
    }

    /// Expects `name` in the servers' certificates, instead of the host in their address. Several
    /// servers need it: they are connected to by number.
    #[must_use]
    pub fn server_name(self, name: impl Into<String>) -> Self {
        Self {
            server_name: Some(name.into()),
            ..self
        }
    }

    /// Checks what does not go with the servers.
    pub(super) fn check(&self, servers: &[String]) -> Result<(), String> {
        match &self.server_name {
            None if servers.len() > 1 => {
                let why = "several servers are connected to by number, and need the name that \
                           their certificates have; give it as --server-name";
                Err(why.to_owned())
            }
            Some(name) if name.is_empty() || name.contains('\0') => {
                Err(format!("server name {name:?} is none; give a host's name"))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn secure(&self, builder: ChannelBuilder) -> ChannelBuilder {
        let mut credentials = ChannelCredentialsBuilder::new();
        if let Some(ca) = &self.ca {
            credentials = credentials.root_cert(ca.clone());
        }
        if let Some(Identity { certificate, key }) = &self.identity {
            credentials = credentials.cert(certificate.clone(), key.clone());
        }
        let builder = builder.set_credentials(credentials.build());
        match &self.server_name {
            None => builder,
            Some(name) => builder.override_ssl_target(name.as_str()),
        }
    }
}

/// What a person needs to know when a connection cannot be made because of TLS, or the want of it:
/// the C core's words are for its developers. None for all else.
pub(super) fn explain(status: &Status, tls: Option<&Tls>) -> Option<String> {
    let said = status.message();
    if status.code() != RpcStatusCode::UNAVAILABLE || !said.contains("; last error: ") {
        return None;
    }
    let says = |text: &&str| said.contains(text);
    // With TLS 1.3 a client is done before the server has looked at its certificate.
    let hung_up = [
        "Socket closed",
        "Connection reset",
        "Broken pipe",
        " alert ",
    ];
    let hung_up = hung_up.iter().any(says);
    // What is wrong with a signature is said by other parts of OpenSSL.
    let not_accepted =
        says(&"certificate verify failed") || says(&"handshake failed: ") && !says(&"SSL routines");
    let why = match tls {
        None if hung_up => {
            "the server ended the connection at once: if it speaks TLS this client has to as well; \
             use --tls"
        }
        Some(_) if says(&"wrong version number") => {
            "the server does not speak TLS; leave out --tls"
        }
        Some(_) if not_accepted => {
            "the server's certificate is not accepted: no CA that is trusted has signed it, or it \
             is not valid at this time; --ca names other CAs"
        }
        Some(_) if says(&"is not in peer certificate") => {
            "the server's certificate is for another host; call the server by a name that its \
             certificate has, or give that name with --server-name"
        }
        Some(Tls { identity: None, .. }) if hung_up => {
            "the server ended the connection at once: if it wants a client's certificate, give it \
             with --cert and --key"
        }
        Some(_) if hung_up => {
            "the server ended the connection at once: perhaps no CA that it trusts has signed the \
             certificate of --cert, or that is not valid at this time"
        }
        _ => return None,
    };
    Some(why.to_owned())
}

impl fmt::Debug for Tls {
    /// Shows no key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("system_ca", &self.ca.is_none())
            .field("certificate", &self.identity.is_some())
            .field("server_name", &self.server_name)
            .finish()
    }
}
