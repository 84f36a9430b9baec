//! Messages for people, on standard error.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;

use indicatif::ProgressBar;

use super::hints;
use super::prompt::Above;
use crate::client::{Config, Notice};
use grpcio_streams::escaped;

/// Standard error, which may be a terminal that also shows a progress bar or a prompt.
#[derive(Clone)]
pub(super) struct Console(Arc<dyn Fn(&str) + Send + Sync>);

impl Console {
    /// A terminal that shows nothing else, or no terminal.
    pub(super) fn plain() -> Self {
        Self(Arc::new(print))
    }

    /// A terminal that also shows a progress bar.
    pub(super) fn beside(bar: &ProgressBar) -> Self {
        let bar = bar.clone();
        Self(Arc::new(move |line| bar.suspend(|| print(line))))
    }

    /// A terminal that also shows a prompt.
    pub(super) fn above(prompt: Above) -> Self {
        if !io::stderr().is_terminal() {
            return Self::plain();
        }
        Self(Arc::new(move |line| {
            let mut prompt = prompt.clone();
            // The terminal may be closed.
            let _ = writeln!(prompt, "{line}").and_then(|()| prompt.flush());
        }))
    }

    /// Writes a line.
    pub(super) fn say(&self, what: &impl Display) {
        (self.0)(&format!("greeter-client: {what}"));
    }

    /// Writes why a command still waits for its servers.
    pub(super) fn waiting(&self, servers: &[String], why: &str) {
        let servers = servers.join(", ");
        (self.0)(&format!("waiting for {servers}: {}", escaped(why)));
    }

    /// A notice that writes the status of a call to these servers and the time until the next try.
    pub(super) fn notice(&self, config: &Config) -> Notice {
        let (console, config) = (self.clone(), config.clone());
        Box::new(move |status, wait| {
            let status = hints::explained(status, &config).to_string();
            console.say(&format!(
                "{}; trying again in {} ms",
                escaped(&status),
                wait.as_millis()
            ));
        })
    }
}

fn print(line: &str) {
    // Standard error may be closed.
    let _ = writeln!(io::stderr(), "{line}");
}
