//! The running server: from a [`Config`] to listeners, and down again without losing a word.
//!
//! Beside `Greeter` it serves health and reflection, and channelz where it is told to.
//!
//! Draining goes in this order:
//!
//! 1. Whoever watches the server's health is told NOT_SERVING, and health checks say so from now on.
//! 2. Running calls end with UNAVAILABLE and what they have sent before; readers of a topic are told
//!    at which offset of which epoch they go on. Calls that arrive end the same way.
//! 3. The C core closes its listeners and tells its connections to end. Calls that it has not handed
//!    over by now it cancels: their clients see CANCELLED, and ours try again as after UNAVAILABLE.
//! 4. What has not ended after [`Config::grace`], because its client does not read, is cancelled.
//! 5. What publishers have handed over is written, and the topics on disk are closed.
//! 6. The completion queues stop, and [`run_until`](Server::run_until) returns.
//!
//! Whatever happens, that is over a second and a half after the grace. `greeter-server` begins at the first
//! SIGTERM or SIGINT, and exits at once at the second. What clients may ask of a server before that
//! is in [`Limits`].

pub mod args;
mod calls;
mod channelz;
mod descriptors;
mod health;
mod identity;
mod limits;
mod list;
mod log;
mod log_output;
mod open_files;
mod reflection;
mod reload;
mod services;
mod tls;
mod topics;

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use futures::future::{self, Either};
use futures_timer::Delay;
use grpcio::{ServerBuilder, ServerCredentials};

pub use self::limits::{LimitError, Limits};
pub use self::list::ListTopics;
pub use self::log_output::LogOutput;
pub use self::tls::Tls;
pub use self::topics::{Data, Topics};
pub use crate::file::FileError;

use self::calls::Calls;
use self::identity::Identities;
use self::tls::Credentials;
use crate::service;
use grpcio_streams::{Drain, Queues, ServiceBuilder};
use topic_log::{OpenError, Store};

/// How long the completion-queue threads may take to stop once nothing uses them.
const THREADS_STOP_WITHIN: Duration = Duration::from_secs(1);

/// How long calls may take to end once they are cancelled; only a handler that blocks takes longer.
const CANCELLED_WITHIN: Duration = Duration::from_millis(500);

/// Everything that can be set about a server.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen; port 0 picks a free one.
    pub listen: Vec<SocketAddr>,
    /// What TLS needs; None for plaintext.
    pub tls: Option<Tls>,
    /// Whether plaintext may leave this machine.
    pub insecure: bool,
    /// A file that names who may call, a line each: a name, the SHA-256 of its token or `cert` for
    /// a client certificate with that name, and its rights on topics, such as `read:stocks/*`. None
    /// for everyone, or, with a [`Tls::client_ca`], for everyone with a certificate of that CA.
    pub token_file: Option<PathBuf>,
    /// What clients may ask of it.
    pub limits: Limits,
    /// How calls without a topic behave.
    pub service: service::Config,
    /// How topics are kept.
    pub topics: Topics,
    /// Whether to serve channelz, which tells every client's address to whoever may call it.
    pub channelz: bool,
    /// Completion queues, each with a thread; at least 1.
    pub threads: usize,
    /// How long running calls may take to end when the server shuts down.
    pub grace: Duration,
}

impl Default for Config {
    /// Port 50052 on the loopback address, in plaintext and for everyone, no channelz, a completion
    /// queue a core, 5 seconds of grace.
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from(([127, 0, 0, 1], 50052))],
            tls: None,
            insecure: false,
            token_file: None,
            limits: Limits::default(),
            service: service::Config::default(),
            topics: Topics::default(),
            channelz: false,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            grace: Duration::from_secs(5),
        }
    }
}

