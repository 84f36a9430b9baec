//! The `greeter-server` program.

use std::io::{self, Write};
use std::process::ExitCode;
use std::thread;

use clap::Parser;
use env_logger::Env;
use futures::channel::oneshot;
use futures::FutureExt;
use greeter_stream::server::{args::Args, Server};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

fn main() -> ExitCode {
    let config = Args::parse().config();
    env_logger::Builder::from_env(Env::default().default_filter_or("info")).init();
    grpcio::redirect_log();

    let (stop, stopping) = oneshot::channel();
    if let Err(e) = on_signal(stop) {
        return fail(&format!("cannot wait for signals: {e}"));
    }
    let server = match Server::start(&config) {
        Ok(server) => server,
        Err(e) => return fail(&e.to_string()),
    };
    for address in server.addresses() {
        // Whoever started the server may not read what it prints.
        let _ = writeln!(io::stdout(), "listening on {address}");
    }
    server.run_until(stopping.map(|_| ()));
    ExitCode::SUCCESS
}

/// Stops the server at the first signal and the process at the second.
fn on_signal(stop: oneshot::Sender<()>) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    thread::spawn(move || {
        let mut signals = signals.forever();
        if signals.next().is_some() {
            let _ = stop.send(());
        }
        if signals.next().is_some() {
            log::warn!("a second signal: stopping at once");
            std::process::exit(1);
        }
    });
    Ok(())
}

fn fail(why: &str) -> ExitCode {
    let _ = writeln!(io::stderr(), "greeter-server: {why}");
    ExitCode::FAILURE
}
