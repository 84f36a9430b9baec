//! Certificates and keys in PEM form (RFC 7468).
//!
//! The gRPC C core says little about a certificate or key that it cannot use, and some of them make
//! it end the process. So they are checked here first.

use std::path::Path;

use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::ssl::{SslContext, SslMethod};
use openssl::x509::X509;

use crate::FileError;

/// Reads the certificates in a file.
///
/// # Errors
///
/// When the file has no certificate, or a certificate that cannot be parsed.
pub fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<X509>, FileError> {
    check_no_nul(path, pem)?;
    match X509::stack_from_pem(pem) {
        Err(e) => {
            let why = format!(
                "has a certificate that cannot be read ({}); replace it with the complete certificate",
                reason(&e)
            );
            Err(FileError::new(path, why))
        }
        Ok(none) if none.is_empty() => Err(FileError::new(
            path,
            "has no certificate in PEM form, which begins with -----BEGIN CERTIFICATE-----",
        )),
        Ok(certificates) => Ok(certificates),
    }
}

/// Checks that one file has a certificate, followed by its chain if there is one, and that another
/// file has the key of that certificate. Returns the certificate. Each file is given as its path
/// and its contents.
///
/// # Errors
///
/// When a file does not contain a certificate or a key, when the key belongs to another
/// certificate, or when OpenSSL or the C core would refuse the pair.
pub fn pair(certificate: (&Path, &[u8]), key: (&Path, &[u8])) -> Result<X509, FileError> {
    let ((certificate_path, certificate_pem), (key_path, key_pem)) = (certificate, key);
    let mut chain = certificates(certificate_path, certificate_pem)?.into_iter();
    let Some(leaf) = chain.next() else {
        return Err(FileError::new(certificate_path, "has no certificate"));
    };
    check_names(certificate_path, &leaf)?;

    check_no_nul(key_path, key_pem)?;
    // An empty passphrase keeps OpenSSL from asking for one at the terminal.
    let private = PKey::private_key_from_pem_passphrase(key_pem, b"").map_err(|e| {
        let why = format!(
            "has no private key in PEM form, or one with a passphrase ({}); \
             `openssl pkey -in FILE -out NEW` removes a passphrase",
            reason(&e)
        );
        FileError::new(key_path, why)
    })?;
    let belongs = |public: PKey<_>| public.public_eq(&private);
    if !leaf.public_key().is_ok_and(belongs) {
        let path = certificate_path.display();
        let why = format!(
            "is not the key of the certificate in {path}; give a certificate and its own key"
        );
        return Err(FileError::new(key_path, why));
    }

    // OpenSSL also refuses well-formed pairs, such as one with a key that is too short.
    let accepted = || {
        let mut context = SslContext::builder(SslMethod::tls())?;
        context.set_certificate(&leaf)?;
        for next in chain {
            context.add_extra_chain_cert(next)?;
        }
        context.set_private_key(&private)?;
        context.check_private_key()
    };
    accepted().map_err(|e| {
        let why = format!("is refused by OpenSSL ({}); make a new pair", reason(&e));
        FileError::new(certificate_path, why)
    })?;
    Ok(leaf)
}

/// Checks for NUL bytes, at which the binding panics.
fn check_no_nul(path: &Path, pem: &[u8]) -> Result<(), FileError> {
    if !pem.contains(&0) {
        return Ok(());
    }
    Err(FileError::new(
        path,
        "has a NUL byte, and so is not in PEM form; if it is in DER form, `openssl x509` and \
         `openssl pkey` read it with -inform DER",
    ))
}

/// Checks the names of a certificate. The C core ends the process when it uses a certificate whose
/// names it cannot read (`ssl_transport_security.cc`, `peer_from_x509`).
fn check_names(path: &Path, certificate: &X509) -> Result<(), FileError> {
    let mut common = certificate.subject_name().entries_by_nid(Nid::COMMONNAME);
    let alternative = certificate.subject_alt_names();
    let mut alternative = alternative.iter().flatten();
    let readable = common.all(|name| name.data().to_string().is_ok())
        && alternative.all(|name| matches!(name.ipaddress().map(<[u8]>::len), None | Some(4 | 16)));
    if readable {
        return Ok(());
    }
    Err(FileError::new(
        path,
        "has a certificate with a malformed name: a common name that is not text, or an IP \
         address of neither 4 nor 16 bytes; use another certificate",
    ))
}

/// The first reason in an error of OpenSSL.
fn reason(e: &ErrorStack) -> &'static str {
    let mut reasons = e.errors().iter().filter_map(openssl::error::Error::reason);
    reasons.next().unwrap_or("no reason is given")
}
