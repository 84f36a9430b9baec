//! The `greeter-client` program.

use std::io::{self, Write};
use std::process::ExitCode;

use greeter_stream::cli::client::{run, Args, Failure};
use greeter_stream::cli::log_filter;

fn main() -> ExitCode {
    let args = Args::of_process();
    // The status of a failed call is enough. The C core's own lines are for those who ask for them.
    // Without a logger the C core would write them itself.
    env_logger::Builder::new()
        .parse_filters(&log_filter("greeter_stream=error"))
        .parse_write_style(&std::env::var("RUST_LOG_STYLE").unwrap_or_default())
        .init();
    grpcio::redirect_log();
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        // What a shell reports of a program that Ctrl-C has ended.
        Err(Failure::Interrupted) => ExitCode::from(130),
        Err(failure) => {
            let _ = writeln!(io::stderr(), "greeter-client: {failure}");
            ExitCode::FAILURE
        }
    }
}
