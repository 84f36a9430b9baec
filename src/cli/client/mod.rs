//! The command line of `greeter-client`: its flags and its commands, which use the typed client.

mod all;
mod bench;
mod connection;
mod console;
mod crash;
mod demo;
mod editor;
mod failure;
mod field;
mod form;
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
mod tally;
mod topic_field;

use std::io;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use self::connection::Connection;
use self::queue::on_one_queue;
use self::security::Security;
use super::text::print_completions;
use super::VERSION;

pub use crash::end_at_panics;
pub use failure::Failure;
pub use field::FieldError;
pub use form::FormError;
pub use input::{InputError, LineError};

/// Calls the Greeter service: live streams over gRPC.
///
/// TIME is a number with a unit: 500ms, 2s, 1m.
///
/// Exit codes: 0 OK, 1 the call failed (its status is on standard error) or a file could not be
/// read or written, 2 wrong usage, 101 a bug in the program, 130 Ctrl-C. Closing the output early
/// is not an error.
#[derive(Debug, Parser)]
#[command(name = "greeter-client", version = VERSION.as_str())]
pub struct Args {
    /// Print completions for this shell and exit
    #[arg(long, value_name = "SHELL")]
    completions: Option<Shell>,

    #[command(flatten)]
    connection: Connection,

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
        if let Err(why) = args.connection.check() {
            wrong(ErrorKind::ValueValidation, why);
        }
        if let Err(why) = args.security.check() {
            wrong(ErrorKind::MissingRequiredArgument, why);
        }
        if let Some(Command::Bench(bench)) = &args.command {
            if let Err(why) = bench.check(args.connection.max_message_bytes) {
                wrong(ErrorKind::ValueValidation, why);
            }
        }
        args
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
    let config = args.connection.secured(&args.security)?;
    let (wait, connection) = (args.connection.wait, config.clone());
    let done = match wanted {
        Command::Demo(args) => on_one_queue(connection, wait, |client| demo::run(client, args)),
        Command::Get(args) => on_one_queue(connection, wait, |client| get::run(client, args)),
        Command::Put(args) => on_one_queue(connection, wait, |client| put::run(client, args)),
        Command::All(args) => on_one_queue(connection, wait, |client| all::run(client, args)),
        Command::Bench(args) => bench::run(&config, wait, args),
    };
    match done {
        Err(Failure::Output(e)) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(Failure::Call(status)) => Err(Failure::Call(hints::explained(&status, &config))),
        done => done,
    }
}
