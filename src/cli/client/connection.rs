//! The flags of the connection to the servers.

use std::time::Duration;

use clap::ValueEnum;
use grpcio_streams::{MAX_MESSAGE_BYTES, MAX_METADATA_BYTES};

use super::failure::{in_flags, Failure};
use super::security::Security;
use crate::cli::environment::variable;
use crate::cli::metadata_bytes::metadata_bytes;
use crate::cli::time::time;
use crate::client::calls::MIN_KEEPALIVE;
use crate::client::{address, AddressError, Balance, Config, ConfigError};

/// The environment variable that may have the address of a server.
const VARIABLE: &str = "GREETER_SERVER";

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Connection")]
pub(super) struct Connection {
    /// Call this server: HOST:PORT, which may be given several times; :PORT for this machine; or a
    /// single gRPC target such as dns:///HOST:PORT or unix:/PATH [env: GREETER_SERVER] [default:
    /// 127.0.0.1:50052]
    #[arg(long, global = true, value_name = "ADDR", value_parser = server)]
    server: Vec<String>,

    /// How calls are distributed over several servers, or over the addresses of one name
    #[arg(
        long,
        global = true,
        value_name = "POLICY",
        default_value = "pick-first"
    )]
    lb: Lb,

    /// End each call with DEADLINE_EXCEEDED after this time. It also limits how long --wait waits,
    /// and how long a command with a topic tries again without an answer
    #[arg(long, global = true, value_name = "TIME", value_parser = time)]
    timeout: Option<Duration>,

    /// Wait until the server is reached, and say why it is not. Without this flag a call without a
    /// topic fails with UNAVAILABLE. Commands with a topic try again in any case, unless --no-resume
    /// is given
    #[arg(long, global = true)]
    pub(super) wait: bool,

    /// Ping a server that is silent for this time while calls run; at least 10s, 0s for never. A
    /// server that allows only fewer pings ends the connection
    #[arg(long, global = true, value_name = "TIME", default_value = "30s", value_parser = keepalive)]
    keepalive: Duration,

    /// The longest message to receive or to send, as encoded; a call with a longer one ends with
    /// RESOURCE_EXHAUSTED
    #[arg(long, global = true, value_name = "BYTES", default_value_t = MAX_MESSAGE_BYTES)]
    pub(super) max_message_bytes: usize,

    /// The most metadata that a server may send at once, its status included; from 1024 to 16777216 bytes.
    /// Each entry counts as its name, its value and 32 bytes. A call with more ends with
    /// RESOURCE_EXHAUSTED
    #[arg(long, global = true, value_name = "BYTES", default_value_t = MAX_METADATA_BYTES,
        value_parser = metadata_bytes())]
    max_metadata_bytes: u32,
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

impl Connection {
    /// The configuration that these flags and the environment make, without credentials.
    ///
    /// # Errors
    ///
    /// When the environment names a server whose address is malformed.
    pub(super) fn config(&self) -> Result<Config, AddressError> {
        let default = Config::default();
        let servers = match (&self.server[..], variable(VARIABLE)) {
            ([], None) => default.servers.clone(),
            ([], Some(address)) => vec![server(&address)?],
            (given, _) => given.to_vec(),
        };
        Ok(Config {
            servers,
            balance: self.lb.into(),
            timeout: self.timeout,
            keepalive: (!self.keepalive.is_zero()).then_some(self.keepalive),
            message_bytes: self.max_message_bytes,
            metadata_bytes: self.max_metadata_bytes,
            ..default
        })
    }

    /// Checks these flags and the environment.
    ///
    /// # Errors
    ///
    /// What is wrong, in the words of the flags.
    pub(super) fn check(&self) -> Result<(), String> {
        let config = self.config().map_err(|e| format!("{VARIABLE}: {e}"))?;
        config.check().map_err(|e| in_flags(&e))
    }

    /// The same with credentials.
    pub(super) fn secured(&self, security: &Security) -> Result<Config, Failure> {
        Ok(Config {
            tls: security.tls()?,
            token: security.token()?,
            ..self.config().map_err(ConfigError::from)?
        })
    }
}

/// The time of `--keepalive`.
fn keepalive(text: &str) -> Result<Duration, String> {
    let time = time(text)?;
    if !time.is_zero() && time < MIN_KEEPALIVE {
        return Err(format!(
            "is less than {MIN_KEEPALIVE:?}; 0s is for no pings"
        ));
    }
    Ok(time)
}

/// The address of a server as people write it: `:PORT` is a port of this machine.
fn server(text: &str) -> Result<String, AddressError> {
    let address = match text.strip_prefix(':') {
        Some(port) if !port.contains(':') => format!("localhost:{port}"),
        _ => text.to_owned(),
    };
    address::check(&address).map(|()| address)
}
