//! Envoy in front of a server, with the configuration of `deploy/envoy.yaml`.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Stdio;

use grpcio::{ChannelBuilder, ChannelCredentialsBuilder};
use grpcio_streams::Queues;
use openssl::ssl::{SslConnector, SslMethod, SslStream};
use testkit::certificates::Certificate;
use testkit::environment::tool;
use testkit::folder::Folder;
use testkit::process::{run, text, Process};
use testkit::wait::PATIENCE;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/envoy.yaml");

/// A running Envoy.
pub struct Edge {
    /// Where clients connect to.
    pub address: String,
    _process: Process,
}

impl Edge {
    /// Starts Envoy in front of the server at `server`, which speaks TLS if it is `secured`. The folder
    /// must have [the files](files).
    pub fn start(folder: &Folder, server: &str, secured: bool) -> Self {
        let (path, at) = (configure(folder, server, secured), folder.path("admin"));
        let mut envoy = tool("GREETER_TEST_ENVOY");
        // With one thread all clients share a connection to the server.
        envoy.args(["-c", &path, "--concurrency", "1", "--disable-hot-restart"]);
        envoy
            .args(["--admin-address-path", &at])
            .stdin(Stdio::null());
        let mut process = Process::start(envoy.stdout(Stdio::null()));
        let mut log = process.error_lines();
        log.wait_for_all(PATIENCE, &["starting workers"]);
        let admin = fs::read_to_string(at).expect("where Envoy says it is");
        Self {
            address: address(&admin),
            _process: process,
        }
    }

    /// The binding's own client, connected to Envoy.
    pub fn client(&self, folder: &Folder) -> grpcio::Client {
        let ca = fs::read(folder.path("ca.crt")).expect("a CA");
        let credentials = ChannelCredentialsBuilder::new().root_cert(ca).build();
        let builder = ChannelBuilder::new(Queues::start("test", 1).env());
        grpcio::Client::new(builder.set_credentials(credentials).connect(&self.address))
    }

    /// A TLS connection to Envoy on which a test can send anything. `protocol` is what ALPN offers.
    pub fn connect(&self, folder: &Folder, protocol: &[u8]) -> SslStream<TcpStream> {
        let socket = TcpStream::connect(&self.address).expect("listens");
        socket.set_read_timeout(Some(PATIENCE)).expect("a limit");
        socket.set_write_timeout(Some(PATIENCE)).expect("a limit");
        let mut tls = SslConnector::builder(SslMethod::tls_client()).expect("OpenSSL");
        tls.set_ca_file(folder.path("ca.crt")).expect("a CA");
        tls.set_alpn_protos(protocol).expect("a protocol");
        let connected = tls.build().connect("localhost", socket);
        connected.expect("a handshake")
    }
}

/// A folder with Envoy's certificate, and the CA that clients and Envoy trust.
pub fn files() -> (Folder, Certificate) {
    let (folder, ca) = (Folder::new(), Certificate::ca("ca"));
    folder.write("ca.crt", ca.pem());
    folder.write_pair("edge", &ca.sign_server("edge"));
    (folder, ca)
}

/// Whether `--mode validate` accepts the file, and what it says.
pub fn validate(folder: &Folder, secured: bool) -> (bool, String) {
    let path = configure(folder, "localhost:50052", secured);
    let mut envoy = tool("GREETER_TEST_ENVOY");
    let output = run(envoy.args(["--mode", "validate", "-c", &path]), b"");
    let said = text(&output.stdout).to_owned() + text(&output.stderr);
    (output.status.success(), said)
}

/// Writes the file with the addresses, ports and certificates of this test; its path.
fn configure(folder: &Folder, server: &str, secured: bool) -> String {
    let (host, port) = server.rsplit_once(':').expect("a port");
    let files = folder.path("");
    let mut configuration = fs::read_to_string(FILE).expect("deploy/envoy.yaml");
    for (theirs, ours) in [
        ("0.0.0.0, port_value: 443 ", "127.0.0.1, port_value: 0 "),
        ("port_value: 9901 ", "port_value: 0 "),
        (
            "127.0.0.1, port_value: 50052 ",
            &format!("{host}, port_value: {port} "),
        ),
        ("/etc/greeter/", &files),
    ] {
        assert!(configuration.contains(theirs), "{theirs}");
        configuration = configuration.replace(theirs, ours);
    }
    if secured {
        // These lines are comments in the file.
        assert!(configuration.contains("\n#    transport_socket:"), "TLS");
        configuration = configuration.replace("\n#    ", "\n    ");
    }
    folder.write("envoy.yaml", configuration)
}

/// Where the listener for clients is, as the admin interface says.
fn address(admin: &str) -> String {
    let mut socket = TcpStream::connect(admin.trim()).expect("listens");
    socket.set_read_timeout(Some(PATIENCE)).expect("a limit");
    let request = "GET /listeners HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    socket.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("an answer");
    let found = answer.lines().find_map(|line| line.strip_prefix("edge::"));
    found.expect("a listener").to_owned()
}
