//! TLS on the client's side.

use std::fmt;
use std::path::Path;

use grpcio::{ChannelBuilder, ChannelCredentialsBuilder};

use crate::{pem, read, FileError, Pair, Role};

/// How a client verifies its servers, and the certificate that it shows them.
///
/// Each method reads its files at once; later changes have no effect.
#[derive(Clone, Default)]
pub struct ClientTls {
    ca: Option<Vec<u8>>,
    certificate: Option<Certificate>,
    server_name: Option<String>,
}

/// A client's certificate and its key, in PEM form.
#[derive(Clone)]
struct Certificate {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl ClientTls {
    /// Trusts the CAs of the system, expects the host of the server's address in its certificate,
    /// and shows no certificate.
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts the CAs in a file, in PEM form, instead of those of the system.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, is longer than 16 MiB, or has no valid certificate.
    pub fn ca(self, path: &Path) -> Result<Self, FileError> {
        let pem = read(path)?;
        pem::certificates(path, &pem)?;
        Ok(Self {
            ca: Some(pem),
            ..self
        })
    }

    /// Shows the certificate in the file `certificate`, followed by its chain if there is one. Its
    /// key is in the file `key`. Both are in PEM form. The key must not have a passphrase.
    ///
    /// # Errors
    ///
    /// When a file cannot be read, does not contain a certificate or a key, when the key belongs to
    /// another certificate, or when [no server can use](Pair::read) the pair.
    pub fn certificate(self, certificate: &Path, key: &Path) -> Result<Self, FileError> {
        let pair = Certificate {
            certificate: read(certificate)?,
            key: read(key)?,
        };
        let (shown, its_key) = ((certificate, &*pair.certificate), (key, &*pair.key));
        Pair::read(shown, its_key, Role::Client)?;
        Ok(Self {
            certificate: Some(pair),
            ..self
        })
    }

    /// Expects `name` in the servers' certificates instead of the host in their address.
    #[must_use]
    pub fn server_name(self, name: impl Into<String>) -> Self {
        Self {
            server_name: Some(name.into()),
            ..self
        }
    }

    /// The name that is expected in the servers' certificates, if it is not the host in their
    /// address.
    pub fn expected_name(&self) -> Option<&str> {
        self.server_name.as_deref()
    }

    /// Whether the client shows a certificate.
    pub fn has_certificate(&self) -> bool {
        self.certificate.is_some()
    }

    /// Configures `builder` so that its channels use TLS.
    ///
    /// # Panics
    ///
    /// When the expected name contains a NUL character.
    pub fn secure(&self, builder: ChannelBuilder) -> ChannelBuilder {
        let mut credentials = ChannelCredentialsBuilder::new();
        if let Some(ca) = &self.ca {
            credentials = credentials.root_cert(ca.clone());
        }
        if let Some(Certificate { certificate, key }) = &self.certificate {
            credentials = credentials.cert(certificate.clone(), key.clone());
        }
        let builder = builder.set_credentials(credentials.build());
        match &self.server_name {
            None => builder,
            Some(name) => builder.override_ssl_target(name.as_str()),
        }
    }
}

impl fmt::Debug for ClientTls {
    /// Does not show the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTls")
            .field("system_ca", &self.ca.is_none())
            .field("certificate", &self.has_certificate())
            .field("server_name", &self.server_name)
            .finish()
    }
}
