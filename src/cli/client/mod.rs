//! The command line of `greeter-client`: its flags and its commands, which use the typed client.

mod all;
mod bench;
mod console;
mod crash;
mod demo;
mod editor;
mod failure;
mod get;
mod hints;
mod input;
mod output;
mod prompt;
mod put;
mod queue;
mod resume;
mod screen;
mod security;

use std::io;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use self::queue::on_one_queue;
use self::security::Security;
use super::text::print_completions;
use crate::cli::time::time;
use crate::client::{address, AddressError, Balance, Config};

pub use crash::end_at_panics;
pub use failure::Failure;
pub use input::InputError;

/// Calls the Greeter service: live streams over gRPC.
///
/// TIME is a number with a unit: 500ms, 2s, 1m.
///
/// Exit codes: 0 OK, 1 the call failed (its status is on standard error) or a file could not be
/// read or written, 2 wrong usage, 101 a mistake in the program, 130 Ctrl-C. Closing the output early
/// is not an error.
#[derive(Debug, Parser)]
#[command(name = "greeter-client", version)]
pub struct Args {
    /// Call this server: HOST:PORT, which may be given several times; or a single gRPC target such
    /// as dns:///HOST:PORT or unix:/PATH
    #[arg(
        long,
        global = true,
        value_name = "ADDR",
        env = "GREETER_SERVER",
        default_value = "127.0.0.1:50052",
        value_parser = address
    )]
    server: Vec<String>,

    /// How calls are distributed over several servers, or over the addresses of one name
    #[arg(
        long,
        global = true,
        value_name = "POLICY",
        default_value = "pick-first"
    )]
    lb: Lb,

    /// End each call with DEADLINE_EXCEEDED after this time; the time of --wait counts
    #[arg(long, global = true, value_name = "TIME", value_parser = time)]
    timeout: Option<Duration>,

    /// Wait for a server that is not up yet, instead of failing with UNAVAILABLE
    #[arg(long, global = true)]
    wait: bool,

    /// Ping a server that is silent for this time while calls run; at least 10s, 0s for never. A
    /// server that allows only fewer pings ends the connection
    #[arg(long, global = true, value_name = "TIME", default_value = "30s", value_parser = time)]
    keepalive: Duration,

    /// Print completions for this shell and exit
    #[arg(long, value_name = "SHELL")]
    completions: Option<Shell>,

    #[command(flatten)]
    security: Security,

    #[command(subcommand)]
    command: Option<Command>,
}

impl Args {
    /// Parses the flags of this process. Exits the process if they are wrong, or if they ask for
    /// help, the version or completions.
    pub fn of_process() -> Self {
        let args = Self::parse();
        if let Some(shell) = args.completions {
            print_completions(shell, &mut Self::command());
        }
        let wrong = |kind, why: String| Self::command().error(kind, why).exit();
        let servers = Config {
            servers: args.server.clone(),
            ..Config::default()
        };
        if let Err(why) = servers.check() {
            wrong(ErrorKind::ValueValidation, failure::in_flags(&why));
        }
        if let Err(why) = args.security.check() {
            wrong(ErrorKind::MissingRequiredArgument, why);
        }
        args
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Lb {
    /// The first server that can be reached
    PickFirst,
    /// Each server in turn; not for topics, unless the servers share them
    RoundRobin,
    /// The servers that a balancer names. For dns:///NAME:PORT the DNS record SRV _grpclb._tcp.NAME
    /// names the balancer
    Grpclb,
}

impl From<Lb> for Balance {
    fn from(lb: Lb) -> Self {
        match lb {
            Lb::PickFirst => Self::PickFirst,
            Lb::RoundRobin => Self::RoundRobin,
            Lb::Grpclb => Self::Grpclb,
        }
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make the three calls of the original client, one after the other
    Demo(demo::Args),
    /// GetStream: print the server's messages, one per line
    Get(get::Args),
    /// PutStream: send the lines of a file or of standard input as messages, and print the answer
    Put(put::Args),
    /// AllStream: send the lines of standard input and print the server's messages; with --topic a
    /// conversation
    All(all::Args),
    /// Put load on a server with topics, and measure it
    Bench(bench::Args),
}

fn address(text: &str) -> Result<String, AddressError> {
    address::check(text).map(|()| text.to_owned())
}

/// Runs the command of the command line. Blocks until it ends.
///
/// # Errors
///
/// See [`Failure`].
pub fn run(args: Args) -> Result<(), Failure> {
    let Some(wanted) = args.command else {
        let missing = "a command is missing: demo, get, put, all or bench";
        let error = Args::command().error(ErrorKind::MissingSubcommand, missing);
        error.exit()
    };
    let config = Config {
        servers: args.server,
        balance: args.lb.into(),
        timeout: args.timeout,
        keepalive: (!args.keepalive.is_zero()).then_some(args.keepalive),
        wait: args.wait,
        tls: args.security.tls()?,
        token: args.security.token()?,
    };
    let done = match wanted {
        Command::Demo(args) => on_one_queue(config.clone(), |client| demo::run(client, args)),
        Command::Get(args) => on_one_queue(config.clone(), |client| get::run(client, args)),
        Command::Put(args) => on_one_queue(config.clone(), |client| put::run(client, args)),
        Command::All(args) => on_one_queue(config.clone(), |client| all::run(client, args)),
        Command::Bench(args) => bench::run(&config, args),
    };
    match done {
        Err(Failure::Output(e)) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(Failure::Call(status)) => Err(Failure::Call(hints::explained(&status, &config))),
        done => done,
    }
}
