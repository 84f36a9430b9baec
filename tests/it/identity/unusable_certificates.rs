//! Certificates that no peer can use are refused, and those that some peers cannot use are told.

use std::io::Read;
use std::net::TcpListener;
use std::thread;

use openssl::dsa::Dsa;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::ssl::{
    SslAcceptor, SslConnector, SslContextBuilder, SslMethod, SslVerifyMode, SslVersion,
};
use openssl::x509::X509;
use testkit::certificates::{ec_key, for_clients_only, for_servers_only, Certificate, Wanted};
use testkit::folder::Folder;
use testkit::wait::PATIENCE;

use crate::support::secured::{self, by_program, fails};
use crate::support::server;

/// A certificate for servers at 127.0.0.1, of this key.
fn named() -> Wanted<'static> {
    Wanted {
        name: "one",
        alternative: &["127.0.0.1", "localhost"],
        ..Wanted::default()
    }
}

fn rsa(bits: u32) -> PKey<Private> {
    PKey::from_rsa(Rsa::generate(bits).expect("RSA")).expect("a key")
}

/// Why a server with this pair does not start.
fn refused(folder: &Folder, pair: &Certificate) -> String {
    let (certificate, key) = folder.write_pair("server", pair);
    let files = ["--tls-cert", &certificate, "--tls-key", &key];
    let (said, code) = server::refused(&[&["--listen", "127.0.0.1:0"], &files[..]].concat());
    assert_eq!(code, Some(1), "{said}");
    said
}

/// Why a client with this pair does not call.
fn refused_by_client(folder: &Folder, pair: &Certificate) -> String {
    let (certificate, key) = folder.write_pair("client", pair);
    let files = ["--tls", "--cert", &certificate, "--key", &key, "get", "a"];
    let (_, said, code) = by_program("127.0.0.1:1", &files);
    assert_eq!(code, Some(1), "{said}");
    said
}

#[test]
fn keys_that_no_peer_supports_are_refused_with_their_type() {
    let folder = Folder::new();
    let ca = Certificate::ca("ca");
    let dsa = PKey::from_dsa(Dsa::generate(2048).expect("DSA")).expect("a key");
    for (key, kind) in [
        (ec_key(Nid::SECP256K1), "EC on secp256k1"),
        (ec_key(Nid::SECP224R1), "EC on secp224r1"),
        (ec_key(Nid::BRAINPOOL_P256R1), "EC on brainpoolP256r1"),
        (ec_key(Nid::BRAINPOOL_P512R1), "EC on brainpoolP512r1"),
        (rsa(512), "RSA with 512 bits"),
        (dsa, "DSA with 2048 bits"),
    ] {
        let pair = ca.sign_key(key, named());
        for said in [refused(&folder, &pair), refused_by_client(&folder, &pair)] {
            assert!(said.contains(&format!(" is {kind}")), "{said}");
            let remedy = " with a key of RSA with 2048 bits or more, or EC on P-256";
            assert!(said.contains(remedy), "{said}");
        }
    }
}

#[test]
fn certificates_for_another_use_are_refused() {
    let folder = Folder::new();
    let ca = Certificate::ca("ca");
    let with = |extension| Wanted {
        extension: Some(extension),
        ..named()
    };
    let for_clients = ca.sign(with(for_clients_only()));
    let said = refused(&folder, &for_clients);
    let why = "server.crt: has a certificate that clients do not accept from a server (unsuitable \
               certificate purpose)";
    assert!(said.contains(why), "{said}");
    let for_servers = ca.sign(with(for_servers_only()));
    let said = refused_by_client(&folder, &for_servers);
    let why = "client.crt: has a certificate that servers do not accept from a client (unsuitable \
               certificate purpose)";
    assert!(said.contains(why), "{said}");
    // Each is of use to the other.
    let (certificate, key) = folder.write_pair("server", &for_servers);
    drop(server::start(&[
        "--tls-cert",
        &certificate,
        "--tls-key",
        &key,
    ]));
}

#[test]
fn a_certificate_that_does_not_come_first_is_named() {
    let folder = Folder::new();
    let ca = Certificate::ca("ca");
    let pair = ca.sign(named());
    let key = folder.write("server.key", pair.key_pem());
    let reversed = folder.write("server.crt", [ca.pem(), pair.pem()].concat());
    let files = ["--tls-cert", &reversed, "--tls-key", &key];
    let (said, code) = server::refused(&[&["--listen", "127.0.0.1:0"], &files[..]].concat());
    assert_eq!(code, Some(1));
    let why = "server.crt: begins with another certificate than that of the key in ";
    let remedy = ", which is certificate 2 of the file; put it first";
    assert!(said.contains(why) && said.contains(remedy), "{said}");
}

