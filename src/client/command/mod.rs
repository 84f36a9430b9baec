//! The client's command line: what each command does with the typed client.

mod all;
mod bench;
mod console;
mod demo;
mod get;
mod input;
mod output;
mod prompt;
mod put;
mod resume;
mod security;

use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::io::{self, Write};
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use futures::future::{self, Either, Future};

use self::security::Security;
use super::{tls, Balance, Client, Config, FileError, SubscribeError, TokenError};
use grpcio_streams::{Queues, Status};

pub use input::InputError;

/// After so long it is said that the server is waited for.
const SILENT_WAIT: Duration = Duration::from_secs(1);

/// How long the client's thread may take to stop once the command is done.
const THREAD_STOPS_WITHIN: Duration = Duration::from_secs(1);

/// Calls the Greeter service: live streams over gRPC.
///
/// TIME is a number with a unit: 500ms, 2s, 1m.
///
/// Exit codes: 0 OK, 1 the call failed (its status is on standard error) or a file could not be
/// read or written, 2 wrong usage, 130 Ctrl-C. A program that reads the output may close it early.
#[derive(Debug, Parser)]
#[command(name = "greeter-client", version)]
pub struct Args {
    /// Call this server: HOST:PORT, several times in a row for several servers; or once a gRPC
    /// target such as dns:///HOST:PORT or unix:/PATH
    #[arg(
        long,
        global = true,
        value_name = "ADDR",
        env = "GREETER_SERVER",
        default_value = "127.0.0.1:50052",
        value_parser = address
    )]
    server: Vec<String>,

    /// Which of several servers, or of a name's several addresses, a call goes to
    #[arg(
        long,
        global = true,
        value_name = "POLICY",
        default_value = "pick-first"
    )]
    lb: Lb,

    /// End each call after this time, with DEADLINE_EXCEEDED; waiting counts
    #[arg(long, global = true, value_name = "TIME", value_parser = humantime::parse_duration)]
    timeout: Option<Duration>,

    /// Wait for a server that is not up yet, instead of failing with UNAVAILABLE
    #[arg(long, global = true)]
    wait: bool,

    /// Ask a server that is silent for so long for a sign of life, while calls run; at least 10s,
    /// 0s for never. Servers that do not allow it so often end the connection
    #[arg(long, global = true, value_name = "TIME", default_value = "30s", value_parser = humantime::parse_duration)]
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
    /// The flags of this process. Does not return where they are wrong, or ask for a text.
    pub fn of_process() -> Self {
        let args = Self::parse();
        if let Some(shell) = args.completions {
            crate::text::print_completions(shell, &mut Self::command());
        }
        let wrong = |kind, why| Self::command().error(kind, why).exit();
        if let Err(why) = super::address::check_all(&args.server) {
            wrong(ErrorKind::ValueValidation, why);
        }
        if let Err(why) = args.security.check() {
            wrong(ErrorKind::MissingRequiredArgument, why);
        }
        args
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Lb {
    /// The first that can be reached
    PickFirst,
    /// Each in turn; not for topics, unless the servers share them
    RoundRobin,
    /// Those that a balancer names, which DNS names for dns:///NAME:PORT: SRV _grpclb._tcp.NAME
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
    /// GetStream: print what the server streams, a message a line
    Get(get::Args),
    /// PutStream: send a file or standard input, a line a message, and print the answer
    Put(put::Args),
    /// AllStream: send the lines of standard input, print what arrives; with --topic a conversation
    All(all::Args),
    /// Put load on a server with topics, and measure it
    Bench(bench::Args),
}

/// Why a command failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Failure {
    /// The call did not end with OK.
    Call(Status),
    /// A file that a flag names is of no use.
    File(FileError),
    /// The token in the environment is none.
    Token(TokenError),
    /// The messages to send could not be read.
    Input(InputError),
    /// The output could not be written. A closed pipe is no failure.
    Output(io::Error),
    /// Everything worked but for messages that are lost.
    Lost(String),
    /// Somebody typed Ctrl-C at a prompt.
    Interrupted,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(status) => grpcio_streams::escaped(&status.to_string()).fmt(f),
            Self::File(e) => e.fmt(f),
            Self::Token(e) => write!(f, "the environment's GREETER_TOKEN {e}"),
            Self::Input(e) => e.fmt(f),
            Self::Output(e) => write!(f, "cannot write the output: {e}"),
            Self::Lost(why) => write!(f, "messages were lost; the last time: {why}"),
            Self::Interrupted => f.write_str("interrupted"),
        }
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Call(e) => Some(e),
            Self::File(e) => Some(e),
            Self::Token(e) => Some(e),
            Self::Input(e) => Some(e),
            Self::Output(e) => Some(e),
            Self::Lost(_) | Self::Interrupted => None,
        }
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Self::Call(status)
    }
}

