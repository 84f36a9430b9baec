//! A running server: its start from a [`Config`] and services, its drain and its stop.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use futures::future::{self, Either};
use futures_timer::Delay;
use grpcio::{ServerBuilder as CoreBuilder, ServerCredentials};
use grpcio_streams::{Drain, Queues};

use crate::config::{Config, StartError};
use crate::limits::Limits;
use crate::open_files;
use crate::service::Service;
use crate::services;
use crate::tls::{Credentials, ServerTls};

/// How long the calls may take to read their statuses before the core begins to close connections.
/// Only a client that does not read takes longer.
const STATUSES_READ_WITHIN: Duration = Duration::from_secs(2);

/// How long the threads of the completion queues may take to stop after the last call.
const THREADS_STOP_WITHIN: Duration = Duration::from_secs(1);

/// How long calls may take to end after they are cancelled. Only a handler that blocks takes
/// longer.
const CANCELLED_WITHIN: Duration = Duration::from_millis(500);

/// Builds a [`Server`]. [`Config`] lists the settings and their defaults.
#[derive(Default)]
#[must_use = "nothing is served before it starts"]
pub struct ServerBuilder {
    config: Config,
    services: Vec<Arc<dyn Service>>,
}

impl ServerBuilder {
    /// Sets everything at once.
    pub fn config(self, config: Config) -> Self {
        Self { config, ..self }
    }

    /// Adds a service.
    pub fn service(mut self, service: impl Service) -> Self {
        self.services.push(Arc::new(service));
        self
    }

    /// Adds an address to listen on. Port 0 picks a free port.
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.config.listen.push(address);
        self
    }

    /// Serves with TLS instead of plaintext.
    pub fn tls(mut self, tls: ServerTls) -> Self {
        self.config.tls = Some(tls);
        self
    }

    /// Accepts only the callers in this token file; see [`Config::token_file`].
    pub fn token_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.config.token_file = Some(path.into());
        self
    }

    /// Sets the limits of what clients may use.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.config.limits = limits;
        self
    }

    /// Starts the server. It accepts calls when this returns.
    ///
    /// # Errors
    ///
    /// When a setting or a file cannot be used, or an address cannot be listened on. Nothing is
    /// left running then. The services are dropped without a call of [`Service::stop`].
    ///
    /// # Panics
    ///
    /// When the operating system refuses to start a thread.
    pub fn start(self) -> Result<Server, StartError> {
        let Self { config, services } = self;
        config.check()?;
        let credentials = config.tls.as_ref().map(|tls| {
            let may_have_token = config.token_file.is_some();
            Credentials::start(tls, may_have_token)
        });
        let credentials = credentials.transpose()?;
        let drain = Drain::new();
        let registered = services::register(&services, &config, &drain)?;
        let queues = Queues::start("queue", config.threads);
        match start_core(&config, credentials.as_ref(), registered, &queues) {
            Ok((core, addresses)) => {
                let server = Server {
                    core,
                    drain,
                    queues,
                    services,
                    addresses,
                    grace: config.grace,
                };
                config
                    .limits
                    .connections
                    .map_or(Ok(()), limit_connections)?;
                Ok(server)
            }
            Err(e) => {
                let _ = queues.stop(THREADS_STOP_WITHIN);
                Err(e)
            }
        }
    }
}

impl fmt::Debug for ServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerBuilder")
            .field("config", &self.config)
            .field("services", &self.services.len())
            .finish()
    }
}

