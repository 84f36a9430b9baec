//! The `greeter-server` program.

use std::error::Error;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use env_logger::{Target, WriteStyle};
use greeter_stream::cli::log_filter;
use greeter_stream::cli::server::{in_flags, Args, ListError, ListTopics, Task};
use greeter_stream::server::{self, Config};
use grpcio_serve::{stop_signal, LogOutput};
use signal_hook::consts::SIGXFSZ;
// In place of glibc's malloc, for the C core as for us: after a flood of calls, which takes hundreds
// of MiB, it gives free memory back to the system within ten seconds. glibc's malloc keeps it.
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

/// Our crates log at `info`, the C core only when something is wrong, unless RUST_LOG says
/// otherwise.
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
    // A file that grows beyond the process's limit is then a write that fails, instead of the end
    // of the process.
    signal_hook::flag::register(SIGXFSZ, Arc::default())?;
    let server = server::start(config).map_err(|e| in_flags(&e))?;
    for address in server.addresses() {
        // Nobody may be reading what the server prints.
        let _ = writeln!(io::stdout(), "listening on {address}");
    }
    server.run_until(stop);
    Ok(())
}

fn print(topics: &ListTopics) -> Result<(), Box<dyn Error>> {
    match topics.print(&mut io::stdout().lock()) {
        // The reader has read enough.
        Err(ListError::Write(e)) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        printed => Ok(printed?),
    }
}
