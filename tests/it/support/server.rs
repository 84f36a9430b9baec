//! The program `greeter-server`.

use std::process::Command;

use testkit::lines::Lines;
use testkit::moved_clock::MovedClock;
use testkit::process::{command, run, text, Process};
use testkit::server::{Refusal, Server};
use testkit::wait::PATIENCE;

/// Its path.
pub const SERVER: &str = env!("CARGO_BIN_EXE_greeter-server");

/// A server on a free port that logs each message.
pub fn start(args: &[&str]) -> Server {
    start_at("127.0.0.1:0", args)
}

/// A server on a free port that logs its calls, and not each message.
pub fn start_quiet(args: &[&str]) -> Server {
    start_with("127.0.0.1:0", args, "greeter_stream=info")
}

/// A server at this address that logs each message.
pub fn start_at(listen: &str, args: &[&str]) -> Server {
    start_with(listen, args, "greeter_stream=debug")
}

/// A server on a free port with this clock. It logs warnings only.
pub fn start_with_clock(clock: &MovedClock, args: &[&str]) -> Server {
    let mut program = program("127.0.0.1:0", args, "warn");
    let started = Server::start(clock.apply(&mut program), PATIENCE);
    started.unwrap_or_else(|refusal| panic!("{refusal}"))
}

/// A server at this address that logs what `log` says, which is a value of `RUST_LOG`.
pub fn start_with(listen: &str, args: &[&str], log: &str) -> Server {
    try_start(listen, args, log).unwrap_or_else(|refusal| panic!("{refusal}"))
}

/// The same, or how it ends instead.
pub fn try_start(listen: &str, args: &[&str], log: &str) -> Result<Server, Refusal> {
    Server::start(&mut program(listen, args, log), PATIENCE)
}

/// The same without waiting until it listens: the process, and the lines of its standard output and
/// of its log.
pub fn spawn(listen: &str, args: &[&str], log: &str) -> (Process, Lines, Lines) {
    Server::spawn(&mut program(listen, args, log))
}

fn program(listen: &str, args: &[&str], log: &str) -> Command {
    let mut server = command(SERVER);
    server.args(["--listen", listen]).args(args);
    server.env("RUST_LOG", log);
    server
}

/// Runs a server that does not start; its standard error and its exit code.
pub fn refused(args: &[&str]) -> (String, Option<i32>) {
    let output = run(command(SERVER).args(args).env_remove("RUST_LOG"), b"");
    (text(&output.stderr).to_owned(), output.status.code())
}
