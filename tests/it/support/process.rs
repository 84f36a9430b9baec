//! The two programs as processes, and this test binary as another.

use std::io::Write;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{channel, RecvTimeoutError};
use std::time::{Duration, Instant};
use std::{env, thread};

use rustix::process::{getuid, kill_process, Pid, Signal};

use super::lines::Lines;
use super::PATIENCE;

pub const SERVER: &str = env!("CARGO_BIN_EXE_greeter-server");
pub const CLIENT: &str = env!("CARGO_BIN_EXE_greeter-client");

/// A child process that does not outlive its test.
pub struct Process(pub Child);

impl Process {
    pub fn start(command: &mut Command) -> Self {
        Self(command.spawn().expect("program starts"))
    }

    pub fn signal(&self, name: &str) {
        let id = self.0.id().to_string();
        let status = Command::new("kill").args(["-s", name, &id]).status();
        assert!(status.expect("kill runs").success(), "kill -s {name} {id}");
    }

    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        let deadline = Instant::now() + limit;
        while Instant::now() < deadline {
            if let Some(status) = self.0.try_wait().expect("wait") {
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

/// `greeter-server` on a free port, with the lines that it logs.
pub struct Server {
    pub process: Process,
    pub address: String,
    pub log: Lines,
}

impl Server {
    pub fn start(args: &[&str]) -> Self {
        Self::start_at("127.0.0.1:0", args)
    }

    /// Without a line for each message.
    pub fn start_quiet(args: &[&str]) -> Self {
        Self::start_with("127.0.0.1:0", args, "greeter_stream=info")
    }

    pub fn start_at(listen: &str, args: &[&str]) -> Self {
        Self::start_with(listen, args, "greeter_stream=debug")
    }

    pub fn start_with(listen: &str, args: &[&str], log: &str) -> Self {
        Self::try_start(listen, args, log).unwrap_or_else(|refusal| panic!("{refusal:?}"))
    }

    /// The same, or why it does not start.
    pub fn try_start(listen: &str, args: &[&str], log: &str) -> Result<Self, Refusal> {
        let (mut process, mut out, log) = Self::spawn(listen, args, log);
        let Some(line) = out.next(PATIENCE) else {
            return Err(Refusal {
                status: process.wait(PATIENCE),
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

    /// Does not wait until it listens; the lines of standard output and of the log.
    pub fn spawn(listen: &str, args: &[&str], log: &str) -> (Process, Lines, Lines) {
        let mut process = Process::start(
            Command::new(SERVER)
                .args(["--listen", listen])
                .args(args)
                .env("RUST_LOG", log)
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped()),
        );
        let out = Lines::of(process.0.stdout.take().expect("piped"));
        let log = Lines::of(process.0.stderr.take().expect("piped"));
        (process, out, log)
    }

    /// What it holds in memory, in KiB.
    pub fn resident(&self) -> u64 {
        self.status("VmRSS:")
    }

    /// The most that it has held in memory, in KiB.
    pub fn peak(&self) -> u64 {
        self.status("VmHWM:")
    }

    fn status(&self, what: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.0.id()));
        let status = status.expect("a process");
        let line = status.lines().find(|line| line.starts_with(what));
        let digits = line.expect(what).split_whitespace().nth(1);
        digits.expect("a number").parse().expect("a number")
    }
}

/// How a server ends that does not start.
#[derive(Debug)]
pub struct Refusal {
    pub status: ExitStatus,
    pub said: Vec<String>,
}

/// What a server that does not start says, and its exit code.
pub fn refused(args: &[&str]) -> (String, Option<i32>) {
    let mut command = Command::new(SERVER);
    command.args(args).env_remove("RUST_LOG");
    let output = run(command.stdout(Stdio::piped()).stderr(Stdio::piped()), b"");
    (text(&output.stderr).to_owned(), output.status.code())
}

/// `greeter-client` against `server`.
pub fn client(server: &str, args: &[&str]) -> Command {
    let mut command = Command::new(CLIENT);
    command
        .args(["--server", server])
        .args(args)
        .env_remove("RUST_LOG");
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A program that `scripts/test.sh` installs, and names in the environment's `variable`.
pub fn tool(variable: &str) -> Command {
    let Some(program) = env::var_os(variable) else {
        panic!("{variable} names no program; scripts/test.sh installs it");
    };
    let mut command = Command::new(program);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs a program to its end, with `input` on its standard input.
pub fn run(command: &mut Command, input: &[u8]) -> Output {
    let child = command
        .stdin(Stdio::piped())
        .spawn()
        .expect("program starts");
    feed(child, input)
}

fn feed(mut child: Child, input: &[u8]) -> Output {
    let mut stdin = child.stdin.take().expect("piped");
    let input = input.to_vec();
    // A program that fails early does not read all of it.
    let writer = thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().expect("wait");
    writer.join().expect("writer");
    output
}

/// The same; fails the test when it takes too long.
pub fn run_within(limit: Duration, command: &mut Command, input: &[u8]) -> Output {
    let (ended, has_ended) = channel::<()>();
    let child = command
        .stdin(Stdio::piped())
        .spawn()
        .expect("program starts");
    let id = Pid::from_child(&child);
    let watch = thread::spawn(move || match has_ended.recv_timeout(limit) {
        Err(RecvTimeoutError::Timeout) => {
            let _ = kill_process(id, Signal::KILL);
            true
        }
        _ => false,
    });
    let output = feed(child, input);
    drop(ended);
    assert!(
        !watch.join().expect("no panic"),
        "{command:?} still runs after {limit:?}: {output:?}"
    );
    output
}

pub fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

/// Starts this test binary again to run the one test `name`, which is marked `ignore`, as a
/// process of its own that can be killed.
pub fn helper(name: &str, address: &str) -> Process {
    let mut command = Command::new(env::current_exe().expect("test binary"));
    Process::start(as_helper(&mut command, name).env("GREETER_TEST_ADDRESS", address))
}

/// The same with a network of its own, which has `address` (IPv4) besides the loopback addresses
/// and is not connected to any other.
pub fn helper_on_a_network(name: &str, address: &str) -> Process {
    let set_up = format!("ip link set lo up && ip address add {address}/32 dev lo && exec \"$@\"");
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--net", "sh", "-c", &set_up, "sh"]);
    command.arg(env::current_exe().expect("test binary"));
    Process::start(as_helper(&mut command, name).env("GREETER_TEST_ADDRESS", address))
}

/// The same with mounts of its own, which these commands of a shell make, and to its end. Does
/// nothing where they are not allowed, which is told.
pub fn run_helper_with_mounts(name: &str, mounts: &str, folder: &str, limit: Duration) {
    let unshare = |script: &str| {
        let mut command = Command::new("unshare");
        // Root may mount more where it stays what it is.
        command.args((!getuid().is_root()).then_some("--map-root-user"));
        command.args(["--mount", "sh", "-e", "-c", script, "sh"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    };
    let allowed = run_within(PATIENCE, &mut unshare(mounts), b"");
    if !allowed.status.success() {
        println!("skipped {name}: no mounts here: {}", text(&allowed.stderr));
        return;
    }
    let mut command = unshare(&format!("{mounts}\nexec \"$@\""));
    command.arg(env::current_exe().expect("test binary"));
    let helper = as_helper(&mut command, name).env("GREETER_TEST_FOLDER", folder);
    let output = run_within(limit, helper, b"");
    println!("{}", text(&output.stdout));
    assert!(output.status.success(), "{name}: {}", output.status);
}

/// In such a helper: the folder that it is to use.
pub fn helper_folder() -> String {
    env::var("GREETER_TEST_FOLDER").expect("started by a test")
}

fn as_helper<'a>(command: &'a mut Command, name: &str) -> &'a mut Command {
    command
        .args(["--exact", name, "--ignored", "--nocapture"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
}

/// In a helper: the address that it is to use.
pub fn helper_address() -> String {
    env::var("GREETER_TEST_ADDRESS").expect("started by a test")
}
