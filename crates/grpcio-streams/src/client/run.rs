//! Runs a future on a client's completion queue.

use std::future::Future;
use std::panic::{resume_unwind, AssertUnwindSafe};
use std::sync::mpsc;

use futures::FutureExt;
use grpcio::Client;

/// Runs a future on the thread of the client's completion queue, and waits for its output.
///
/// The binding polls it for the first time on the calling thread. A future that blocks holds up all
/// other calls of that queue.
///
/// Never call this on the thread of a completion queue: it would wait for itself.
///
/// # Panics
///
/// When the future panics. The queue keeps running.
pub fn run<F>(client: &Client, future: F) -> F::Output
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    let (sender, receiver) = mpsc::sync_channel(1);
    client.spawn(async move {
        let output = AssertUnwindSafe(future).catch_unwind().await;
        // The receiver is below, and waits.
        let _ = sender.send(output);
    });
    match receiver.recv() {
        Ok(Ok(output)) => output,
        Ok(Err(panic)) => resume_unwind(panic),
        Err(_) => unreachable!("the queue ended, although `client` keeps it alive"),
    }
}
