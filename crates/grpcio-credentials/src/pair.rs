//! A certificate with its chain, and its key.

use std::path::Path;

use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Private, Public};
use openssl::x509::{X509Ref, X509VerifyResult, X509};

use crate::pem;
use crate::proof::{prove, Peer, Refusal, Role};
use crate::FileError;

/// Keys that every TLS library supports.
const GOOD_KEYS: &str = "RSA with 2048 bits or more, or EC on P-256";

/// A certificate with its chain, and its key, that TLS can be spoken with.
#[derive(Debug)]
pub struct Pair {
    certificate: X509,
    /// The certificate and those after it.
    chain: Vec<X509>,
    key: PKey<Private>,
}

impl Pair {
    /// Reads a certificate, followed by its chain if there is one, and its key. Each file is given as
    /// its path and its contents.
    ///
    /// A handshake in memory proves that the pair can be used in this role. Its peer supports what
    /// any of the usual TLS libraries supports. Whether the certificate is valid now and who has
    /// signed it does not matter.
    ///
    /// # Errors
    ///
    /// When a file does not contain a certificate or a key, when the key belongs to another
    /// certificate, when the C core would end the process because of the names in the certificate,
    /// or when no peer can use the pair.
    pub fn read(
        certificate: (&Path, &[u8]),
        key: (&Path, &[u8]),
        role: Role,
    ) -> Result<Self, FileError> {
        let ((path, pem), (key_path, key_pem)) = (certificate, key);
        let chain = pem::certificates(path, pem)?;
        let Some(certificate) = chain.first().cloned() else {
            return Err(FileError::new(path, "has no certificate"));
        };
        pem::check_names(path, &certificate)?;
        let key = pem::private_key(key_path, key_pem)?;
        let is_its = |certificate: &X509| {
            let belongs = |public: PKey<_>| public.public_eq(&key);
            certificate.public_key().is_ok_and(belongs)
        };
        match chain.iter().position(is_its) {
            Some(0) => {}
            None => {
                let why = format!(
                    "is not the key of the certificate in {}; give a certificate and its own key",
                    path.display()
                );
                return Err(FileError::new(key_path, why));
            }
            Some(n) => {
                let why = format!(
                    "begins with another certificate than that of the key in {}, which is {}; put \
                     it first",
                    key_path.display(),
                    name(n)
                );
                return Err(FileError::new(path, why));
            }
        }
        prove(&chain, &key, role, &Peer::ANY)
            .map_err(|refusal| FileError::new(path, explain(&refusal, &chain, role)))?;
        Ok(Self {
            certificate,
            chain,
            key,
        })
    }

    /// The certificate, without its chain.
    pub fn certificate(&self) -> &X509Ref {
        &self.certificate
    }

    /// Why some clients may not accept this pair from a server. A sentence for each reason.
    pub fn doubts(&self) -> Vec<String> {
        let mut doubts = pem::out_of_date(&self.chain, name);
        if self.certificate.subject_alt_names().is_none() {
            doubts.push(
                "the certificate has no subjectAltName, and many clients do not accept its common \
                 name instead; add the names by which clients call the server"
                    .to_owned(),
            );
        }
        if prove(&self.chain, &self.key, Role::Server, &Peer::EVERY).is_err() {
            doubts.push(format!(
                "the certificate's key is {}, which some clients do not support, such as gRPC \
                 for C++ and Python; all clients support {GOOD_KEYS}",
                kind(&self.certificate)
            ));
        }
        let links = self.chain.windows(2).enumerate();
        doubts.extend(links.filter(|(_, link)| !is_signed(link)).map(|(n, _)| {
            format!(
                "{} has not signed {}, so clients may find no way to a CA that they trust; let each \
                 certificate be followed by the one that has signed it",
                name(n + 1),
                name(n)
            )
        }));
        doubts
    }
}

/// What the certificate at this index is called.
fn name(index: usize) -> String {
    match index {
        0 => "the certificate".to_owned(),
        n => format!("certificate {} of the file", n + 1),
    }
}

/// Whether the second certificate has signed the first.
fn is_signed(link: &[X509]) -> bool {
    let [signed, by] = link else {
        return true;
    };
    let key = by.public_key();
    by.issued(signed) == X509VerifyResult::OK
        && key.is_ok_and(|key| signed.verify(&key).unwrap_or(false))
}

fn explain(refusal: &Refusal, chain: &[X509], role: Role) -> String {
    let (peer, usage) = match role {
        Role::Server => ("client", "serverAuth"),
        Role::Client => ("server", "clientAuth"),
    };
    let kind = |n: usize| chain.get(n).map_or_else(String::new, |c| kind(c));
    match *refusal {
        Refusal::Certificate(n, why) => {
            let signature = chain.get(n).map(|c| c.signature_algorithm().object());
            let signature = signature.map_or_else(String::new, ToString::to_string);
            format!(
                "is refused by OpenSSL ({why}): the key of {} is {}, and the certificate is signed with \
                 {signature}; make one with a key of {GOOD_KEYS}, signed with SHA-256",
                name(n),
                kind(n)
            )
        }
        Refusal::Handshake(why) => format!(
            "has a certificate that no {peer} can use ({why}): its key is {}; make a pair with a \
             key of {GOOD_KEYS}",
            kind(0)
        ),
        Refusal::Use(why) => format!(
            "has a certificate that {peer}s do not accept from a {} ({why}): its key is {}; make one \
             whose extendedKeyUsage, if it has one, contains {usage}, and whose keyUsage, if it has \
             one, contains digitalSignature",
            match role {
                Role::Server => "server",
                Role::Client => "client",
            },
            kind(0)
        ),
    }
}

/// The type of a certificate's key.
fn kind(certificate: &X509Ref) -> String {
    let Ok(key) = certificate.public_key() else {
        return "of an unknown type".to_owned();
    };
    match key.id() {
        Id::RSA => format!("RSA with {} bits", key.bits()),
        Id::RSA_PSS => format!("RSA-PSS with {} bits", key.bits()),
        Id::DSA => format!("DSA with {} bits", key.bits()),
        Id::EC => format!("EC on {}", curve(&key).unwrap_or("an unnamed curve")),
        Id::ED25519 => "Ed25519".to_owned(),
        Id::ED448 => "Ed448".to_owned(),
        other => Nid::from_raw(other.as_raw())
            .long_name()
            .map_or_else(|_| "of an unknown type".to_owned(), str::to_owned),
    }
}

fn curve(key: &PKey<Public>) -> Option<&'static str> {
    let curve = key.ec_key().ok()?.group().curve_name()?;
    curve.short_name().ok()
}
