//! The `greeter-client` program.

use std::io::{self, Write};
use std::process::ExitCode;

use greeter_stream::cli::client::{end_at_panics, run, Args, Failure};
use greeter_stream::cli::log_filter;

fn main() -> ExitCode {
    end_at_panics();
    let args = Args::of_process();
    // The status of a failed call is enough, so the log of the C core is shown only if RUST_LOG
    // asks for it. Without a logger the C core would write its log itself.
    env_logger::Builder::new()
        .parse_filters(&log_filter("greeter_stream=error"))
        .parse_write_style(&std::env::var("RUST_LOG_STYLE").unwrap_or_default())
        .init();
    grpcio::redirect_log();
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        // The exit code that a shell reports for a program that Ctrl-C has ended.
        Err(Failure::Interrupted) => ExitCode::from(130),
        Err(failure) => {
            let _ = writeln!(io::stderr(), "greeter-client: {failure}");
            ExitCode::FAILURE
        }
    }
}
