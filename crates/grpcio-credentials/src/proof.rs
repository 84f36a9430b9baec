//! Proves a certificate and its key by a handshake in memory.
//!
//! OpenSSL, with which the C core is built, takes a pair of any kind from a file. Many of them fail
//! only in the handshake, because no client offers an algorithm for them.

use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{SslContext, SslContextBuilder, SslMethod, SslVerifyMode, SslVersion};
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::verify::X509VerifyFlags;
use openssl::x509::X509;

use crate::handshake::{handshake, Failed};
use crate::pem::reason;

/// Who shows a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A server, to its clients.
    Server,
    /// A client, to its servers.
    Client,
}

/// What the other side of the handshake accepts.
pub(crate) struct Peer {
    /// The algorithms of signatures, in OpenSSL's names.
    signatures: &'static str,
    /// OpenSSL's security level. None for the default of this machine.
    level: Option<u32>,
}

impl Peer {
    /// Accepts what OpenSSL, BoringSSL, Go or rustls offers by default, which is what RFC 8446,
    /// section 4.2.3, has without SHA-1.
    pub(crate) const ANY: Self = Self {
        signatures: "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:ed25519:ed448:\
            rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:rsa_pss_rsae_sha512:\
            rsa_pss_pss_sha256:rsa_pss_pss_sha384:rsa_pss_pss_sha512:\
            RSA+SHA256:RSA+SHA384:RSA+SHA512",
        level: None,
    };

    /// Accepts what each of them offers. BoringSSL, which gRPC for C++ and Python has, offers the
    /// fewest: no P-521, Ed25519, Ed448 and RSA-PSS.
    pub(crate) const EVERY: Self = Self {
        signatures: "ECDSA+SHA256:ECDSA+SHA384:\
            rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:rsa_pss_rsae_sha512:\
            RSA+SHA256:RSA+SHA384:RSA+SHA512",
        // No RSA below 2048 bits.
        level: Some(2),
    };
}

/// Why a pair cannot be used.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// OpenSSL refuses the certificate at this index of the chain.
    Certificate(usize, &'static str),
    /// The handshake fails.
    Handshake(&'static str),
    /// The peer refuses the use of the certificate in this role.
    Use(&'static str),
}

/// Completes a handshake in which `chain` is shown in this role. The peer trusts the first
/// certificate, whenever it is valid.
pub(crate) fn prove(
    chain: &[X509],
    key: &PKey<Private>,
    role: Role,
    peer: &Peer,
) -> Result<(), Refusal> {
    let failed = |e: ErrorStack| Refusal::Handshake(reason(&e));
    let mut server = context().map_err(failed)?;
    // The C core offers this group only.
    server.set_groups_list("P-256").map_err(failed)?;
    let mut client = context().map_err(failed)?;
    client
        .set_groups_list("X25519:P-256:P-384:P-521:X448")
        .map_err(failed)?;
    show(&mut server, chain, key)?;
    let verifying = match role {
        Role::Server => &mut client,
        Role::Client => {
            // The server's certificate does not matter then.
            client.set_verify(SslVerifyMode::NONE);
            show(&mut client, chain, key)?;
            &mut server
        }
    };
    verify(verifying, chain, peer).map_err(failed)?;
    handshake(&client.build(), &server.build()).map_err(|e| match e {
        Failed::Handshake(e) => Refusal::Handshake(reason(&e)),
        Failed::Certificate(why) => Refusal::Use(why.error_string()),
    })
}

/// The versions and ciphers of the C core (`ssl_transport_security.cc`, `config_vars.cc`). OpenSSL's
/// ciphers of TLS 1.3 are the same.
fn context() -> Result<SslContextBuilder, ErrorStack> {
    let mut context = SslContext::builder(SslMethod::tls())?;
    context.set_min_proto_version(Some(SslVersion::TLS1_2))?;
    context.set_cipher_list(
        "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:\
         ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384",
    )?;
    Ok(context)
}

fn show(
    context: &mut SslContextBuilder,
    chain: &[X509],
    key: &PKey<Private>,
) -> Result<(), Refusal> {
    for (n, certificate) in chain.iter().enumerate() {
        let added = match n {
            0 => context.set_certificate(certificate),
            _ => context.add_extra_chain_cert(certificate.clone()),
        };
        added.map_err(|e| Refusal::Certificate(n, reason(&e)))?;
    }
    let keyed = context.set_private_key(key);
    keyed
        .and_then(|()| context.check_private_key())
        .map_err(|e| Refusal::Certificate(0, reason(&e)))
}

fn verify(context: &mut SslContextBuilder, chain: &[X509], peer: &Peer) -> Result<(), ErrorStack> {
    let mut trusted = X509StoreBuilder::new()?;
    if let Some(first) = chain.first() {
        trusted.add_cert(first.clone())?;
    }
    trusted.set_flags(X509VerifyFlags::PARTIAL_CHAIN | X509VerifyFlags::NO_CHECK_TIME)?;
    context.set_verify_cert_store(trusted.build())?;
    context.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
    context.set_sigalgs_list(peer.signatures)?;
    if let Some(level) = peer.level {
        context.set_security_level(level);
    }
    Ok(())
}
