//! Signals that stop a server.

use std::future::Future;
use std::io;
use std::process;
use std::thread;

use futures::channel::oneshot;
use futures::FutureExt;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// A future that is over at the first SIGTERM or SIGINT. The second of them ends the process at
/// once, with exit code 1.
///
/// A thread waits for the signals from now on.
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
                // The server may have stopped by itself.
                let _ = stop.send(());
            }
            if signals.next().is_some() {
                log::warn!("a second signal: stopping at once");
                process::exit(1);
            }
        })?;
    Ok(stopping.map(|_| ()))
}
