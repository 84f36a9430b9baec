//! The certificates of clients: which ones a server accepts, and the identity that they give.

use std::io::Read;
use std::net::TcpStream;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;

use futures::{SinkExt, StreamExt, TryStreamExt};
use greeter_stream::client::{Client, ClientTls, Config, Token};
use grpcio::RpcStatusCode;
use grpcio_streams::Status;
use openssl::asn1::{Asn1Object, Asn1OctetString};
use openssl::ssl::{SslConnector, SslFiletype, SslMethod};
use openssl::x509::X509Extension;
use testkit::certificates::{Certificate, Wanted};
use testkit::folder::Folder;
use testkit::process::Signal;
use testkit::wait::{soon, PATIENCE};

use crate::support::callers::{hash, UNKNOWN};
use crate::support::core::core;
use crate::support::secured::{self, by_program, fails, library, trusting};
use crate::support::{client_with, server, topic};

#[test]
fn with_a_client_ca_only_its_clients_get_in() {
    let folder = Folder::new();
    let ca = Certificate::ca("ca");
    let mut server = secured::server(&folder, &ca, true);
    let ca_path = folder.path("ca.crt");
    let tls = ["--tls", "--ca", &ca_path];

    let ended = " ended the connection at once: ";
    let wants = format!("{ended}if it wants a client's certificate, give it with --cert and --key");
    let refuses = format!(
        "{ended}perhaps no CA that it trusts has signed the certificate of --cert, or the certificate is not \
         valid at this time"
    );
    fails(&server.address, &tls, &wants);
    let dated = |days| Wanted {
        name: "ann",
        days,
        ..Wanted::default()
    };
    let nearly_a_ca = ca.sign_client("ann");
    for (what, certificate) in [
        ("expired", ca.sign(dated((-2, -1)))),
        ("not-yet-valid", ca.sign(dated((1, 2)))),
        ("self-signed", Certificate::own(dated((-1, 1)))),
        ("of-another-ca", Certificate::ca("ca").sign_client("ann")),
        ("of-one-that-is-no-ca", nearly_a_ca.sign_client("ann")),
    ] {
        let (certificate, key) = folder.write_pair(what, &certificate);
        let args = [&tls[..], &["--cert", &certificate, "--key", &key]].concat();
        fails(&server.address, &args, &refuses);
    }
    let nobody = library(&server.address, trusting(&folder));
    let failure = soon("end", nobody.get("a").expect("starts").next());
    let code = failure.and_then(Result::err).map(|status| status.code());
    assert_eq!(code, Some(RpcStatusCode::UNAVAILABLE));

    let (certificate, key) = folder.write_pair("ann", &ca.sign_client("ann"));
    let pair = ["--cert", &certificate, "--key", &key, "get", "a"];
    let args = [&tls[..], &pair].concat();
    assert_eq!(by_program(&server.address, &args).2, Some(0));
    let tls = trusting(&folder).certificate(Path::new(&certificate), Path::new(&key));
    let client = library(&server.address, tls.expect("a pair"));
    assert_eq!(soon("ticks", client.get("a").expect("starts").count()), 1);
    for _ in 0..2 {
        server.log.wait_for_all(PATIENCE, &["(ann) ended", ": OK"]);
    }
    let lines = server.log.so_far();
    assert_eq!(
        lines
            .iter()
            .filter(|line| line.contains(" started"))
            .count(),
        2,
        "{lines:#?}"
    );
}

/// Nobody else could show such a certificate: the trusted CA has to sign it.
#[test]
fn names_that_cannot_be_read_harm_others_on_the_older_core_only() {
    // A sequence with one IP address of 5 bytes.
    const NAMES: [u8; 9] = [0x30, 7, 0x87, 5, 127, 0, 0, 0, 1];
    let folder = Folder::new();
    let ca = Certificate::ca("ca");
    let mut server = secured::server(&folder, &ca, true);
    let names = Asn1OctetString::new_from_bytes(&NAMES).expect("bytes");
    let oid = Asn1Object::from_str("2.5.29.17").expect("the alternative names");
    let malformed = ca.sign(Wanted {
        name: "ann",
        extension: X509Extension::new_from_der(&oid, false, &names).ok(),
        ..Wanted::default()
    });
    let (certificate, key) = folder.write_pair("malformed", &malformed);
    let mut connector = SslConnector::builder(SslMethod::tls_client()).expect("TLS");
    connector.set_ca_file(folder.path("ca.crt")).expect("a CA");
    connector
        .set_certificate_file(certificate, SslFiletype::PEM)
        .expect("a certificate");
    connector
        .set_private_key_file(key, SslFiletype::PEM)
        .expect("its key");
    connector.set_alpn_protos(b"\x02h2").expect("HTTP/2");
    let stream = TcpStream::connect(&server.address).expect("connected");
    let mut stream = connector
        .build()
        .connect("localhost", stream)
        .expect("a handshake");
    // The server reads the names at its end of the handshake, and then ends the connection.
    while let Ok(1..) = stream.read(&mut [0; 1024]) {}

    if !core().lives_after_malformed_names {
        assert_eq!(
            server.process.wait(PATIENCE).signal(),
            Some(Signal::ABORT.as_raw())
        );
        return;
    }
    let (certificate, key) = folder.write_pair("ann", &ca.sign_client("ann"));
    let tls = trusting(&folder).certificate(Path::new(&certificate), Path::new(&key));
    let client = library(&server.address, tls.expect("a pair"));
    assert_eq!(soon("ticks", client.get("a").expect("starts").count()), 1);
}

