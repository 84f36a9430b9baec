//! The thread that a command runs on.

use std::convert::Infallible;
use std::io::{self, Write};
use std::time::Duration;

use futures::future::{self, Either, Future};
use grpcio_streams::Queues;

use super::failure::Failure;
use crate::client::{Client, Config};

/// After this time the client reports that it waits for its server.
pub(super) const SILENT_WAIT: Duration = Duration::from_secs(1);

/// How long the client's threads may take to stop after the command has ended.
pub(super) const THREADS_STOP_WITHIN: Duration = Duration::from_secs(1);

/// Runs a command on the thread of a completion queue.
pub(super) fn on_one_queue<F>(
    config: Config,
    command: impl FnOnce(Client) -> F,
) -> Result<(), Failure>
where
    F: Future<Output = Result<(), Failure>> + Send + 'static,
{
    let queues = Queues::start("queue", 1);
    let client = Client::new(&queues, config)?;
    let done = client.run(unless_silent(client.clone(), command(client.clone())));
    drop(client);
    if !queues.stop(THREADS_STOP_WITHIN) {
        log::warn!("a call is still running");
    }
    done
}

/// Runs a command. Reports on standard error when it waits for the server.
async fn unless_silent(
    client: Client,
    command: impl Future<Output = Result<(), Failure>>,
) -> Result<(), Failure> {
    let notice = async {
        if client.config().wait && !client.connected(SILENT_WAIT).await {
            // Standard error may be closed.
            let _ = writeln!(
                io::stderr(),
                "waiting for {}",
                client.config().servers.join(", ")
            );
        }
        future::pending::<Infallible>().await
    };
    futures::pin_mut!(command, notice);
    match future::select(command, notice).await {
        Either::Left((done, _)) => done,
        Either::Right((never, _)) => match never {},
    }
}
