//! The threads that read from disk, so that no thread that polls a future has to wait for it.

use std::io;
use std::sync::Arc;

use futures::executor::ThreadPool;
use futures::future::{self, BoxFuture, FutureExt};
use futures::task::SpawnExt;

use super::engine::Engine;
use super::failure::Failure;
use super::shared_engine::SharedEngine;

/// How many threads there are.
const THREADS: usize = 2;

#[derive(Debug)]
pub(super) struct Readers {
    engine: Arc<SharedEngine>,
    pool: ThreadPool,
}

impl Readers {
    pub(super) fn start(engine: Arc<SharedEngine>) -> io::Result<Self> {
        let pool = ThreadPool::builder()
            .pool_size(THREADS)
            .name_prefix("topics-read-")
            .create()?;
        Ok(Self { engine, pool })
    }

    /// Runs `read` on one of the threads. A read whose future is dropped before it begins is not
    /// done.
    pub(super) fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Engine) -> Result<T, Failure> + Send + 'static,
    ) -> BoxFuture<'static, Result<T, Failure>> {
        let engine = match self.engine.get() {
            Ok(engine) => engine,
            // Even when files are damaged, this says nothing about the message.
            Err(why) => return future::ready(Err(Failure::Unusable(why.to_string()))).boxed(),
        };
        match self.pool.spawn_with_handle(async move { read(&engine) }) {
            Ok(reading) => reading.boxed(),
            Err(e) => future::ready(Err(Failure::Unusable(e.to_string()))).boxed(),
        }
    }
}
