//! What a process uses, as Linux shows it in `/proc`.

use std::io;
use std::time::Duration;

use procfs::process::{Process, Task};
use procfs::{ProcError, ProcResult};

/// What a process has used.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// The processor time of all running threads.
    pub cpu: Duration,
    /// The resident memory now, in bytes.
    pub memory: u64,
    /// The largest resident memory until now, in bytes.
    pub peak_memory: u64,
}

impl Usage {
    /// The usage of the process with this number.
    ///
    /// # Errors
    ///
    /// When there is no such process.
    pub fn of(id: u32) -> io::Result<Self> {
        let mut cpu = Duration::ZERO;
        for task in tasks(id)? {
            match task.schedstat() {
                Ok(time) => cpu += Duration::from_nanos(time.sum_exec_runtime),
                // The thread has ended in the meantime.
                Err(ProcError::NotFound(_)) => {}
                Err(e) => return Err(io::Error::other(e)),
            }
        }
        let status = process(id)?.status().map_err(io::Error::other)?;
        let bytes = |kib: Option<u64>| {
            kib.map(|kib| kib * 1024)
                .ok_or_else(|| io::Error::other(format!("process {id} has ended")))
        };
        Ok(Self {
            cpu,
            memory: bytes(status.vmrss)?,
            peak_memory: bytes(status.vmhwm)?,
        })
    }
}

/// How many file descriptors the process with this number has open.
///
/// # Errors
///
/// When there is no such process.
pub fn descriptors(id: u32) -> io::Result<usize> {
    process(id)?.fd_count().map_err(io::Error::other)
}

/// How many threads the process with this number has.
///
/// # Errors
///
/// When there is no such process.
pub fn threads(id: u32) -> io::Result<usize> {
    Ok(tasks(id)?.len())
}

/// Whether a signal has stopped all threads of the process with this number.
///
/// # Errors
///
/// When there is no such process.
pub fn is_stopped(id: u32) -> io::Result<bool> {
    let states: ProcResult<Vec<char>> = tasks(id)?
        .iter()
        .map(|task| Ok(task.stat()?.state))
        .collect();
    let states = states.map_err(io::Error::other)?;
    Ok(states.iter().all(|state| *state == 'T'))
}

fn process(id: u32) -> io::Result<Process> {
    let id = i32::try_from(id).map_err(io::Error::other)?;
    Process::new(id).map_err(io::Error::other)
}

/// The threads of a process. Threads that end during the call may be missing.
fn tasks(id: u32) -> io::Result<Vec<Task>> {
    let tasks = process(id)?.tasks().map_err(io::Error::other)?;
    let live = tasks.filter(|task| !matches!(task, Err(ProcError::NotFound(_))));
    live.collect::<ProcResult<_>>().map_err(io::Error::other)
}
