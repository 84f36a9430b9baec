//! TLS: the certificate that a server shows, and those that it wants to see.
//!
//! The files are read again when they change. Connections that exist go on as they are, new ones
//! are made with what the files have now. Files that are of no use change nothing.
//!
//! TLS 1.2 and 1.3 are spoken. With a client CA every client has to show a certificate that the CA
//! has signed, for clients and at this time; one that does not gets no further than the handshake.
//! Such a CA is trusted: the C core ends the process at a client's certificate that is signed well
//! and has an IP address of neither 4 nor 16 bytes among its alternative names, or a common name that
//! is no text.

use std::error::Error;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use grpcio::{
    CertificateRequestType, ServerCredentials, ServerCredentialsBuilder, ServerCredentialsFetcher,
};
use openssl::asn1::Asn1Time;
use openssl::x509::X509Ref;

use super::reload::Reloaded;
use crate::file::FileError;
use crate::pem;

/// Where a server finds what TLS needs, each in PEM form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The certificate, and behind it those between it and a CA that clients know.
    pub certificate: PathBuf,
    /// The certificate's key, without a passphrase.
    pub key: PathBuf,
    /// The CAs that clients' certificates have to be signed by; None where clients need none.
    pub client_ca: Option<PathBuf>,
}

/// What the files have.
struct Pems {
    certificate: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
}

/// The credentials of all listeners of a server.
pub(super) struct Credentials(Arc<Reloaded<Pems>>);

impl Credentials {
    pub(super) fn start(tls: &Tls) -> Result<Self, FileError> {
        let mut paths = vec![tls.certificate.clone(), tls.key.clone()];
        paths.extend(tls.client_ca.clone());
        let tls = tls.clone();
        let make = move |contents: &[Vec<u8>]| tls.check(contents);
        Ok(Self(Arc::new(Reloaded::start(paths, make)?)))
    }

    /// For one listener.
    pub(super) fn listener(&self) -> ServerCredentials {
        let request = match self.0.current().client_ca {
            None => CertificateRequestType::DontRequestClientCertificate,
            Some(_) => CertificateRequestType::RequestAndRequireClientCertificateAndVerify,
        };
        let fetcher = Fetcher {
            pems: self.0.clone(),
            given: Mutex::new(None),
        };
        ServerCredentials::with_fetcher(Box::new(fetcher), request)
    }
}

impl Tls {
    /// What the files' contents are good for.
    fn check(&self, contents: &[Vec<u8>]) -> Result<Pems, FileError> {
        let content = |n: usize| contents.get(n).cloned().unwrap_or_default();
        let pems = Pems {
            certificate: content(0),
            key: content(1),
            client_ca: self.client_ca.as_ref().map(|_| content(2)),
        };
        let certificate = (&*self.certificate, &*pems.certificate);
        let shown = pem::pair(certificate, (&self.key, &pems.key))?;
        if let (Some(path), Some(ca)) = (&self.client_ca, &pems.client_ca) {
            pem::certificates(path, ca)?;
        }
        tell(self, &shown);
        Ok(pems)
    }
}

/// Says until when the certificate is valid: an expired one may be what there is.
fn tell(tls: &Tls, certificate: &X509Ref) {
    let path = tls.certificate.display();
    let (begin, end) = (certificate.not_before(), certificate.not_after());
    match Asn1Time::days_from_now(0) {
        Ok(now) if end < &*now => {
            log::warn!("{path}: the certificate has expired, on {end}; clients will not accept it");
        }
        Ok(now) if begin > &*now => {
            log::warn!(
                "{path}: the certificate is not valid before {begin}; clients will not accept it"
            );
        }
        _ => log::info!("{path}: the certificate is valid until {end}"),
    }
}

/// Asked by the C core when a listener starts and before each handshake.
struct Fetcher {
    pems: Arc<Reloaded<Pems>>,
    /// What the C core has.
    given: Mutex<Option<Arc<Pems>>>,
}

impl ServerCredentialsFetcher for Fetcher {
    fn fetch(&self) -> Result<Option<ServerCredentialsBuilder>, Box<dyn Error>> {
        let now = self.pems.current();
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        if given.as_ref().is_some_and(|given| Arc::ptr_eq(given, &now)) {
            return Ok(None);
        }
        let builder =
            ServerCredentialsBuilder::new().add_cert(now.certificate.clone(), now.key.clone());
        let builder = match &now.client_ca {
            None => builder,
            // The kind of request is the listener's.
            Some(ca) => builder.root_cert(
                ca.clone(),
                CertificateRequestType::RequestAndRequireClientCertificateAndVerify,
            ),
        };
        *given = Some(now);
        Ok(Some(builder))
    }
}
