//! A server that keeps its topics in a folder. It keeps its address, too, when it is started again.

use std::thread;
use std::time::{Duration, Instant};

use testkit::lines::Lines;
use testkit::ports;
use testkit::process::Process;
use testkit::server::Server;
use testkit::wait::PATIENCE;

use crate::support::server;

/// The flags of a server that drops no message and forgets no producer during a test.
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

/// What the server logs: what is wrong and what happens to the store, and not each call.
const LOG: &str = "warn,topic_log=info";

/// A server that may be stopped, killed and started again.
pub struct Durable {
    /// Where it listens while it runs.
    pub address: String,
    args: Vec<String>,
    server: Option<Server>,
    /// The longest time that it took until it listened.
    pub longest_start: Duration,
}

impl Durable {
    /// Starts a server with its topics in `folder` and with these flags.
    pub fn start(folder: &str, flags: &[&str]) -> Self {
        let args = [&["--data", folder], flags].concat();
        let mut durable = Self {
            address: ports::free_address(),
            args: args.into_iter().map(str::to_owned).collect(),
            server: None,
            longest_start: Duration::ZERO,
        };
        durable.start_again();
        durable
    }

    /// The server. Panics when it does not run.
    pub fn server(&mut self) -> &mut Server {
        self.server.as_mut().expect("it runs")
    }

    /// Starts the server after its end.
    pub fn start_again(&mut self) {
        let begun = Instant::now();
        let args: Vec<_> = self.args.iter().map(String::as_str).collect();
        self.server = Some(server::start_with(&self.address, &args, LOG));
        self.longest_start = self.longest_start.max(begun.elapsed());
    }

    /// Starts the server and kills it after this time, whether it listens by then or not.
    pub fn start_and_kill(&mut self, after: Duration) {
        let args: Vec<_> = self.args.iter().map(String::as_str).collect();
        let (process, _, log) = server::spawn(&self.address, &args, LOG);
        thread::sleep(after);
        kill(process, log);
    }

    /// Kills the server with SIGKILL.
    pub fn kill(&mut self) {
        let server = self.server.take().expect("it runs");
        kill(server.process, server.log);
    }

    /// Stops the server with SIGTERM, after which it must exit with 0.
    pub fn stop(&mut self) {
        let mut server = self.server.take().expect("it runs");
        let status = server.stop(PATIENCE);
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
        "the server ended before it was killed: {status}, {log:#?}"
    );
}

/// All lines of a log, once the server has ended. Panics when the server has panicked.
pub fn without_panics(log: Lines) -> Vec<String> {
    let log = log.rest();
    assert!(
        !log.iter().any(|line| line.contains("panicked")),
        "{log:#?}"
    );
    log
}
