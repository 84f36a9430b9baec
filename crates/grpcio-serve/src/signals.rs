//! Signals that stop a server.

use std::future::Future;
use std::io;
use std::process;
use std::thread;

use futures::channel::oneshot;
use futures::FutureExt;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// Returns a future that completes at the first SIGTERM or SIGINT. The second signal ends the
/// process at once, with exit code 1.
///
/// A thread waits for the signals as soon as this returns.
///
/// # Errors
///
/// When the operating system refuses to handle the signals or to start the thread.
pub fn stop_signal() -> io::Result<impl Future<Output = ()> + Send> {
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    let (stop, stopping) = oneshot::channel();
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            let mut signals = signals.forever();
            if signals.next().is_some() {
                // The receiver is gone if the server has stopped without a signal.
                let _ = stop.send(());
            }
            if signals.next().is_some() {
                log::warn!("a second signal: stopping at once");
                process::exit(1);
            }
        })?;
    Ok(stopping.map(|_| ()))
}