#[test]
fn what_only_some_clients_support_is_a_warning() {
    let folder = Folder::new();
    let ca = Certificate::ca("ca");
    let ed25519 = PKey::generate_ed25519().expect("a key");
    let ed448 = PKey::generate_ed448().expect("a key");
    let nameless = Wanted {
        name: "one",
        ..Wanted::default()
    };
    let not_yet = Wanted {
        days: (1, 2),
        ..named()
    };
    let usual = ca.sign(named());
    let with_a_strangers = [usual.pem(), Certificate::ca("stranger").pem()].concat();
    let alone = |pair: &Certificate| (pair.pem(), pair.key_pem());
    for ((certificate, key), warning) in [
        (
            alone(&ca.sign_key(ed25519, named())),
            "the certificate's key is Ed25519, which some clients do not support",
        ),
        (
            alone(&ca.sign_key(ed448, named())),
            "the certificate's key is Ed448, which some clients do not support",
        ),
        (
            alone(&ca.sign_key(ec_key(Nid::SECP521R1), named())),
            "the certificate's key is EC on secp521r1, which some clients do not support",
        ),
        (
            alone(&ca.sign(nameless)),
            "the certificate has no subjectAltName",
        ),
        (
            alone(&ca.sign(not_yet)),
            "the certificate is not valid before ",
        ),
        (
            (with_a_strangers, usual.key_pem()),
            "certificate 2 of the file has not signed the certificate",
        ),
    ] {
        let certificate = folder.write("server.crt", certificate);
        let key = folder.write("server.key", key);
        let mut server = server::start(&["--tls-cert", &certificate, "--tls-key", &key]);
        let warned = ["WARN", "server.crt: ", warning];
        server.log.wait_for_all(PATIENCE, &warned);
    }
    // What works for all is no reason to warn.
    let chain = [usual.pem(), ca.pem()].concat();
    let certificate = folder.write("server.crt", chain);
    let key = folder.write("server.key", usual.key_pem());
    let mut server = server::start(&["--tls-cert", &certificate, "--tls-key", &key]);
    let valid = ["INFO", "server.crt: the certificate is valid from "];
    server.log.wait_for_all(PATIENCE, &valid);
    let lines = server.log.so_far();
    assert!(
        !lines.iter().any(|line| line.contains("WARN")),
        "{lines:#?}"
    );
}

/// A server that ends each handshake as `set_up` makes it. Its address.
fn handshakes(set_up: impl FnOnce(&mut SslContextBuilder)) -> String {
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls()).expect("TLS");
    set_up(&mut acceptor);
    let acceptor = acceptor.build();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    thread::spawn(move || {
        for socket in listener.incoming().map_while(Result::ok) {
            assert!(acceptor.accept(socket).is_err());
        }
    });
    address
}

#[test]
fn a_server_that_refuses_the_handshake_is_not_said_to_want_a_certificate() {
    let folder = Folder::new();
    let ca = Certificate::ca("ca");
    let ca_path = folder.write("ca.crt", ca.pem());
    let pair = ca.sign_key(ec_key(Nid::SECP256K1), named());
    let tls = ["--tls", "--ca", &ca_path];
    let shows = |context: &mut SslContextBuilder| {
        let certificate = X509::from_pem(&pair.pem()).expect("PEM");
        let key = PKey::private_key_from_pem(&pair.key_pem()).expect("PEM");
        context.set_certificate(&certificate).expect("taken");
        context.set_private_key(&key).expect("taken");
    };
    let refusing = handshakes(shows);
    fails(
        &refusing,
        &tls,
        " refused the handshake: perhaps its certificate has a key of a kind that clients do not \
         support; the server's log may say more",
    );
    let old = handshakes(|context| {
        context.set_security_level(0);
        let versions = context.set_min_proto_version(Some(SslVersion::TLS1));
        versions.expect("set");
        let versions = context.set_max_proto_version(Some(SslVersion::TLS1_1));
        versions.expect("set");
    });
    fails(&old, &tls, " speaks neither TLS 1.2 nor TLS 1.3");
}

#[test]
fn a_certificate_that_is_not_for_clients_does_not_let_its_owner_in() {
    let folder = Folder::new();
    let ca = Certificate::ca("ca");
    let server = secured::server(&folder, &ca, true);
    let answer = |wanted| {
        let pair = ca.sign(wanted);
        let mut connector = SslConnector::builder(SslMethod::tls()).expect("TLS");
        connector.set_verify(SslVerifyMode::NONE);
        connector.set_alpn_protos(b"\x02h2").expect("set");
        let certificate = X509::from_pem(&pair.pem()).expect("PEM");
        let key = PKey::private_key_from_pem(&pair.key_pem()).expect("PEM");
        connector.set_certificate(&certificate).expect("taken");
        connector.set_private_key(&key).expect("taken");
        let socket = std::net::TcpStream::connect(&server.address).expect("listens");
        socket.set_read_timeout(Some(PATIENCE)).expect("a limit");
        let mut connected = connector.build().connect("localhost", socket).expect("TLS");
        // The server's settings, unless it ends the connection instead.
        connected.read_exact(&mut [0; 9])
    };
    assert!(answer(named()).is_ok());
    let for_servers = Wanted {
        extension: Some(for_servers_only()),
        ..named()
    };
    assert!(answer(for_servers).is_err());
}
