//! Makes certificates for tests.

use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{BasicConstraints, ExtendedKeyUsage, SubjectAlternativeName};
use openssl::x509::{X509Builder, X509Extension, X509NameBuilder, X509};

use crate::clock::unix_seconds;
use crate::folder::Folder;

const DAY: i64 = 24 * 60 * 60;

/// The contents of a certificate to make.
pub struct Wanted<'a> {
    /// The common name. If it is empty, the certificate has none.
    pub name: &'a str,
    /// Alternative names. A text that is an IP address becomes an IP address, a text with `://` a
    /// URI, and any other text a DNS name.
    pub alternative: &'a [&'a str],
    /// When it becomes valid and when it expires, in days from now.
    pub days: (i64, i64),
    /// A further extension.
    pub extension: Option<X509Extension>,
}

impl Default for Wanted<'_> {
    fn default() -> Self {
        Self {
            name: "",
            alternative: &[],
            days: (-1, 1),
            extension: None,
        }
    }
}

/// A certificate and its key.
pub struct Certificate {
    x509: X509,
    key: PKey<Private>,
}

impl Certificate {
    /// A self-signed certificate of a CA, which may sign other certificates.
    pub fn ca(name: &str) -> Self {
        let key = key();
        let wanted = Wanted {
            name,
            extension: Some(BasicConstraints::new().critical().ca().build().expect("CA")),
            ..Wanted::default()
        };
        let x509 = certificate(&key, wanted, None);
        Self { x509, key }
    }

    /// A self-signed certificate that may not sign other certificates.
    pub fn own(wanted: Wanted<'_>) -> Self {
        let key = key();
        let x509 = certificate(&key, wanted, None);
        Self { x509, key }
    }

    /// A certificate that this CA has signed.
    pub fn sign(&self, wanted: Wanted<'_>) -> Self {
        self.sign_key(key(), wanted)
    }

    /// A certificate of this key that this CA has signed.
    pub fn sign_key(&self, key: PKey<Private>, wanted: Wanted<'_>) -> Self {
        let x509 = certificate(&key, wanted, Some(self));
        Self { x509, key }
    }

    /// A certificate for servers at 127.0.0.1 and localhost.
    pub fn sign_server(&self, name: &str) -> Self {
        self.sign(Wanted {
            name,
            alternative: &["127.0.0.1", "localhost"],
            ..Wanted::default()
        })
    }

    /// A certificate for a client.
    pub fn sign_client(&self, name: &str) -> Self {
        self.sign(Wanted {
            name,
            ..Wanted::default()
        })
    }

    /// The certificate in PEM form.
    pub fn pem(&self) -> Vec<u8> {
        self.x509.to_pem().expect("PEM")
    }

    /// The key in PEM form.
    pub fn key_pem(&self) -> Vec<u8> {
        self.key.private_key_to_pem_pkcs8().expect("PEM")
    }

    /// The key in PEM form, with a passphrase.
    pub fn encrypted_key_pem(&self) -> Vec<u8> {
        let cipher = openssl::symm::Cipher::aes_128_cbc();
        let pem = self
            .key
            .private_key_to_pem_pkcs8_passphrase(cipher, b"secret");
        pem.expect("PEM")
    }
}

/// The extension of a certificate that is for servers and not for clients.
pub fn for_servers_only() -> X509Extension {
    let mut usage = ExtendedKeyUsage::new();
    usage.server_auth().build().expect("usage")
}

/// The extension of a certificate that is for clients and not for servers.
pub fn for_clients_only() -> X509Extension {
    let mut usage = ExtendedKeyUsage::new();
    usage.client_auth().build().expect("usage")
}

fn key() -> PKey<Private> {
    ec_key(Nid::X9_62_PRIME256V1)
}

/// A new key on an elliptic curve.
pub fn ec_key(curve: Nid) -> PKey<Private> {
    let group = EcGroup::from_curve_name(curve).expect("a curve");
    let key = EcKey::generate(&group).expect("key");
    PKey::from_ec_key(key).expect("key")
}

fn certificate(key: &PKey<Private>, wanted: Wanted<'_>, by: Option<&Certificate>) -> X509 {
    let mut x509 = X509Builder::new().expect("builder");
    let mut serial = BigNum::new().expect("number");
    serial.rand(127, MsbOption::ONE, false).expect("random");
    let serial = serial.to_asn1_integer().expect("number");
    x509.set_serial_number(&serial).expect("serial");
    // Version 3 of X.509, which is encoded as 2.
    x509.set_version(2).expect("version");
    let mut name = X509NameBuilder::new().expect("builder");
    if !wanted.name.is_empty() {
        name.append_entry_by_nid(Nid::COMMONNAME, wanted.name)
            .expect("name");
    }
    let name = name.build();
    x509.set_subject_name(&name).expect("name");
    let issuer = by.map_or(&*name, |ca| ca.x509.subject_name());
    x509.set_issuer_name(issuer).expect("name");
    x509.set_pubkey(key).expect("key");
    let (begin, end) = wanted.days;
    x509.set_not_before(&days_from_now(begin)).expect("time");
    x509.set_not_after(&days_from_now(end)).expect("time");
    if !wanted.alternative.is_empty() {
        let mut names = SubjectAlternativeName::new();
        for name in wanted.alternative {
            match name {
                ip if ip.parse::<std::net::IpAddr>().is_ok() => names.ip(ip),
                uri if uri.contains("://") => names.uri(uri),
                dns => names.dns(dns),
            };
        }
        let names = names
            .build(&x509.x509v3_context(None, None))
            .expect("names");
        x509.append_extension(names).expect("extension");
    }
    if let Some(extension) = wanted.extension {
        x509.append_extension(extension).expect("extension");
    }
    let signer = by.map_or(key, |ca| &ca.key);
    x509.sign(signer, MessageDigest::sha256()).expect("signed");
    x509.build()
}

fn days_from_now(days: i64) -> Asn1Time {
    let now = i64::try_from(unix_seconds()).expect("a time that fits");
    Asn1Time::from_unix(now + days * DAY).expect("a time")
}

impl Folder {
    /// Writes a certificate and its key as `name.crt` and `name.key`. Returns their paths.
    pub fn write_pair(&self, name: &str, pair: &Certificate) -> (String, String) {
        let certificate = self.write(&format!("{name}.crt"), pair.pem());
        let key = self.write(&format!("{name}.key"), pair.key_pem());
        (certificate, key)
    }
}