impl From<FileError> for Failure {
    fn from(e: FileError) -> Self {
        Self::File(e)
    }
}

impl From<TokenError> for Failure {
    fn from(e: TokenError) -> Self {
        Self::Token(e)
    }
}

impl From<SubscribeError> for Failure {
    fn from(e: SubscribeError) -> Self {
        match e {
            SubscribeError::Ended(status) => Self::Call(status),
            loss => Self::Lost(loss.to_string()),
        }
    }
}

impl From<InputError> for Failure {
    fn from(e: InputError) -> Self {
        match e {
            InputError::Interrupted => Self::Interrupted,
            e => Self::Input(e),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(e: io::Error) -> Self {
        Self::Output(e)
    }
}

fn address(text: &str) -> Result<String, String> {
    super::address::check(text).map(|()| text.to_owned())
}

/// Does what the command line asks for. Blocks until it is done.
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
    let (server, tls) = (config.servers.join(", "), config.tls.clone());
    let done = match wanted {
        Command::Demo(args) => on_one_queue(config, |client| demo::run(client, args)),
        Command::Get(args) => on_one_queue(config, |client| get::run(client, args)),
        Command::Put(args) => on_one_queue(config, |client| put::run(client, args)),
        Command::All(args) => on_one_queue(config, |client| all::run(client, args)),
        Command::Bench(args) => bench::run(&config, args),
    };
    match done {
        Err(Failure::Output(e)) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(Failure::Call(status)) => {
            let why = match tls::explain(&status, tls.as_ref()) {
                Some(why) => format!("{why} (server {server})"),
                None => format!("{} (server {server})", status.message()),
            };
            Err(Failure::Call(Status::new(status.code(), why)))
        }
        done => done,
    }
}

/// Runs a command on the thread of a completion queue.
fn on_one_queue<F>(config: Config, command: impl FnOnce(Client) -> F) -> Result<(), Failure>
where
    F: Future<Output = Result<(), Failure>> + Send + 'static,
{
    let queues = Queues::start("queue", 1);
    let client = Client::new(&queues, config)?;
    let done = client.run(unless_silent(client.clone(), command(client.clone())));
    drop(client);
    if !queues.stop(THREAD_STOPS_WITHIN) {
        log::warn!("a call is still running");
    }
    done
}

/// Does what is to be done, and says if the server is waited for.
async fn unless_silent(
    client: Client,
    command: impl Future<Output = Result<(), Failure>>,
) -> Result<(), Failure> {
    let notice = async {
        if client.config.wait && !client.connected(SILENT_WAIT).await {
            // Standard error may be closed.
            let _ = writeln!(
                io::stderr(),
                "waiting for {}",
                client.config.servers.join(", ")
            );
        }
        future::pending::<Infallible>().await
    };
    futures::pin_mut!(command, notice);
    match future::select(command, notice).await {
        Either::Left((done, _)) => done,
        Either::Right((never, _)) => match never {},
    }
}
