//! Certificates and keys in PEM form (RFC 7468), looked at before the C core gets them: of what is
//! wrong with them it says little, and for some it ends the process.

use std::path::Path;

use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::ssl::{SslContext, SslMethod};
use openssl::x509::X509;

use crate::file::FileError;

/// The certificates in a file, of which there must be one.
pub(crate) fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<X509>, FileError> {
    without_nul(path, pem)?;
    let refuse = |why: &str| Err(FileError::new(path, why));
    match X509::stack_from_pem(pem) {
        Err(e) => refuse(&format!(
            "has a certificate that cannot be read ({}); write it again, whole",
            reason(&e)
        )),
        Ok(none) if none.is_empty() => {
            refuse("has no certificate in PEM form, which begins with -----BEGIN CERTIFICATE-----")
        }
        Ok(certificates) => Ok(certificates),
    }
}

/// Checks that a file has a certificate, with its chain if any, and another that certificate's key.
/// The certificate.
pub(crate) fn pair(
    (certificate, certificate_pem): (&Path, &[u8]),
    (key, key_pem): (&Path, &[u8]),
) -> Result<X509, FileError> {
    let mut chain = certificates(certificate, certificate_pem)?.into_iter();
    let refuse = |path, why: String| FileError::new(path, why);
    let Some(leaf) = chain.next() else {
        return Err(refuse(certificate, "has no certificate".to_owned()));
    };
    has_readable_names(certificate, &leaf)?;

    without_nul(key, key_pem)?;
    // No passphrase: else OpenSSL would ask for one at the terminal.
    let private = PKey::private_key_from_pem_passphrase(key_pem, b"").map_err(|e| {
        let why = reason(&e);
        refuse(
            key,
            format!(
                "has no private key in PEM form, or one with a passphrase ({why}); \
                 `openssl pkey -in FILE -out NEW` takes a passphrase off"
            ),
        )
    })?;
    let belongs = |public: PKey<_>| public.public_eq(&private);
    if !leaf.public_key().is_ok_and(belongs) {
        let path = certificate.display();
        let why = format!("is not the key of the certificate in {path}; give the two of one pair");
        return Err(refuse(key, why));
    }

    // OpenSSL has an opinion also of what is well-formed: a key that is too short, for one.
    let mut context = || {
        let mut context = SslContext::builder(SslMethod::tls())?;
        context.set_certificate(&leaf)?;
        chain.try_for_each(|next| context.add_extra_chain_cert(next))?;
        context.set_private_key(&private)?;
        context.check_private_key()
    };
    let refused =
        |e: ErrorStack| format!("is refused by OpenSSL ({}); make a new pair", reason(&e));
    context().map_err(|e| refuse(certificate, refused(e)))?;
    Ok(leaf)
}

/// The binding panics at a NUL.
fn without_nul(path: &Path, pem: &[u8]) -> Result<(), FileError> {
    match pem.contains(&0) {
        true => Err(FileError::new(
            path,
            "has a NUL byte, and so is not in PEM form; if it is in DER form, `openssl x509` and \
             `openssl pkey` read it with -inform DER",
        )),
        false => Ok(()),
    }
}

/// The C core ends the process at names that it cannot read in a certificate that it is to show
/// (`ssl_transport_security.cc`, `peer_from_x509`).
fn has_readable_names(path: &Path, certificate: &X509) -> Result<(), FileError> {
    let mut common = certificate.subject_name().entries_by_nid(Nid::COMMONNAME);
    let alternative = certificate.subject_alt_names();
    let mut alternative = alternative.iter().flatten();
    let readable = common.all(|name| name.data().to_string().is_ok())
        && alternative.all(|name| matches!(name.ipaddress().map(<[u8]>::len), None | Some(4 | 16)));
    match readable {
        true => Ok(()),
        false => {
            let why = "has a certificate with a malformed name: a common name that is no text, or \
                       an IP address of neither 4 nor 16 bytes; have another made";
            Err(FileError::new(path, why))
        }
    }
}

/// What OpenSSL says in the first place.
fn reason(e: &ErrorStack) -> &'static str {
    let mut reasons = e.errors().iter().filter_map(openssl::error::Error::reason);
    reasons.next().unwrap_or("no reason is given")
}
