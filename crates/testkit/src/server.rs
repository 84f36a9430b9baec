//! Server programs that say on standard output where they listen.

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
    /// Where it listens.
    pub address: String,
    /// The lines of its standard error, where that is a pipe.
    pub log: Lines,
}

/// How a server ended that did not start.
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
    /// When it ends instead.
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

    /// Starts a server and does not wait until it listens: the process, and the lines of its standard
    /// output and of its log.
    pub fn spawn(command: &mut Command) -> (Process, Lines, Lines) {
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = Process::start(command);
        let (out, log) = (process.lines(), process.error_lines_if_piped());
        (process, out, log)
    }

    /// What it has used until now. Panics when it has ended.
    pub fn usage(&self) -> Usage {
        Usage::of(self.process.id()).expect("the server runs")
    }

    /// What it holds in memory, in KiB. Panics when it has ended.
    pub fn resident(&self) -> u64 {
        self.usage().memory / 1024
    }

    /// The most that it has held in memory, in KiB. Panics when it has ended.
    pub fn peak(&self) -> u64 {
        self.usage().peak_memory / 1024
    }

    /// Tells it to stop, with SIGTERM, and waits for its end. Panics when that takes longer than
    /// `limit`.
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