#[test]
fn a_new_client_ca_is_asked_from_the_next_connection_on() {
    let folder = Folder::new();
    let ca = Certificate::ca("ca");
    let mut server = secured::server(&folder, &ca, true);
    let known = |name: &str, ca: &Certificate| {
        let (certificate, key) = folder.write_pair(name, &ca.sign_client(name));
        trusting(&folder)
            .certificate(Path::new(&certificate), Path::new(&key))
            .expect("a pair")
    };
    let ann = library(&server.address, known("ann", &ca));
    assert_eq!(soon("ticks", ann.get("a").expect("starts").count()), 1);

    let other = Certificate::ca("other");
    folder.write("clients.crt", other.pem());
    let changed = ["reloaded after a change: ", "clients.crt"];
    server.log.wait_for_all(PATIENCE, &changed);
    let bob = library(&server.address, known("bob", &other));
    assert_eq!(soon("ticks", bob.get("a").expect("starts").count()), 1);
    let late = library(&server.address, known("ann", &ca));
    let failure = soon("end", late.get("a").expect("starts").next());
    let code = failure.and_then(Result::err).map(|status| status.code());
    assert_eq!(code, Some(RpcStatusCode::UNAVAILABLE));
    // The connection from before stays open.
    assert_eq!(soon("ticks", ann.get("a").expect("starts").count()), 1);
}

#[test]
fn a_certificate_names_its_client() {
    let folder = Folder::new();
    let ca = Certificate::ca("ca");
    let (certificate, key) = folder.write_pair("server", &ca.sign_server("one"));
    let ca_path = folder.write("ca.crt", ca.pem());
    let pair = ["--tls-cert", &certificate, "--tls-key", &key];
    let tls = [&pair[..], &["--client-ca", &ca_path]].concat();
    let fast = ["--ticks", "1", "--tick-interval", "1ms"];
    let callers = format!(
        "ann cert read:* write:*\nspiffe://a/bob cert\ncy {}",
        hash("secret-of-cy")
    );
    let callers = folder.write("tokens", callers);
    let mut open = server::start(&[&tls[..], &fast].concat());
    let mut listed = server::start(&[&tls[..], &fast, &["--token-file", &callers]].concat());

    let client = |address: &str, wanted: &Certificate, token: Option<&str>| -> Client {
        let (certificate, key) = folder.write_pair("client", wanted);
        let tls = ClientTls::new().ca(Path::new(&ca_path)).expect("a CA");
        let tls = tls.certificate(Path::new(&certificate), Path::new(&key));
        client_with(Config {
            servers: vec![address.to_owned()],
            tls: Some(tls.expect("a pair")),
            token: token.map(|token| Token::new(token).expect("a token")),
            ..Config::default()
        })
    };
    let ends = |client: Client| {
        let ticks: Result<Vec<_>, _> = soon("end", client.get("a").expect("starts").try_collect());
        ticks.err().unwrap_or_else(Status::ok).to_string()
    };
    let named = |name, alternative| {
        ca.sign(Wanted {
            name,
            alternative,
            ..Wanted::default()
        })
    };
    for (certificate, name, is_listed) in [
        (named("ann", &[][..]), "ann", true),
        (
            named("bob", &["spiffe://a/bob", "bob.example"]),
            "spiffe://a/bob",
            true,
        ),
        (named("ann", &["10.0.0.1"]), "10.0.0.1", false),
        (named("cy", &[]), "cy", false),
        (named("a\u{1b}[31m", &[]), "a\\u{1b}[31m", false),
    ] {
        assert_eq!(
            ends(client(&open.address, &certificate, None)),
            "OK",
            "{name}"
        );
        let ended = format!("({name}) ended");
        open.log.wait_for_all(PATIENCE, &[&ended, ": OK"]);
        // This server has no token file, so it ignores tokens.
        assert_eq!(ends(client(&open.address, &certificate, Some("any"))), "OK");
        let expected = if is_listed { "OK" } else { UNKNOWN };
        assert_eq!(
            ends(client(&listed.address, &certificate, None)),
            expected,
            "{name}"
        );
        // A token counts for more than a certificate.
        assert_eq!(
            ends(client(&listed.address, &certificate, Some("secret-of-cy"))),
            "OK"
        );
        listed.log.wait_for_all(PATIENCE, &["(cy) ended", ": OK"]);
        assert_eq!(
            ends(client(&listed.address, &certificate, Some("any"))),
            UNKNOWN
        );
    }
    let nameless = named("", &[]);
    for server in [&open, &listed] {
        assert_eq!(ends(client(&server.address, &nameless, None)), UNKNOWN);
    }
    // The name in a certificate has rights as well.
    let feed = |certificate: &Certificate| {
        let client = client(&listed.address, certificate, None);
        let mut publisher = client.publish(topic("t"), Default::default());
        soon("sent", publisher.send("a".to_owned())).map_err(|e| e.to_string())
    };
    assert_eq!(feed(&named("ann", &[])), Ok(()));
    let denied = feed(&named("", &["spiffe://a/bob"])).expect_err("no right");
    let why = "PERMISSION_DENIED: this call needs the right to write topic t, which \
               spiffe://a/bob does not have";
    assert!(denied.starts_with(why), "{denied}");
}

