//! Servers that speak TLS, and their clients.

use std::path::Path;
use std::time::Instant;

use greeter_stream::client::{Client, ClientTls, Config};
use testkit::certificates::Certificate;
use testkit::folder::Folder;
use testkit::process::{run, text};
use testkit::server::Server;
use testkit::wait::PATIENCE;

use crate::support::program::client as program;
use crate::support::{client_with, server};

/// A server for clients that trust `ca.crt`. With `mutual` it takes only those whose certificate
/// `clients.crt` has signed.
pub fn server(folder: &Folder, ca: &Certificate, mutual: bool) -> Server {
    let (certificate, key) = folder.write_pair("server", &ca.sign_server("one"));
    folder.write("ca.crt", ca.pem());
    let clients = folder.write("clients.crt", ca.pem());
    let mut args = vec!["--tls-cert", &certificate, "--tls-key", &key];
    args.extend(["--ticks", "1", "--tick-interval", "1ms"]);
    if mutual {
        args.extend(["--client-ca", &clients]);
    }
    server::start(&args)
}

/// The typed client of the server at `address`.
pub fn library(address: &str, tls: ClientTls) -> Client {
    client_with(Config {
        servers: vec![address.to_owned()],
        timeout: Some(PATIENCE),
        tls: Some(tls),
        ..Config::default()
    })
}

/// Trusts `ca.crt` of the folder.
pub fn trusting(folder: &Folder) -> ClientTls {
    let ca = folder.path("ca.crt");
    ClientTls::new().ca(Path::new(&ca)).expect("a CA")
}

/// Runs `greeter-client`; its standard output, its standard error and its exit code.
pub fn by_program(address: &str, args: &[&str]) -> (String, String, Option<i32>) {
    let output = run(&mut program(address, args), b"a\nb\n");
    let texts = (text(&output.stdout), text(&output.stderr));
    (texts.0.to_owned(), texts.1.to_owned(), output.status.code())
}

/// Runs `greeter-client get`, which must fail soon because the server does what `why` says.
pub fn fails(address: &str, args: &[&str], why: &str) {
    let begun = Instant::now();
    let (out, said, code) = by_program(address, &[args, &["get", "a"]].concat());
    assert_eq!((&*out, code), ("", Some(1)), "{said}");
    let expected = format!("greeter-client: UNAVAILABLE: the server{why} (server {address})\n");
    assert_eq!(said, expected, "{args:?}");
    assert!(begun.elapsed() < PATIENCE / 4, "{args:?}");
}
