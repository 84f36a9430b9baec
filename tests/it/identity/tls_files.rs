//! The files of TLS: a server reads them again when they change, and an error names a file that cannot
//! be used.

use std::net::TcpStream;

use futures::stream;
use grpcio_streams::Status;
use openssl::nid::Nid;
use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode};
use testkit::certificates::{ec_key, Certificate, Wanted};
use testkit::folder::Folder;
use testkit::wait::{next, soon, PATIENCE};

use crate::support::secured::{by_program, library, trusting};
use crate::support::server::{self, refused};

/// The common name in the certificate that a server presents.
fn shown(address: &str) -> String {
    let mut connector = SslConnector::builder(SslMethod::tls()).expect("TLS");
    connector.set_verify(SslVerifyMode::NONE);
    let socket = TcpStream::connect(address).expect("listens");
    socket.set_read_timeout(Some(PATIENCE)).expect("a limit");
    let connected = connector.build().connect("localhost", socket).expect("TLS");
    let certificate = connected.ssl().peer_certificate().expect("a certificate");
    let mut names = certificate.subject_name().entries_by_nid(Nid::COMMONNAME);
    let name = names.next().expect("a name").data().to_string();
    name.expect("a text")
}

#[test]
fn new_files_are_for_new_connections_and_broken_ones_for_none() {
    let folder = Folder::new();
    let ca = Certificate::ca("ca");
    let (certificate, key) = folder.write_pair("server", &ca.sign_server("one"));
    let ca_path = folder.write("ca.crt", ca.pem());
    let mut server = server::start(&[
        "--tls-cert",
        &certificate,
        "--tls-key",
        &key,
        "--ticks",
        "0",
        "--tick-interval",
        "10ms",
    ]);
    let old_client = library(&server.address, trusting(&folder));
    let mut ticks = old_client.get("a").expect("starts");
    next("tick", &mut ticks);
    assert_eq!(shown(&server.address), "one");

    let two = ca.sign_server("two");
    let cut = &two.pem()[..300];
    let odd_address = openssl::x509::X509Extension::new_from_der(
        // An IP address (choice 7) of 5 bytes, in a sequence.
        &openssl::asn1::Asn1Object::from_str("2.5.29.17").expect("its number"),
        false,
        &openssl::asn1::Asn1OctetString::new_from_bytes(b"\x30\x07\x87\x05abcde").expect("bytes"),
    );
    let odd = ca.sign(Wanted {
        name: "odd",
        extension: Some(odd_address.expect("an extension")),
        ..Wanted::default()
    });
    let no_clients = ca.sign_key(ec_key(Nid::SECP256K1), Wanted::default());
    let broken: [(&str, Vec<u8>, Vec<u8>, &str); 8] = [
        (
            "another's",
            two.pem(),
            Certificate::ca("x").key_pem(),
            "server.key: is not the key of the certificate in ",
        ),
        (
            "half written",
            cut.to_vec(),
            two.key_pem(),
            "server.crt: has a certificate that cannot be read (",
        ),
        (
            "empty",
            Vec::new(),
            two.key_pem(),
            "server.crt: has no certificate in PEM form",
        ),
        (
            "a NUL",
            [&two.pem()[..], b"\0"].concat(),
            two.key_pem(),
            "server.crt: has a NUL byte",
        ),
        (
            "a NUL in the key",
            two.pem(),
            b"\0".to_vec(),
            "server.key: has a NUL byte",
        ),
        (
            "a passphrase",
            two.pem(),
            two.encrypted_key_pem(),
            "server.key: has no private key in PEM form, or one with a passphrase",
        ),
        (
            "a name to end the process",
            odd.pem(),
            odd.key_pem(),
            "server.crt: has a certificate with a malformed name",
        ),
        (
            "a key that no client supports",
            no_clients.pem(),
            no_clients.key_pem(),
            "server.crt: has a certificate that no client can use (no shared cipher): its key is EC on \
             secp256k1",
        ),
    ];
    for (what, certificate, key, why) in &broken {
        folder.write("server.crt", certificate);
        folder.write("server.key", key);
        server
            .log
            .wait_for_all(PATIENCE, &[why, "; the previous contents stay in force"]);
        assert_eq!(shown(&server.address), "one", "{what}");
        next("tick", &mut ticks);
    }
    std::fs::remove_file(&key).expect("removed");
    server
        .log
        .wait_for_all(PATIENCE, &["server.key: cannot be read: "]);
    assert_eq!(shown(&server.address), "one");

    folder.write_pair("server", &two);
    server
        .log
        .wait_for_all(PATIENCE, &["reloaded after a change: ", "server.crt"]);
    assert_eq!(shown(&server.address), "two");
    let mut new_ticks = library(&server.address, trusting(&folder))
        .get("a")
        .expect("starts");
    next("tick", &mut new_ticks);
    next("tick", &mut ticks);
    // This call is on the old connection.
    soon(
        "answer",
        old_client.put(stream::iter([] as [Result<_, Status>; 0])),
    )
    .expect("OK");
    assert_eq!(
        by_program(&server.address, &["--tls", "--ca", &ca_path, "put"]).2,
        Some(0)
    );

    let lines = server.log.so_far();
    let errors = lines.iter().filter(|line| line.contains("stay in force"));
    assert_eq!(errors.count(), broken.len() + 1, "each once: {lines:#?}");
}

