//! Server programs that print the address on which they listen.

use std::error::Error;
use std::fmt;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use crate::lines::Lines;
use crate::process::{Process, Signal};
use crate::usage::Usage;

/// A server in a process of its own, with the lines that it logs. It is killed when this is dropped.
pub struct Server {
    /// The process.
    pub process: Process,
    /// The address on which it listens.
    pub address: String,
    /// The lines of its standard error, if that is a pipe.
    pub log: Lines,
}

/// The end of a server that did not start.
#[derive(Debug)]
pub struct Refusal {
    /// Its exit status.
    pub status: ExitStatus,
    /// The lines that it logged.
    pub said: Vec<String>,
}

impl Server {
    /// Starts a server and waits until it prints `listening on ADDRESS`. Panics when it prints
    /// nothing within `limit`, or anything else.
    ///
    /// # Errors
    ///
    /// When it ends before that.
    pub fn start(command: &mut Command, limit: Duration) -> Result<Self, Refusal> {
        let (mut process, mut out, log) = Self::spawn(command);
        let Some(line) = out.next(limit) else {
            return Err(Refusal {
                status: process.wait(limit),
                said: log.rest(),
            });
        };
        let address = line.strip_prefix("listening on ").expect("an address");
        Ok(Self {
            process,
            address: address.to_owned(),
            log,
        })
    }

    /// Starts a server without waiting until it listens. Returns the process, the lines of its
    /// standard output, and the lines of its log.
    pub fn spawn(command: &mut Command) -> (Process, Lines, Lines) {
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = Process::start(command);
        let (out, log) = (process.lines(), process.error_lines_if_piped());
        (process, out, log)
    }

    /// The processor time and memory of the server until now. Panics when it has ended.
    pub fn usage(&self) -> Usage {
        Usage::of(self.process.id()).expect("the server runs")
    }

    /// Its resident memory in KiB. Panics when it has ended.
    pub fn resident(&self) -> u64 {
        self.usage().memory / 1024
    }

    /// Its largest resident memory until now, in KiB. Panics when it has ended.
    pub fn peak(&self) -> u64 {
        self.usage().peak_memory / 1024
    }

    /// Sends SIGTERM and waits until the server ends. Panics when that takes longer than `limit`.
    pub fn stop(&mut self, limit: Duration) -> ExitStatus {
        self.process.signal(Signal::TERM);
        self.process.wait(limit)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server ended with {}: ", self.status)?;
        f.write_str(&self.said.join("\n"))
    }
}

impl Error for Refusal {}
