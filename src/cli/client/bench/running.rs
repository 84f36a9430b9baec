//! A load on completion queues of its own.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use futures::channel::mpsc::UnboundedSender;
use futures::channel::oneshot;
use futures::future::{Future, Shared};
use futures::{FutureExt, TryFutureExt};
use grpcio_streams::{Queues, Status};

use super::flags::Work;
use super::meter::{Meter, Window};
use super::work::{topic, Bench, Stream};
use crate::cli::client::failure::Failure;
use crate::cli::client::queue::{reached, THREADS_STOP_WITHIN};
use crate::client::{Client, Config};

pub(super) struct Running {
    pub(super) bench: Arc<Bench>,
    queues: Queues,
}

impl Running {
    /// Connects. Each stream reports on `ready`, and waits for the gate.
    pub(super) fn new(
        work: Work,
        config: &Config,
        ready: UnboundedSender<()>,
        gate: Shared<oneshot::Receiver<Window>>,
    ) -> Result<Self, Failure> {
        let load = work.load();
        let processors = || thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let threads = load.threads.map_or_else(processors, NonZeroUsize::get);
        let connections = load.connections.min(load.streams).get();
        let queues = Queues::start("bench", threads);
        let connect = |_| Client::new(&queues, config.clone());
        let bench = Bench {
            topic: topic(&format!("bench-{:016x}", fastrand::u64(..)))?,
            publisher: connect(0)?,
            clients: (0..connections).map(connect).collect::<Result<_, _>>()?,
            meter: Meter::new(threads)?,
            began: Instant::now(),
            ready,
            gate,
            work,
        };
        Ok(Self {
            bench: Arc::new(bench),
            queues,
        })
    }

    /// Makes what the load needs. With `wait` it first waits for the server.
    pub(super) fn prepare(&self, wait: bool) -> Result<(), Failure> {
        let publisher = &self.bench.publisher;
        let prepared = self.bench.clone().prepare().map_err(Failure::from);
        publisher.run(reached(publisher.clone(), wait, prepared))
    }

    /// Starts the streams; the end of each.
    pub(super) fn start(&self) -> impl Iterator<Item = impl Future<Output = Result<(), Status>>> {
        let streams = self.bench.streams().into_iter();
        streams.map(|(client, stream)| start(&client, stream))
    }

    /// Stops the queues.
    pub(super) fn stop(self) {
        drop(self.bench);
        let _ = self.queues.stop(THREADS_STOP_WITHIN);
    }
}

/// Runs a stream on its client's completion queue.
fn start(client: &Client, stream: Stream) -> impl Future<Output = Result<(), Status>> {
    let (done, is_done) = oneshot::channel();
    client.spawn(async move {
        // The receiver is gone if the load has failed.
        let _ = done.send(stream.await);
    });
    is_done.map(|done| done.unwrap_or_else(|_| Err(Status::internal("a stream panicked"))))
}