/// Why a server could not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// There is no address to listen on.
    NoAddress,
    /// An address can be reached from elsewhere, and there is neither [`Config::tls`] nor
    /// [`Config::insecure`].
    Plaintext(SocketAddr),
    /// A limit is not in its range.
    Limit(LimitError),
    /// [`Limits::connections`] cannot be set.
    Connections(io::Error),
    /// A file is of no use.
    File(FileError),
    /// The topics cannot be opened.
    Topics(OpenError),
    /// An address is in use, not this machine's, or not allowed.
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
    /// The C core refused.
    Core(grpcio::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAddress => f.write_str("there is no address to listen on"),
            Self::Plaintext(address) => write!(
                f,
                "{address} can be reached from elsewhere, and without TLS everyone on the way can \
                 read and change what is sent; give --tls-cert and --tls-key, or --insecure if \
                 that is meant"
            ),
            Self::Limit(e) => e.fmt(f),
            Self::Connections(e) => write!(
                f,
                "the connections cannot be limited, because the limit of open files cannot be \
                 set: {e}"
            ),
            Self::File(e) => e.fmt(f),
            Self::Topics(e) => e.fmt(f),
            Self::Listen { address, source } => {
                write!(f, "cannot listen on {address}: {source}")?;
                if source.kind() == io::ErrorKind::AddrInUse {
                    f.write_str("; stop the other program or choose another port")?;
                }
                Ok(())
            }
            Self::Core(e) => write!(f, "the gRPC core cannot start a server: {e}"),
        }
    }
}

impl From<FileError> for StartError {
    fn from(e: FileError) -> Self {
        Self::File(e)
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::NoAddress | Self::Plaintext(_) => None,
            Self::Limit(e) => Some(e),
            Self::Connections(e) => Some(e),
            Self::File(e) => Some(e),
            Self::Topics(e) => Some(e),
            Self::Listen { source, .. } => Some(source),
            Self::Core(e) => Some(e),
        }
    }
}

/// A server that accepts calls.
///
/// Dropping it ends everything at once; [`run_until`](Self::run_until) drains it.
pub struct Server {
    // In the order in which they must be dropped.
    core: grpcio::Server,
    drain: Drain,
    queues: Queues,
    store: Arc<dyn Store>,
    addresses: Vec<SocketAddr>,
    grace: Duration,
}

impl Server {
    /// Starts a server; it accepts calls when this returns.
    ///
    /// # Errors
    ///
    /// When an address cannot be listened on, or a file cannot be used. Then nothing is left
    /// running.
    pub fn start(config: &Config) -> Result<Self, StartError> {
        if config.listen.is_empty() {
            return Err(StartError::NoAddress);
        }
        let limits = &config.limits;
        limits.check().map_err(StartError::Limit)?;
        let credentials = secured(config)?;
        let has_client_ca = config
            .tls
            .as_ref()
            .is_some_and(|tls| tls.client_ca.is_some());
        let identities = Identities::start(config.token_file.as_deref(), has_client_ca)?;

        let drain = Drain::new();
        let calls = ServiceBuilder::new(&drain).observer(Arc::new(log::LogCalls));
        let calls = match identities {
            Some(identities) => calls.admit(move |call| identities.admit(call)),
            None => calls,
        };
        let running = Calls::new(
            limits.calls,
            "whoever runs it can allow more with --max-calls",
            limits.streams,
        );
        let store = config.topics.open().map_err(StartError::Topics)?;
        let draining = drain.draining();
        let services = services::services(calls, running, draining, config, store.clone());

        let queues = Queues::start("queue", config.threads);
        match Self::start_core(config, credentials.as_ref(), services, &queues) {
            Ok((core, addresses)) => {
                let server = Self {
                    core,
                    drain,
                    queues,
                    store,
                    addresses,
                    grace: config.grace,
                };
                limits.connections.map_or(Ok(()), limit_connections)?;
                Ok(server)
            }
            Err(e) => {
                let _ = queues.stop(THREADS_STOP_WITHIN);
                Err(e)
            }
        }
    }

