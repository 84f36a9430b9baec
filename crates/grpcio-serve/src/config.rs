//! The configuration of a server, and the errors of its start.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use grpcio_credentials::FileError;
use grpcio_streams::BuildError;

use crate::limits::{LimitError, Limits};
use crate::tls::ServerTls;

/// The configuration of a server.
#[derive(Clone, Debug)]
pub struct Config {
    /// The addresses to listen on; at least one. Port 0 picks a free port.
    pub listen: Vec<SocketAddr>,
    /// The certificates for TLS; None for plaintext.
    pub tls: Option<ServerTls>,
    /// Whether to listen in plaintext where other machines can connect.
    pub insecure: bool,
    /// The token file, which lists the callers and their rights. Each line has a name, then the
    /// SHA-256 of the caller's token or `cert` for a client certificate with that name, then rights
    /// such as `read:stocks/*`. With None everyone may call, or, with a [`ServerTls::client_ca`],
    /// everyone with a certificate of that CA.
    pub token_file: Option<PathBuf>,
    /// The limits of what clients may use.
    pub limits: Limits,
    /// Whether to serve channelz, which reveals every client's address to every caller.
    pub channelz: bool,
    /// The number of completion queues, each with a thread of its own. 0 counts as 1.
    pub threads: usize,
    /// How long running calls may take to end when the server shuts down.
    pub grace: Duration,
}

impl Default for Config {
    /// No address, plaintext, no token file, the default limits, no channelz, one completion queue
    /// for each core, and a grace of 5 seconds.
    fn default() -> Self {
        Self {
            listen: Vec::new(),
            tls: None,
            insecure: false,
            token_file: None,
            limits: Limits::default(),
            channelz: false,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            grace: Duration::from_secs(5),
        }
    }
}

impl Config {
    /// Checks what does not depend on the services: the addresses, the limits, and the files of
    /// certificates. [`ServerBuilder::start`](crate::ServerBuilder::start) does the same.
    ///
    /// # Errors
    ///
    /// The first of these errors that the start would return.
    pub fn check(&self) -> Result<(), StartError> {
        if self.listen.is_empty() {
            return Err(StartError::NoAddress);
        }
        self.limits.check()?;
        if let Some(tls) = &self.tls {
            return Ok(tls.check()?);
        }
        let mut exposed = self.listen.iter();
        match exposed.find(|address| !address.ip().to_canonical().is_loopback()) {
            Some(address) if !self.insecure => Err(StartError::Plaintext(*address)),
            _ => Ok(()),
        }
    }
}

/// Why a server cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// There is no address to listen on.
    #[error("there is no address to listen on; give at least one")]
    NoAddress,
    /// Other machines can reach this address, and neither [`Config::tls`] nor [`Config::insecure`]
    /// is set.
    #[error(
        "other machines can reach {0}, and without TLS everyone on the network path can read and \
         change what is sent; set `tls`, or set `insecure` if plaintext is intended"
    )]
    Plaintext(SocketAddr),
    /// A limit is out of its range.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// The limit [`Limits::connections`] cannot be set.
    #[error(
        "the connections cannot be limited, because the limit of open files cannot be set: {0}"
    )]
    Connections(#[source] io::Error),
    /// A file cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// The methods of a service cannot be registered.
    #[error(transparent)]
    Methods(#[from] BuildError),
    /// Two services have a method of the same path.
    #[error("two services have the method {0}; leave one of them out")]
    Twice(&'static str),
    /// An address cannot be listened on: it is in use, it does not belong to this machine, or the
    /// operating system does not permit it.
    #[error("cannot listen on {address}: {source}{}", remedy(source))]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
    /// The C core cannot start the server.
    #[error("the gRPC core cannot start a server: {0}")]
    Core(#[source] grpcio::Error),
}

fn remedy(listening: &io::Error) -> &'static str {
    match listening.kind() {
        io::ErrorKind::AddrInUse => "; stop the other program or choose another port",
        _ => "",
    }
}