#[test]
fn files_of_no_use_are_named_at_the_start() {
    let folder = Folder::new();
    let ca = Certificate::ca("ca");
    let (certificate, key) = folder.write_pair("server", &ca.sign_server("one"));
    let missing = folder.path("missing");
    let empty = folder.write("empty", "");
    let letters = folder.write(
        "letters",
        "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----\n",
    );
    let (_, other_key) = folder.write_pair("other", &ca);
    for (files, why) in [
        (
            [&missing, &key, &certificate],
            "missing: cannot be read: No such file or directory",
        ),
        (
            [&certificate, &missing, &certificate],
            "missing: cannot be read: No such file or directory",
        ),
        (
            [&certificate, &key, &missing],
            "missing: cannot be read: No such file or directory",
        ),
        (
            [&key, &key, &certificate],
            "server.key: has no certificate in PEM form",
        ),
        (
            [&certificate, &certificate, &certificate],
            "server.crt: has no private key in PEM form",
        ),
        (
            [&certificate, &other_key, &certificate],
            "other.key: is not the key of the certificate in ",
        ),
        (
            [&certificate, &key, &empty],
            "empty: has no certificate in PEM form",
        ),
        (
            [&certificate, &key, &letters],
            "letters: has a certificate that cannot be read (",
        ),
        (
            [&letters, &key, &certificate],
            "letters: has a certificate that cannot be read (",
        ),
    ] {
        let [certificate, key, ca] = files;
        let args = [
            "--listen",
            "127.0.0.1:0",
            "--tls-cert",
            certificate,
            "--tls-key",
            key,
        ];
        let (said, code) = refused(&[&args[..], &["--client-ca", ca]].concat());
        assert!(
            said.lines()
                .last()
                .is_some_and(|line| line.starts_with("greeter-server: ")),
            "{said}"
        );
        assert!(code == Some(1) && said.contains(why), "{said}");
        // The client says the same about its own files.
        let tls = [
            "--tls",
            "--ca",
            ca,
            "--cert",
            certificate,
            "--key",
            key,
            "get",
            "a",
        ];
        let (_, said, code) = by_program("127.0.0.1:1", &tls);
        assert!(code == Some(1) && said.contains(why), "{said}");
    }
    for (args, why) in [
        (&["--tls-cert", &*certificate][..], "--tls-key"),
        (&["--tls-key", &*key], "--tls-cert"),
        (&["--client-ca", &*certificate], "--tls-cert"),
        (
            &[
                "--tls-cert",
                &*certificate,
                "--tls-key",
                &*key,
                "--insecure",
            ],
            "--insecure",
        ),
    ] {
        let (said, code) = refused(args);
        assert!(code == Some(2) && said.contains(why), "{said}");
    }
    for (args, why) in [
        (&["--ca", &*certificate][..], "--ca goes with --tls only"),
        (
            &["--server-name", "a"],
            "--server-name goes with --tls only",
        ),
        (
            &["--tls", "--cert", &*certificate],
            "--cert goes with --key only",
        ),
        (&["--tls", "--key", &*key], "--key goes with --cert only"),
    ] {
        let (_, said, code) = by_program("127.0.0.1:1", &[args, &["get", "a"]].concat());
        assert!(code == Some(2) && said.contains(why), "{said}");
    }
}
