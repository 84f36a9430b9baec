//! The server of `Greeter`: [`grpcio_serve`] with our service and its topics.

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use grpcio_serve::Server;
use topic_log::{Disk, Durability, Memory, OpenError, Retention, Store, StoreLimits};

use crate::service::{self, Greeter};

/// Everything that can be set about the server.
#[derive(Clone, Debug)]
pub struct Config {
    /// What stands around the service.
    pub serve: grpcio_serve::Config,
    /// How calls without a topic behave.
    pub service: service::Config,
    /// How topics are kept.
    pub topics: Topics,
}

impl Default for Config {
    /// Port 50052 on the loopback address, topics in memory, and the defaults of each part.
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

/// How topics are kept.
#[derive(Clone, Debug, Default)]
pub struct Topics {
    /// How much each topic keeps.
    pub retention: Retention,
    /// How much all topics may keep.
    pub limits: StoreLimits,
    /// Where they outlive the process; None for in memory.
    pub data: Option<Data>,
}

/// Topics on disk.
#[derive(Clone, Debug)]
pub struct Data {
    /// The folder, which is created if it does not exist. No other process may use it.
    pub dir: PathBuf,
    /// How safe a message is when it is acknowledged.
    pub durability: Durability,
}

/// Why the server cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Something around the service.
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
/// Then nothing is left running.
///
/// # Panics
///
/// When the operating system refuses to start a thread.
pub fn start(config: &Config) -> Result<Server, StartError> {
    // Before the topics are opened, which may take a while.
    config.serve.check()?;
    let greeter = Greeter::new(config.service.clone(), config.topics.open()?);
    let builder = Server::builder().config(config.serve.clone());
    Ok(builder.service(greeter).start()?)
}

/// Starts a server and serves until `shutdown` is over; see [`Server::run_until`].
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