/// A server that accepts calls.
///
/// Dropping it ends all calls at once. [`run_until`](Self::run_until) drains them first.
///
/// This example serves only health and reflection, with TLS and to the callers of a token file,
/// until the first SIGTERM or Ctrl-C:
///
/// ```no_run
/// use grpcio_serve::{stop_signal, Limits, Server, ServerTls};
///
/// let stop = stop_signal()?;
/// let server = Server::builder()
///     .listen("0.0.0.0:50053".parse()?)
///     .tls(ServerTls::new("server.crt", "server.key"))
///     .token_file("callers")
///     .limits(Limits {
///         calls: 1_000,
///         ..Limits::default()
///     })
///     .start()?;
/// println!("listening on {}", server.addresses()[0]);
/// server.run_until(stop);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Server {
    // The fields are dropped in this order, which matters.
    core: grpcio::Server,
    drain: Drain,
    queues: Queues,
    services: Vec<Arc<dyn Service>>,
    addresses: Vec<SocketAddr>,
    grace: Duration,
}

impl Server {
    /// A builder with the default configuration.
    pub fn builder() -> ServerBuilder {
        ServerBuilder::default()
    }

    /// The addresses on which it listens, in the order of [`Config::listen`]. A port 0 is replaced
    /// by the port that was picked.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Serves until `shutdown` completes, then drains and stops. The [crate's documentation](crate)
    /// describes the order. Blocks the calling thread, which must not be the thread of a completion
    /// queue.
    pub fn run_until(self, shutdown: impl Future<Output = ()>) {
        block_on(shutdown);
        let Self {
            mut core,
            drain,
            queues,
            services,
            grace,
            ..
        } = self;
        log::info!("shutting down: running calls end now, and are cancelled after {grace:?}");
        let mut over = Delay::new(grace);
        drain.begin();
        let stopped = block_on(async {
            let ended = pin!(drain.ended());
            let waited = Delay::new(STATUSES_READ_WITHIN.min(grace / 2));
            future::select(ended, waited).await;
            let Either::Right((_, stopped)) = future::select(core.shutdown(), &mut over).await
            else {
                return true;
            };
            log::warn!(
                "some calls or connections have not ended within {grace:?}, and are cancelled"
            );
            core.cancel_all_calls();
            let stopped = future::select(stopped, Delay::new(CANCELLED_WITHIN)).await;
            matches!(stopped, Either::Left(_))
        });
        services.iter().for_each(|service| service.stop());
        if !stopped {
            log::error!("a handler blocks a completion queue; stopping without it");
            // Dropping the core's server would wait for that handler.
            std::mem::forget(core);
            return;
        }
        drop(core);
        if !queues.stop(THREADS_STOP_WITHIN) {
            log::warn!("a completion queue has not stopped within {THREADS_STOP_WITHIN:?}");
        }
        log::info!("stopped");
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("addresses", &self.addresses)
            .finish_non_exhaustive()
    }
}

fn start_core(
    config: &Config,
    credentials: Option<&Credentials>,
    services: Vec<grpcio::Service>,
    queues: &Queues,
) -> Result<(grpcio::Server, Vec<SocketAddr>), StartError> {
    let args = config.limits.channel_args(queues.env(), config.channelz);
    let builder = CoreBuilder::new(queues.env()).channel_args(args.build_args());
    let mut core = services
        .into_iter()
        .fold(builder, CoreBuilder::register_service)
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
        log::info!("listening on {address}");
    }
    Ok((core, addresses))
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
    // An error of the C core has no reason. An error of the operating system has one.
    drop(TcpListener::bind(address).map_err(failed)?);
    let credentials = credentials.map_or_else(ServerCredentials::insecure, Credentials::listener);
    let port = core
        .add_listening_port(address.to_string(), credentials)
        .map_err(|_| failed(io::Error::other("the gRPC core failed; its log says why")))?;
    Ok(SocketAddr::new(address.ip(), port))
}

/// Limits the connections. Warns when the hard limit of open files allows fewer.
fn limit_connections(connections: u64) -> Result<(), StartError> {
    let allowed = open_files::allow(connections).map_err(StartError::Connections)?;
    if allowed < connections {
        log::warn!(
            "the hard limit of open files (ulimit -Hn) allows no more than {allowed} \
             connections instead of {connections}"
        );
    }
    Ok(())
}
