//! TLS on the server's side: the certificate of the server, and the CA of its clients.
//!
//! The files are read again when they change. New connections use the new contents. Existing
//! connections stay as they are. If a changed file cannot be used, the previous contents stay in
//! force. The server proves its certificate by a handshake with itself, at the start and at each
//! change, so it never has one that no client can use.
//!
//! The server speaks TLS 1.2 and 1.3. A client's certificate has to be signed by the client CA,
//! allow the use by clients, and be valid now. Otherwise the handshake fails. Only a trustworthy CA
//! may be the client CA: the C core ends the process when a client shows a certificate of that CA
//! whose common name is not text, or whose alternative names have an IP address of neither 4 nor 16
//! bytes.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use grpcio::{
    CertificateRequestType, ServerCredentials, ServerCredentialsBuilder, ServerCredentialsFetcher,
};
use grpcio_credentials::{pem, read, FileError, Pair, Role};
use openssl::x509::X509;
use parking_lot::Mutex;

use crate::reload::Reloaded;

/// The files of a server's certificates, all in PEM form (RFC 7468).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerTls {
    /// The server's certificate, followed by the intermediate certificates up to a CA that clients
    /// trust.
    pub certificate: PathBuf,
    /// The certificate's key, without a passphrase.
    pub key: PathBuf,
    /// The CAs that sign clients' certificates. With None clients are not asked for a certificate.
    ///
    /// With a [token file](crate::Config::token_file) a client may connect without a certificate,
    /// because it may send a token. Without a token file every client needs a certificate.
    pub client_ca: Option<PathBuf>,
}

/// The contents of the files.
struct Pems {
    certificate: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
}

/// The credentials of all listeners of a server.
pub(crate) struct Credentials {
    pems: Arc<Reloaded<Pems>>,
    request: CertificateRequestType,
}

impl Credentials {
    /// With `certificate_is_optional` a client may connect without a certificate.
    pub(crate) fn start(tls: &ServerTls, certificate_is_optional: bool) -> Result<Self, FileError> {
        let request = match &tls.client_ca {
            None => CertificateRequestType::DontRequestClientCertificate,
            Some(_) if certificate_is_optional => {
                CertificateRequestType::RequestClientCertificateAndVerify
            }
            Some(_) => CertificateRequestType::RequestAndRequireClientCertificateAndVerify,
        };
        let paths = tls.paths();
        let tls = tls.clone();
        let make = move |contents: &[Vec<u8>]| {
            let checked = tls.read(contents)?;
            log_doubts(&tls, &checked);
            Ok(checked.pems)
        };
        Ok(Self {
            pems: Arc::new(Reloaded::start(paths, make)?),
            request,
        })
    }

    /// The credentials of one listener.
    pub(crate) fn listener(&self) -> ServerCredentials {
        let fetcher = Fetcher {
            pems: self.pems.clone(),
            request: self.request,
            given: Mutex::new(None),
        };
        ServerCredentials::with_fetcher(Box::new(fetcher), self.request)
    }
}

impl ServerTls {
    /// The certificate in one file and its key in the other. Clients are not asked for a
    /// certificate.
    pub fn new(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        Self {
            certificate: certificate.into(),
            key: key.into(),
            client_ca: None,
        }
    }

    /// Checks the files.
    pub(crate) fn check(&self) -> Result<(), FileError> {
        let paths = self.paths();
        let contents: Result<Vec<_>, _> = paths.iter().map(|path| read(path)).collect();
        self.read(&contents?)?;
        Ok(())
    }

    fn paths(&self) -> Vec<PathBuf> {
        let pair = [self.certificate.clone(), self.key.clone()];
        pair.into_iter().chain(self.client_ca.clone()).collect()
    }

    /// Checks the contents of the files, which are in the order of their paths.
    fn read(&self, contents: &[Vec<u8>]) -> Result<Checked, FileError> {
        let content = |n: usize| contents.get(n).cloned().unwrap_or_default();
        let pems = Pems {
            certificate: content(0),
            key: content(1),
            client_ca: self.client_ca.as_ref().map(|_| content(2)),
        };
        let certificate = (&*self.certificate, &*pems.certificate);
        let pair = Pair::read(certificate, (&self.key, &pems.key), Role::Server)?;
        let client_cas = match (&self.client_ca, &pems.client_ca) {
            (Some(path), Some(ca)) => pem::certificates(path, ca)?,
            _ => Vec::new(),
        };
        Ok(Checked {
            pems,
            pair,
            client_cas,
        })
    }
}

/// The contents of the files, and what was found in them.
struct Checked {
    pems: Pems,
    pair: Pair,
    client_cas: Vec<X509>,
}

/// Logs how long the certificate is valid, and why some clients may not get in. Neither is an error:
/// there may be no other certificate, and clients differ.
fn log_doubts(tls: &ServerTls, found: &Checked) {
    let path = tls.certificate.display();
    let shown = found.pair.certificate();
    let (begin, end) = (shown.not_before(), shown.not_after());
    log::info!("{path}: the certificate is valid from {begin} to {end}");
    for doubt in found.pair.doubts() {
        log::warn!("{path}: {doubt}");
    }
    if let Some(path) = &tls.client_ca {
        for doubt in pem::out_of_date(&found.client_cas, |n| format!("CA {}", n + 1)) {
            log::warn!("{}: {doubt}", path.display());
        }
    }
}

/// Gives the credentials to the C core, which asks for them when a listener starts and before each
/// handshake.
struct Fetcher {
    pems: Arc<Reloaded<Pems>>,
    request: CertificateRequestType,
    /// The version that the C core has.
    given: Mutex<Option<Arc<Pems>>>,
}

impl ServerCredentialsFetcher for Fetcher {
    fn fetch(&self) -> Result<Option<ServerCredentialsBuilder>, Box<dyn Error>> {
        let now = self.pems.current();
        let mut given = self.given.lock();
        if given.as_ref().is_some_and(|given| Arc::ptr_eq(given, &now)) {
            return Ok(None);
        }
        let builder =
            ServerCredentialsBuilder::new().add_cert(now.certificate.clone(), now.key.clone());
        let builder = match &now.client_ca {
            None => builder,
            Some(ca) => builder.root_cert(ca.clone(), self.request),
        };
        *given = Some(now);
        Ok(Some(builder))
    }
}
