//! Programs as child processes.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::process::{
    Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Output, Stdio,
};
use std::sync::mpsc::{channel, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

pub use rustix::process::Signal;
use rustix::process::{kill_process, Pid};

use crate::lines::Lines;
use crate::usage;
use crate::wait::PATIENCE;

/// The default limit of the time that a program may run.
const LIMIT: Duration = Duration::from_secs(60);

/// A program whose output is read and that has no input.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A child process that is killed when its test ends.
pub struct Process(Child);

impl Process {
    /// Starts a program. Panics when it cannot be started.
    pub fn start(command: &mut Command) -> Self {
        let started = command.spawn();
        Self(started.unwrap_or_else(|e| panic!("{command:?} does not start: {e}")))
    }

    /// The number of the process.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// The number of the process, for system calls.
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.0)
    }

    /// The process's standard input. Panics when it is not a pipe, or was taken before.
    pub fn stdin(&mut self) -> ChildStdin {
        self.0.stdin.take().expect("a pipe for standard input")
    }

    /// The process's standard output. Panics when it is not a pipe, or was taken before.
    pub fn stdout(&mut self) -> ChildStdout {
        self.0.stdout.take().expect("a pipe for standard output")
    }

    /// The process's standard error. Panics when it is not a pipe, or was taken before.
    pub fn stderr(&mut self) -> ChildStderr {
        self.0.stderr.take().expect("a pipe for standard error")
    }

    /// The lines of [standard output](Self::stdout).
    pub fn lines(&mut self) -> Lines {
        Lines::of(self.stdout())
    }

    /// The lines of [standard error](Self::stderr).
    pub fn error_lines(&mut self) -> Lines {
        Lines::of(self.stderr())
    }

    /// The lines of [standard error](Self::stderr); no lines if standard error is not a pipe.
    pub fn error_lines_if_piped(&mut self) -> Lines {
        match self.0.stderr.take() {
            Some(stderr) => Lines::of(stderr),
            None => Lines::of(io::empty()),
        }
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("a process that takes signals");
    }

    /// Sends SIGKILL. Does nothing if the process has ended and was waited for.
    pub fn kill(&mut self) {
        self.0.kill().expect("killed");
    }

    /// Sends SIGSTOP and waits until all threads have stopped. A thread that is in a system call
    /// stops at the end of that call.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
        let begun = Instant::now();
        while !usage::is_stopped(self.id()).expect("a process") {
            assert!(begun.elapsed() < PATIENCE, "the process does not stop");
            thread::park_timeout(Duration::from_millis(1));
        }
    }

    /// The exit status; None while the process runs.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().expect("a child process")
    }

    /// Waits until it ends. Panics when that takes longer than `limit`.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        let deadline = Instant::now() + limit;
        while Instant::now() < deadline {
            if let Some(status) = self.ended() {
                return status;
            }
            thread::park_timeout(Duration::from_millis(2));
        }
        panic!("the process still runs after {limit:?}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a program to its end, with `input` on its standard input. Panics when it runs longer than a
/// minute.
pub fn run(command: &mut Command, input: &[u8]) -> Output {
    run_within(LIMIT, command, input)
}

/// Runs a program to its end, with `input` on its standard input. Panics when it runs longer than
/// `limit`.
pub fn run_within(limit: Duration, command: &mut Command, input: &[u8]) -> Output {
    let started = command.stdin(Stdio::piped()).spawn();
    let mut child = started.unwrap_or_else(|e| panic!("{command:?} does not start: {e}"));
    let id = Pid::from_child(&child);
    let (ended, has_ended) = channel::<()>();
    let watch = thread::spawn(move || match has_ended.recv_timeout(limit) {
        Err(RecvTimeoutError::Timeout) => {
            let _ = kill_process(id, Signal::KILL);
            true
        }
        _ => false,
    });
    let mut stdin = child.stdin.take().expect("a pipe for standard input");
    let input = input.to_vec();
    // A program that fails early does not read all of its input.
    let writer = thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().expect("a child process");
    writer.join().expect("no panic");
    drop(ended);
    assert!(
        !watch.join().expect("no panic"),
        "{command:?} still runs after {limit:?}: {output:?}"
    );
    output
}

/// The output of a program as text. Panics when it is not UTF-8.
pub fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}
