//! The `greeter-server` program.

use std::error::Error;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use env_logger::{Target, WriteStyle};
use futures::channel::oneshot;
use futures::FutureExt;
use greeter_stream::log_filter;
use greeter_stream::server::args::{Args, Task};
use greeter_stream::server::{Config, ListTopics, LogOutput, Server};
use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;
// In place of glibc's malloc, for the C core as for us: after a flood of calls, which takes hundreds
// of MiB, it gives back to the system what is free within ten seconds, and glibc's keeps it.
#[cfg(feature = "jemalloc")]
use tikv_jemalloc_sys as _;

/// How long the rest of the log may take to be written, once the server has stopped.
const LOG_WRITTEN_WITHIN: Duration = Duration::from_millis(500);

fn main() -> ExitCode {
    let done = match Args::of_process().task() {
        Task::Serve(config) => {
            let output = LogOutput::start();
            start_logging(&output);
            let done = serve(&config);
            output.finish(LOG_WRITTEN_WITHIN);
            done
        }
        Task::ListTopics(topics) => print(&topics),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            let _ = writeln!(io::stderr(), "greeter-server: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Ours at `info`, the C core's only when something is wrong, unless RUST_LOG says otherwise.
fn start_logging(output: &LogOutput) {
    let style = match io::stderr().is_terminal() {
        true => WriteStyle::Always,
        false => WriteStyle::Never,
    };
    env_logger::Builder::new()
        .parse_filters(&log_filter("warn,greeter_stream=info"))
        .target(Target::Pipe(Box::new(output.clone())))
        .write_style(style)
        .init();
    grpcio::redirect_log();
}

fn serve(config: &Config) -> Result<(), Box<dyn Error>> {
    let (stop, stopping) = oneshot::channel();
    on_signal(stop)?;
    let server = Server::start(config)?;
    for address in server.addresses() {
        // Whoever started the server may not read what it prints.
        let _ = writeln!(io::stdout(), "listening on {address}");
    }
    server.run_until(stopping.map(|_| ()));
    Ok(())
}

fn print(topics: &ListTopics) -> Result<(), Box<dyn Error>> {
    match topics.print(&mut io::stdout().lock())? {
        // Who reads it has enough.
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        printed => Ok(printed?),
    }
}

/// Stops the server at the first signal and the process at the second. A file that grows beyond the
/// process's limit is a write that fails, and does not end the process.
fn on_signal(stop: oneshot::Sender<()>) -> io::Result<()> {
    signal_hook::flag::register(SIGXFSZ, Arc::default())?;
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
