//! A server that keeps its topics in a folder, and its port from one life to the next.

use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};
use testkit::lines::Lines;
use testkit::process::{Process, Signal};
use testkit::server::Server;
use testkit::wait::PATIENCE;

use crate::support::server;

/// So that nothing is dropped and nobody is forgotten while a test looks on.
pub const KEEP_ALL: [&str; 8] = [
    "--retention-messages",
    "1000000000",
    "--retention-bytes",
    "1000000000000",
    "--max-topic-bytes",
    "1000000000000",
    "--max-producers",
    "1000000",
];

/// What is wrong, and what becomes of the store; not each call.
const LOG: &str = "warn,topic_log=info";

pub struct Durable {
    pub address: String,
    args: Vec<String>,
    server: Option<Server>,
    /// The longest that it took to listen.
    pub longest_start: Duration,
}

impl Durable {
    /// A server with its topics in `folder`.
    pub fn start(folder: &str, flags: &[&str]) -> Self {
        let args = [&["--data", folder], flags].concat();
        let mut durable = Self {
            address: format!("127.0.0.1:{}", port()),
            args: args.into_iter().map(str::to_owned).collect(),
            server: None,
            longest_start: Duration::ZERO,
        };
        durable.start_again();
        durable
    }

    pub fn server(&mut self) -> &mut Server {
        self.server.as_mut().expect("it runs")
    }

    pub fn start_again(&mut self) {
        let begun = Instant::now();
        let args: Vec<_> = self.args.iter().map(String::as_str).collect();
        self.server = Some(server::start_with(&self.address, &args, LOG));
        self.longest_start = self.longest_start.max(begun.elapsed());
    }

    /// Starts it and kills it after a while, whether it listens by then or not.
    pub fn start_and_kill(&mut self, after: Duration) {
        let args: Vec<_> = self.args.iter().map(String::as_str).collect();
        let (process, _, log) = server::spawn(&self.address, &args, LOG);
        thread::sleep(after);
        kill(process, log);
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        let server = self.server.take().expect("it runs");
        kill(server.process, server.log);
    }

    /// SIGTERM, which it has to obey.
    pub fn stop(&mut self) {
        let mut server = self.server.take().expect("it runs");
        server.process.signal(Signal::TERM);
        let status = server.process.wait(PATIENCE);
        let log = without_panics(server.log);
        assert_eq!(status.code(), Some(0), "{log:#?}");
    }
}

fn kill(mut process: Process, log: Lines) {
    process.kill();
    let status = process.wait(PATIENCE);
    let log = without_panics(log);
    assert_eq!(
        status.code(),
        None,
        "it was to be killed: {status}, {log:#?}"
    );
}

/// All that it said, once it has ended.
pub fn without_panics(log: Lines) -> Vec<String> {
    let log = log.rest();
    assert!(
        !log.iter().any(|line| line.contains("panicked")),
        "{log:#?}"
    );
    log
}

/// A free port that the system gives to nobody who asks for any, so that it stays free while there
/// is no server: above the privileged ones, below those that are given away.
fn port() -> u16 {
    let mut ports = std::iter::repeat_with(|| fastrand::u16(10_000..32_768));
    let free = ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    free.expect("endless")
}
