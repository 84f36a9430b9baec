//! Helpers: the test binary, started again as another process that runs one test. The test of a
//! helper is marked `ignore`, so that it runs only this way.
//!
//! A helper is named by `module_path!()` and the name of its function.

use std::env;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::getuid;

use crate::process::{command, run_within, text, Process};
use crate::wait::PATIENCE;

const ADDRESS: &str = "GREETER_TEST_ADDRESS";
const FOLDER: &str = "GREETER_TEST_FOLDER";

/// Starts a helper that uses `address`. The helper can be killed.
pub fn start(module: &str, test: &str, address: &str) -> Process {
    let mut command = command(this_binary());
    Process::start(as_helper(&mut command, &name(module, test)).env(ADDRESS, address))
}

/// Runs a helper to its end in a network of its own. That network has `address` (IPv4) besides the
/// loopback addresses and is not connected to any other. Panics when the helper fails or takes longer
/// than `limit`.
pub fn run_on_a_network(module: &str, test: &str, address: &str, limit: Duration) {
    let set_up = format!("ip link set lo up && ip address add {address}/32 dev lo && exec \"$@\"");
    let mut command = command("unshare");
    command.args(["--map-root-user", "--net", "sh", "-c", &set_up, "sh"]);
    command.arg(this_binary());
    let name = name(module, test);
    finish(
        &name,
        as_helper(&mut command, &name).env(ADDRESS, address),
        limit,
    );
}

/// Runs a helper that uses `folder` to its end. It has mounts of its own, which the shell commands
/// `mounts` make. Panics when the helper fails or takes longer than `limit`. If this user may not
/// mount anything, the helper is skipped, with a line on standard output.
pub fn run_with_mounts(module: &str, test: &str, mounts: &str, folder: &str, limit: Duration) {
    let name = name(module, test);
    let unshare = |script: &str| {
        let mut command = command("unshare");
        // Root may mount more outside a user namespace.
        command.args((!getuid().is_root()).then_some("--map-root-user"));
        command.args(["--mount", "sh", "-e", "-c", script, "sh"]);
        command
    };
    let allowed = run_within(PATIENCE, &mut unshare(mounts), b"");
    if !allowed.status.success() {
        println!("skipped {name}: no mounts here: {}", text(&allowed.stderr));
        return;
    }
    let mut command = unshare(&format!("{mounts}\nexec \"$@\""));
    command.arg(this_binary());
    finish(
        &name,
        as_helper(&mut command, &name).env(FOLDER, folder),
        limit,
    );
}

/// The shell command that runs a helper, for a helper that needs a terminal.
pub fn shell_command(module: &str, test: &str) -> String {
    let name = name(module, test);
    let binary = this_binary();
    format!("{} --exact {name} --ignored --nocapture", binary.display())
}

/// Called in a helper: the address to use.
pub fn address() -> String {
    env::var(ADDRESS).expect("a helper that a test has started")
}

/// Called in a helper: the folder to use.
pub fn folder() -> String {
    env::var(FOLDER).expect("a helper that a test has started")
}

fn this_binary() -> std::path::PathBuf {
    env::current_exe().expect("the test binary")
}

/// The name of a test in the test binary, which is its path without the crate.
fn name(module: &str, test: &str) -> String {
    let (_, module) = module.split_once("::").expect("a module of a test binary");
    format!("{module}::{test}")
}

fn as_helper<'a>(command: &'a mut Command, name: &str) -> &'a mut Command {
    command
        .args(["--exact", name, "--ignored", "--nocapture"])
        .stderr(Stdio::inherit())
}

fn finish(name: &str, helper: &mut Command, limit: Duration) {
    let output = run_within(limit, helper, b"");
    let said = text(&output.stdout);
    println!("{said}");
    assert!(output.status.success(), "{name}: {}", output.status);
    // A test binary without such a test succeeds as well.
    assert!(said.contains(" 1 passed;"), "there is no test {name}");
}
