//! `put`: a file or standard input to PutStream.

use std::path::PathBuf;

use futures::TryStreamExt;
use indicatif::{ProgressBar, ProgressStyle};

use super::input::Input;
use super::output::Output;
use super::Failure;
use crate::client::Client;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The file to send, a line a message; `-` for standard input [default: -]. A line is what
    /// lies between two line feeds, with the carriage return of a Windows line end, if any
    file: Option<PathBuf>,
}

pub(super) async fn run(client: Client, args: Args) -> Result<(), Failure> {
    let input = match &args.file {
        Some(path) if path.as_os_str() != "-" => Input::open(path)?,
        _ => Input::stdin(),
    };
    let bar = match input.is_typed() {
        // It would draw between the lines that a person types.
        true => ProgressBar::hidden(),
        false => progress(input.bytes),
    };
    let mut count = 0_u64;
    let lines = input.lines().inspect_ok(|line| {
        count += 1;
        bar.inc(line.len() as u64 + 1);
        if count.is_multiple_of(1024) {
            bar.set_message(format!("{count} messages"));
        }
    });
    let answer = client.put(lines.map_err(Failure::from)).await;
    bar.set_message(format!("{count} messages"));
    match answer {
        Ok(answer) => {
            bar.finish();
            Ok(Output::new(false).message(&answer)?)
        }
        Err(failure) => {
            bar.abandon();
            Err(failure)
        }
    }
}

/// A bar where the size is known, a spinner where not, and nothing where no terminal shows it.
fn progress(bytes: Option<u64>) -> ProgressBar {
    let (bar, template) = match bytes {
        Some(bytes) => (
            ProgressBar::new(bytes),
            "{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {msg} {eta} left",
        ),
        None => (
            ProgressBar::new_spinner(),
            "{spinner} {bytes} {bytes_per_sec} {msg}",
        ),
    };
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
