//! The lines that a program prints, as they arrive.

use std::io::{BufRead, BufReader, Read};
use std::sync::mpsc::{channel, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use crate::wait::PATIENCE;

/// The lines of a stream. A thread reads them.
pub struct Lines {
    receiver: Receiver<String>,
    /// All lines until now. The message of a test that fails shows them.
    seen: Vec<String>,
}

impl Lines {
    /// Begins to read.
    pub fn of(reader: impl Read + Send + 'static) -> Self {
        let (sender, receiver) = channel();
        thread::spawn(move || {
            for line in BufReader::new(reader).lines() {
                let Ok(line) = line else { return };
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self {
            receiver,
            seen: Vec::new(),
        }
    }

    /// The next line; None after the program has closed its end. Panics when neither happens within
    /// `limit`.
    pub fn next(&mut self, limit: Duration) -> Option<String> {
        match self.take(limit) {
            Ok(line) => {
                self.seen.push(line.clone());
                Some(line)
            }
            Err(RecvTimeoutError::Disconnected) => None,
            Err(e) => panic!("no line within {limit:?} ({e}); seen: {:#?}", self.seen),
        }
    }

    /// The next line, without a panic. The line is not kept for the messages of failures.
    ///
    /// # Errors
    ///
    /// When no line comes within `limit`, or the program has closed its end.
    pub fn take(&mut self, limit: Duration) -> Result<String, RecvTimeoutError> {
        self.receiver.recv_timeout(limit)
    }

    /// The next line for which `wanted` returns true. Panics when none comes within `limit`.
    pub fn wait_for(&mut self, limit: Duration, wanted: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + limit;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.receiver.recv_timeout(left) {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if wanted(&line) {
                        return line;
                    }
                }
                Err(e) => panic!(
                    "no such line within {limit:?} ({e}); seen: {:#?}",
                    self.seen
                ),
            }
        }
    }

    /// The next line that contains all of `texts`. Panics when none comes within `limit`.
    pub fn wait_for_all(&mut self, limit: Duration, texts: &[&str]) -> String {
        self.wait_for(limit, |line| texts.iter().all(|text| line.contains(text)))
    }

    /// Every line until now.
    pub fn so_far(&mut self) -> &[String] {
        self.seen.extend(self.receiver.try_iter());
        &self.seen
    }

    /// Waits until the program closes its end, and returns all lines. Panics when that takes longer
    /// than [`PATIENCE`].
    pub fn rest(mut self) -> Vec<String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.receiver.recv_timeout(left) {
                Ok(line) => self.seen.push(line),
                Err(RecvTimeoutError::Disconnected) => return self.seen,
                Err(e) => panic!("still open ({e}); seen: {:#?}", self.seen),
            }
        }
    }
}
