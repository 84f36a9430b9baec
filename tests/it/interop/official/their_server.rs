//! The server of grpc-go.

use testkit::environment::tool;
use testkit::lines::Lines;
use testkit::process::Process;
use testkit::wait::PATIENCE;

use super::certificates::Certificates;

/// A running server. It is killed when this is dropped.
pub struct TheirServer {
    pub address: String,
    _process: Process,
    /// The program ends when nobody reads its log any more.
    _log: Lines,
}

impl TheirServer {
    /// Starts it on a free port, with TLS if there are certificates.
    pub fn start(tls: Option<&Certificates>) -> Self {
        let mut server = tool("GREETER_TEST_INTEROP_SERVER");
        server.env("GRPC_GO_LOG_SEVERITY_LEVEL", "info");
        server.arg("--port=0");
        if let Some(tls) = tls {
            server.args(["--use_tls", "--tls_cert_file", &tls.certificate]);
            server.args(["--tls_key_file", &tls.key]);
        }
        let mut process = Process::start(&mut server);
        let mut log = process.error_lines();
        let line = log.wait_for_all(PATIENCE, &["interop server listening on "]);
        let (_, port) = line.rsplit_once(':').expect("an address");
        Self {
            address: format!("127.0.0.1:{port}"),
            _process: process,
            _log: log,
        }
    }
}
