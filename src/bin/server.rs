//! The `greeter-server` program.

use std::error::Error;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use env_logger::{Target, WriteStyle};
use greeter_stream::cli::server::{in_flags, Args, ListError, ListTopics, Task};
use greeter_stream::cli::{log_filter, VERSION};
use greeter_stream::server::{self, Config};
use grpcio_serve::{stop_signal, LogOutput};
use signal_hook::consts::SIGXFSZ;
// jemalloc replaces glibc's malloc, for the C core as well. A flood of calls takes hundreds of MiB.
// jemalloc returns this memory to the system within ten seconds after the flood, and glibc's malloc
// keeps it.
#[cfg(feature = "jemalloc")]
use tikv_jemalloc_sys as _;

/// How long writing the rest of the log may take after the server has stopped.
const LOG_WRITTEN_WITHIN: Duration = Duration::from_millis(500);

fn main() -> ExitCode {
    let done = match Args::of_process().task() {
        Task::Serve(config) => {
            let output = LogOutput::start();
            start_logging(&output);
            log::info!(target: "greeter_stream", "greeter-server {}", *VERSION);
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

/// Unless RUST_LOG is set, the crates of this workspace log at `info`, and the C core and all
/// others at `warn`.
fn start_logging(output: &LogOutput) {
    let style = if io::stderr().is_terminal() {
        WriteStyle::Always
    } else {
        WriteStyle::Never
    };
    env_logger::Builder::new()
        .parse_filters(&log_filter("warn,greeter_stream=info"))
        .target(Target::Pipe(Box::new(output.clone())))
        .write_style(style)
        .init();
    grpcio::redirect_log();
}

fn serve(config: &Config) -> Result<(), Box<dyn Error>> {
    let stop = stop_signal()?;
    // With this handler a write beyond the limit of file size fails. Without it SIGXFSZ would end
    // the process.
    signal_hook::flag::register(SIGXFSZ, Arc::default())?;
    let server = server::start(config).map_err(|e| in_flags(&e))?;
    for address in server.addresses() {
        // Standard output may be closed.
        let _ = writeln!(io::stdout(), "listening on {address}");
    }
    server.run_until(stop);
    Ok(())
}

fn print(topics: &ListTopics) -> Result<(), Box<dyn Error>> {
    match topics.print(&mut io::stdout().lock()) {
        // The reader has closed the pipe, which is not an error.
        Err(ListError::Write(e)) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        printed => Ok(printed?),
    }
}
