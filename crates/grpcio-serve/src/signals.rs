//! Signals of a server's process.

use std::future::Future;
use std::io;
use std::process;
use std::thread;

use futures::channel::oneshot;
use futures::FutureExt;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;

use crate::reload::reload;

/// Handles the signals of this process from now on. Returns a future that is over at the first SIGTERM
/// or SIGINT.
///
/// | signal | what happens |
/// |---|---|
/// | SIGTERM, SIGINT | the future is over; at the second of them the process ends at once, with exit code 1 |
/// | SIGHUP | all servers of this process read their files of certificates and callers again, whether they have changed or not |
/// | SIGUSR1, SIGUSR2 | a line in the log, and nothing else |
///
/// A thread waits for the signals.
///
/// # Errors
///
/// When the operating system refuses to handle the signals or to start the thread.
pub fn stop_signal() -> io::Result<impl Future<Output = ()> + Send> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2])?;
    let (stop, stopping) = oneshot::channel();
    let mut stop = Some(stop);
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            for signal in signals.forever() {
                match (signal, stop.take_if(|_| matches!(signal, SIGTERM | SIGINT))) {
                    // The server may have stopped by itself.
                    (_, Some(stop)) => drop(stop.send(())),
                    (SIGTERM | SIGINT, None) => {
                        log::warn!("a second signal: stopping at once");
                        process::exit(1);
                    }
                    (SIGHUP, None) => {
                        log::info!("SIGHUP: the files of certificates and callers are read again");
                        reload();
                    }
                    (other, None) => log::info!("signal {other} has no meaning here"),
                }
            }
        })?;
    Ok(stopping.map(|_| ()))
}