#[test]
fn with_a_token_file_a_client_needs_a_token_or_a_certificate() {
    let folder = Folder::new();
    let ca = Certificate::ca("ca");
    let (certificate, key) = folder.write_pair("server", &ca.sign_server("one"));
    let ca_path = folder.write("ca.crt", ca.pem());
    let callers = format!("ann {}\nsensor cert", hash("secret-of-ann"));
    let callers = folder.write("callers", callers);
    let pair = ["--tls-cert", &certificate, "--tls-key", &key];
    let fast = ["--ticks", "1", "--tick-interval", "1ms"];
    let server = server::start(
        &[
            &pair[..],
            &fast,
            &["--client-ca", &ca_path, "--token-file", &callers],
        ]
        .concat(),
    );
    let token = folder.write("ann.token", "secret-of-ann");
    let (sensor, sensor_key) = folder.write_pair("sensor", &ca.sign_client("sensor"));
    let stranger = Certificate::ca("other").sign_client("sensor");
    let (stranger, stranger_key) = folder.write_pair("stranger", &stranger);
    let get = |identity: &[&str]| {
        let tls = ["--tls", "--ca", &ca_path];
        let (_, said, code) = by_program(
            &server.address,
            &[&tls[..], identity, &["get", "a"]].concat(),
        );
        (said, code)
    };
    for known in [
        &["--token-file", &token][..],
        &["--cert", &sensor, "--key", &sensor_key],
    ] {
        assert_eq!(get(known), (String::new(), Some(0)), "{known:?}");
    }
    let (said, code) = get(&[]);
    assert!(said.contains(UNKNOWN), "{said}");
    assert_eq!(code, Some(1));
    // A certificate that nobody trusts is refused, even with a token.
    let (said, code) = get(&[
        "--cert",
        &stranger,
        "--key",
        &stranger_key,
        "--token-file",
        &token,
    ]);
    assert!(
        said.contains("UNAVAILABLE: the server ended the connection"),
        "{said}"
    );
    assert_eq!(code, Some(1));
}

#[test]
fn a_file_with_certificates_that_cannot_be_checked_is_refused() {
    let folder = Folder::new();
    let ca = Certificate::ca("ca");
    let (certificate, key) = folder.write_pair("server", &ca.sign_server("one"));
    let ca_path = folder.write("ca.crt", ca.pem());
    let tls = [
        "--listen",
        "127.0.0.1:0",
        "--tls-cert",
        &certificate,
        "--tls-key",
        &key,
    ];
    let refused = |callers: &str, more: &[&str]| {
        let callers = folder.write("callers", callers);
        let (said, code) = server::refused(&[&tls[..], more, &["--token-file", &callers]].concat());
        assert_eq!(code, Some(1), "{said}");
        said
    };
    let without_ca = refused("sensor cert", &[]);
    let why = "callers: line 1: the caller needs a certificate, and this server has no client CA";
    assert!(without_ca.contains(why), "{without_ca}");
    let twice = refused("sensor cert\nsensor cert", &["--client-ca", &ca_path]);
    let why =
        "callers: line 2: the certificate's name is the same as in line 1; remove one of the lines";
    assert!(twice.contains(why), "{twice}");
}
