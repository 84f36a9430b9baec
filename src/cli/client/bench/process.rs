//! What the server's process uses, if it runs on this machine.

use std::fs;
use std::io;
use std::time::Duration;

/// A process of Linux, with this number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Process(pub(super) u32);

/// What a process has used.
#[derive(Clone, Copy, Debug)]
pub(super) struct Usage {
    /// The processor time of all running threads.
    pub(super) cpu: Duration,
    /// The resident memory now, in bytes.
    pub(super) memory: u64,
    /// The largest resident memory until now, in bytes.
    pub(super) peak_memory: u64,
}

impl Process {
    /// # Errors
    ///
    /// When there is no such process, or no `/proc`.
    pub(super) fn usage(self) -> io::Result<Usage> {
        let mut cpu = Duration::ZERO;
        for thread in fs::read_dir(format!("/proc/{}/task", self.0))? {
            // The first of three numbers is the processor time in nanoseconds. The thread may have
            // ended, then the text is empty.
            let text = fs::read_to_string(thread?.path().join("schedstat")).unwrap_or_default();
            let nanoseconds = text.split(' ').next().and_then(|n| n.parse().ok());
            cpu += Duration::from_nanos(nanoseconds.unwrap_or(0));
        }
        let status = fs::read_to_string(format!("/proc/{}/status", self.0))?;
        let bytes = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key));
            let kib: Option<u64> =
                line.and_then(|line| line.split_whitespace().next()?.parse().ok());
            kib.map(|kib| kib * 1024)
                .ok_or_else(|| io::Error::other(format!("/proc/{}/status has no {key}", self.0)))
        };
        Ok(Usage {
            cpu,
            memory: bytes("VmRSS:")?,
            peak_memory: bytes("VmHWM:")?,
        })
    }
}
