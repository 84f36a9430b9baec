//! The server of `Greeter`: [`grpcio_serve`] with the service and its topics.

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use grpcio_serve::Server;
use topic_log::{Disk, Durability, Memory, OpenError, Retention, Store, StoreLimits};

use crate::service::{self, Greeter};

/// The configuration of the server.
#[derive(Clone, Debug)]
pub struct Config {
    /// The settings that every service needs: listeners, TLS, callers, limits.
    pub serve: grpcio_serve::Config,
    /// The behaviour of calls without a topic.
    pub service: service::Config,
    /// The configuration of topics.
    pub topics: Topics,
}

impl Default for Config {
    /// Port 50052 on 127.0.0.1, topics in memory, and the defaults of each part.
    fn default() -> Self {
        Self {
            serve: grpcio_serve::Config {
                listen: vec![SocketAddr::from(([127, 0, 0, 1], 50052))],
                ..grpcio_serve::Config::default()
            },
            service: service::Config::default(),
            topics: Topics::default(),
        }
    }
}

/// The configuration of topics.
#[derive(Clone, Debug, Default)]
pub struct Topics {
    /// The retention of each topic.
    pub retention: Retention,
    /// The limits of all topics together.
    pub limits: StoreLimits,
    /// The folder that keeps topics across restarts. None keeps topics in memory.
    pub data: Option<Data>,
}

/// Topics on disk.
#[derive(Clone, Debug)]
pub struct Data {
    /// The folder. It is created if it does not exist. No other process may use it at the same
    /// time.
    pub dir: PathBuf,
    /// Whether a message is acknowledged before or after it is synced to the disk.
    pub durability: Durability,
}

/// Why the server cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A setting of [`grpcio_serve`] cannot be used, or the server cannot listen.
    #[error(transparent)]
    Serve(#[from] grpcio_serve::StartError),
    /// The topics cannot be opened.
    #[error(transparent)]
    Topics(#[from] OpenError),
}

impl Topics {
    fn open(&self) -> Result<Arc<dyn Store>, OpenError> {
        let (retention, limits) = (self.retention, self.limits);
        Ok(match &self.data {
            None => Arc::new(Memory::new(retention, limits)),
            Some(Data { dir, durability }) => {
                Arc::new(Disk::open(dir, *durability, retention, limits)?)
            }
        })
    }
}

/// Starts a server. It accepts calls when this returns.
///
/// # Errors
///
/// When a setting cannot be used, an address cannot be listened on, or the topics cannot be opened.
/// Nothing is left running then.
///
/// # Panics
///
/// When the operating system refuses to start a thread.
pub fn start(config: &Config) -> Result<Server, StartError> {
    // Checked before the topics are opened, which may take a while.
    config.serve.check()?;
    let greeter = Greeter::new(config.service.clone(), config.topics.open()?);
    let builder = Server::builder().config(config.serve.clone());
    Ok(builder.service(greeter).start()?)
}

/// Starts a server and serves until `shutdown` completes; see [`Server::run_until`].
///
/// # Errors
///
/// See [`start`].
///
/// # Panics
///
/// See [`start`].
pub fn run(config: &Config, shutdown: impl Future<Output = ()>) -> Result<(), StartError> {
    start(config)?.run_until(shutdown);
    Ok(())
}
