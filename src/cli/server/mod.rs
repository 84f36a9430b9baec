//! The command line of `greeter-server`.

mod limits;
mod list;
mod listen;
mod remedies;
mod topics;

use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use grpcio_serve::ServerTls;

use self::limits::LimitFlags;
use self::listen::{addresses, Addresses};
use self::topics::TopicFlags;
use super::text::print_completions;
use crate::cli::time::time;
use crate::cli::VERSION;
use crate::server::Config;
use crate::service;

pub use self::list::{ListError, ListTopics};
pub use self::remedies::in_flags;

const SECURITY: &str = "TLS and identity (the files are read again when they change)";

/// Serves the Greeter service: live streams over gRPC.
///
/// Prints `listening on ADDR` for each listener once it accepts calls. Logs a line to standard
/// error when a call starts and when it ends. With RUST_LOG=greeter_stream=debug it also logs
/// health checks and each message. SIGTERM or SIGINT ends the running calls and stops the server. A
/// second signal stops it at once.
///
/// TIME is a number with a unit: 500ms, 2s, 1m.
///
/// Exit codes: 0 stopped by a signal, 1 could not start or stopped by a second signal, 2 wrong
/// usage.
#[derive(Debug, Parser)]
#[command(
    name = "greeter-server",
    version = VERSION.as_str(),
    args_conflicts_with_subcommands = true
)]
pub struct Args {
    #[command(subcommand)]
    instead: Option<Instead>,

    /// Listen here; give it several times for several listeners. Port 0 picks a free port. :PORT,
    /// *:PORT, 0.0.0.0:PORT and [::]:PORT stand for all addresses of the machine, IPv4 and IPv6
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:50052", value_parser = addresses)]
    listen: Vec<Addresses>,

    /// The time between two messages of a stream; 0s to send as fast as the client reads
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = time)]
    tick_interval: Duration,

    /// How many messages GetStream sends; 0 to send without end
    #[arg(long, value_name = "N", default_value_t = 11)]
    ticks: u64,

    #[command(flatten)]
    topics: TopicFlags,

    /// Speak TLS and show the certificate in this file, in PEM form with its chain
    #[arg(long, value_name = "FILE", requires = "tls_key", help_heading = SECURITY)]
    tls_cert: Option<PathBuf>,

    /// The certificate's key, in PEM form without a passphrase
    #[arg(long, value_name = "FILE", requires = "tls_cert", help_heading = SECURITY)]
    tls_key: Option<PathBuf>,

    /// Accept only clients that show a certificate of a CA in this file, in PEM form; with
    /// --token-file also those that send a token
    #[arg(long, value_name = "FILE", requires = "tls_cert", help_heading = SECURITY)]
    client_ca: Option<PathBuf>,

    /// Accept only the callers in this file. A line has a NAME, the SHA-256 of a token or `cert`
    /// for a client certificate with that name, and rights on topics such as read:stocks/* or
    /// write:chat
    #[arg(long, value_name = "FILE", help_heading = SECURITY)]
    token_file: Option<PathBuf>,

    /// Listen without TLS even where other machines can connect
    #[arg(long, conflicts_with = "tls_cert", help_heading = SECURITY)]
    insecure: bool,

    #[command(flatten)]
    limits: LimitFlags,

    /// Serve channelz: the gRPC core's counters of each connection. It reveals the addresses of all
    /// clients to every caller
    #[arg(long)]
    channelz: bool,

    /// The number of completion queues, each with a thread of its own [default: one for each core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,

    /// How long running calls may take to end at shutdown
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = time)]
    grace: Duration,

    /// Print completions for this shell and exit
    #[arg(long, value_name = "SHELL")]
    completions: Option<Shell>,
}

/// Commands other than serving.
#[derive(Debug, Subcommand)]
enum Instead {
    Topics(ListTopics),
}

/// The task of the program.
#[derive(Debug)]
pub enum Task {
    /// Serve with this configuration.
    Serve(Box<Config>),
    /// List the topics in a folder.
    ListTopics(ListTopics),
}

impl Args {
    /// Parses the flags of this process. Exits the process if they are wrong, or if they ask for
    /// help, the version or completions.
    pub fn of_process() -> Self {
        let args = Self::parse();
        if let Some(shell) = args.completions {
            print_completions(shell, &mut Self::command());
        }
        if let Err(e) = args.limits.limits().check() {
            let why = remedies::limit_in_flags(&e);
            Self::command()
                .error(ErrorKind::ValueValidation, why)
                .exit();
        }
        args
    }

    /// The task that the flags ask for.
    pub fn task(self) -> Task {
        match self.instead {
            Some(Instead::Topics(list)) => Task::ListTopics(list),
            None => Task::Serve(Box::new(self.config())),
        }
    }

    fn config(self) -> Config {
        let mut listen: Vec<_> = self.listen.into_iter().flat_map(|a| a.0).collect();
        // `localhost` may resolve to the same address twice. Several listeners on port 0 are
        // different.
        listen.dedup_by(|a, b| a == b && a.port() != 0);
        let tls = self.tls_cert.zip(self.tls_key);
        let default = grpcio_serve::Config::default();
        Config {
            serve: grpcio_serve::Config {
                listen,
                tls: tls.map(|(certificate, key)| ServerTls {
                    certificate,
                    key,
                    client_ca: self.client_ca,
                }),
                insecure: self.insecure,
                token_file: self.token_file,
                limits: self.limits.limits(),
                channelz: self.channelz,
                threads: self.threads.map_or(default.threads, usize::from),
                grace: self.grace,
            },
            service: service::Config {
                tick_interval: self.tick_interval,
                ticks: self.ticks,
            },
            topics: self.topics.topics(),
        }
    }
}
