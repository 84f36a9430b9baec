//! Certificates and keys in PEM form (RFC 7468).
//!
//! The gRPC C core says little about a certificate or key that it cannot use, and some of them make
//! it end the process. So they are checked here first.

use std::path::Path;

use openssl::asn1::Asn1Time;
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::{X509Ref, X509};

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

/// Why peers do not accept these certificates at this time: those that have expired, and those that
/// are not valid yet. `name` says what the certificate at an index is called.
pub fn out_of_date(certificates: &[X509], name: impl Fn(usize) -> String) -> Vec<String> {
    let Ok(now) = Asn1Time::days_from_now(0) else {
        return Vec::new();
    };
    let why = |certificate: &X509Ref| {
        let (begin, end) = (certificate.not_before(), certificate.not_after());
        match (end < &*now, begin > &*now) {
            (true, _) => Some(format!("expired on {end}")),
            (_, true) => Some(format!("is not valid before {begin}")),
            _ => None,
        }
    };
    let each = certificates.iter().enumerate();
    let dated = each.filter_map(|(n, certificate)| Some((n, why(certificate)?)));
    dated
        .map(|(n, why)| {
            format!(
                "{} {why}; peers will not accept it; renew it, or set the clock if that is wrong",
                name(n)
            )
        })
        .collect()
}

/// Reads the private key in a file.
pub(crate) fn private_key(path: &Path, pem: &[u8]) -> Result<PKey<Private>, FileError> {
    check_no_nul(path, pem)?;
    // An empty passphrase keeps OpenSSL from asking for one at the terminal.
    PKey::private_key_from_pem_passphrase(pem, b"").map_err(|e| {
        let why = format!(
            "has no private key in PEM form, or one with a passphrase ({}); \
             `openssl pkey -in FILE -out NEW` removes a passphrase",
            reason(&e)
        );
        FileError::new(path, why)
    })
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
pub(crate) fn check_names(path: &Path, certificate: &X509) -> Result<(), FileError> {
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
pub(crate) fn reason(e: &ErrorStack) -> &'static str {
    let mut reasons = e.errors().iter().filter_map(openssl::error::Error::reason);
    reasons.next().unwrap_or("no reason is given")
}
