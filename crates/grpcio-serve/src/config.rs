//! What can be set about a server, and why a server cannot start.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use grpcio_credentials::FileError;
use grpcio_streams::BuildError;

use crate::limits::{LimitError, Limits};
use crate::tls::ServerTls;

/// Everything that can be set about a server.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen. Port 0 picks a free port.
    pub listen: Vec<SocketAddr>,
    /// The certificates for TLS; None for plaintext.
    pub tls: Option<ServerTls>,
    /// Whether to listen in plaintext where other machines can connect.
    pub insecure: bool,
    /// A file that says who may call, and what they may do. Each line has a name, the SHA-256 of the
    /// caller's token or `cert` for a client certificate with that name, and rights such as
    /// `read:stocks/*`. None to let everyone call, or, with a [`ServerTls::client_ca`], everyone
    /// with a certificate of that CA.
    pub token_file: Option<PathBuf>,
    /// What clients may ask of the server.
    pub limits: Limits,
    /// Whether to serve channelz, which reveals every client's address to every caller.
    pub channelz: bool,
    /// Completion queues, each with a thread; at least 1.
    pub threads: usize,
    /// How long running calls may take to end when the server shuts down.
    pub grace: Duration,
}

impl Default for Config {
    /// Nowhere to listen; plaintext for everyone, the default limits, no channelz, a completion queue
    /// a core, 5 seconds of grace.
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
    /// certificates. A start does the same.
    ///
    /// # Errors
    ///
    /// The first of these errors that a start would have.
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
    /// Other machines can reach an address, and there is neither [`Config::tls`] nor
    /// [`Config::insecure`].
    #[error(
        "{0} can be reached from elsewhere, and without TLS everyone on the way can read and \
         change what is sent; use TLS, or allow plaintext if that is meant"
    )]
    Plaintext(SocketAddr),
    /// A limit is out of its range.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// [`Limits::connections`] cannot be set.
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
    /// An address is in use, is not one of this machine, or is not allowed.
    #[error("cannot listen on {address}: {source}{}", remedy(source))]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
    /// The C core refused.
    #[error("the gRPC core cannot start a server: {0}")]
    Core(#[source] grpcio::Error),
}

fn remedy(listening: &io::Error) -> &'static str {
    match listening.kind() {
        io::ErrorKind::AddrInUse => "; stop the other program or choose another port",
        _ => "",
    }
}