    fn start_core(
        config: &Config,
        credentials: Option<&Credentials>,
        services: [grpcio::Service; 2],
        queues: &Queues,
    ) -> Result<(grpcio::Server, Vec<SocketAddr>), StartError> {
        let args = config.limits.channel_args(queues.env(), config.channelz);
        let args = args.build_args();
        let builder = ServerBuilder::new(queues.env()).channel_args(args);
        let mut core = services
            .into_iter()
            .fold(builder, ServerBuilder::register_service)
            .build()
            .map_err(StartError::Core)?;
        let listen = |address| listen(&mut core, credentials, address);
        let addresses = config
            .listen
            .iter()
            .map(listen)
            .collect::<Result<Vec<_>, _>>()?;
        core.start();
        for address in &addresses {
            ::log::info!("listening on {address}");
        }
        Ok((core, addresses))
    }

    /// Where it listens, in the order of [`Config::listen`], with the ports that were picked.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Serves until `shutdown` is over, then drains and stops. Blocks the calling thread, which
    /// must not be one of a completion queue.
    pub fn run_until(self, shutdown: impl Future<Output = ()>) {
        block_on(shutdown);
        let Self {
            mut core,
            drain,
            queues,
            store,
            grace,
            ..
        } = self;
        ::log::info!("shutting down: running calls end now, at the latest in {grace:?}");
        drain.begin();
        let stopped = core.shutdown();
        let stopped = block_on(async {
            let Either::Right((_, stopped)) = future::select(stopped, Delay::new(grace)).await
            else {
                return true;
            };
            ::log::warn!(
                "some calls or connections have not ended within {grace:?}, and are cancelled"
            );
            core.cancel_all_calls();
            let stopped = future::select(stopped, Delay::new(CANCELLED_WITHIN)).await;
            matches!(stopped, Either::Left(_))
        });
        store.close();
        if !stopped {
            ::log::error!("a handler blocks a completion queue; stopping without it");
            // Dropping it would wait for that handler.
            std::mem::forget(core);
            return;
        }
        drop(core);
        if !queues.stop(THREADS_STOP_WITHIN) {
            ::log::warn!("a completion queue has not stopped within {THREADS_STOP_WITHIN:?}");
        }
        ::log::info!("stopped");
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("addresses", &self.addresses)
            .finish_non_exhaustive()
    }
}

/// Starts a server, and serves until `shutdown` is over.
///
/// # Errors
///
/// When the server cannot start; see [`Server::start`].
pub fn run(config: &Config, shutdown: impl Future<Output = ()>) -> Result<(), StartError> {
    Server::start(config)?.run_until(shutdown);
    Ok(())
}

/// The credentials of the listeners; None for plaintext, where that is allowed.
fn secured(config: &Config) -> Result<Option<Credentials>, StartError> {
    let Some(tls) = &config.tls else {
        let mut exposed = config.listen.iter();
        let exposed = exposed.find(|address| !address.ip().to_canonical().is_loopback());
        return match exposed {
            Some(address) if !config.insecure => Err(StartError::Plaintext(*address)),
            _ => Ok(None),
        };
    };
    Ok(Some(Credentials::start(tls)?))
}

/// Tells when there can be fewer than are asked for.
fn limit_connections(connections: u64) -> Result<(), StartError> {
    let allowed = open_files::allow(connections).map_err(StartError::Connections)?;
    if allowed < connections {
        ::log::warn!(
            "no more than {allowed} connections instead of {connections}: the hard limit of open \
             files allows no more (ulimit -Hn)"
        );
    }
    Ok(())
}

fn listen(
    core: &mut grpcio::Server,
    credentials: Option<&Credentials>,
    address: &SocketAddr,
) -> Result<SocketAddr, StartError> {
    let failed = |source| StartError::Listen {
        address: *address,
        source,
    };
    // The C core says no more than that it failed; the operating system says why.
    drop(TcpListener::bind(address).map_err(failed)?);
    let credentials = credentials.map_or_else(ServerCredentials::insecure, Credentials::listener);
    let port = core
        .add_listening_port(address.to_string(), credentials)
        .map_err(|_| failed(io::Error::other("the gRPC core failed; its log says why")))?;
    Ok(SocketAddr::new(address.ip(), port))
}
