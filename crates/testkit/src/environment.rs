//! Environment variables of tests: sizes, and paths of programs.

use std::env;
use std::ffi::OsString;
use std::fmt::Debug;
use std::process::Command;
use std::str::FromStr;

use crate::process::command;

/// The number in this environment variable; None if it is not set. Panics when its value is not a
/// number.
pub fn number<T: FromStr<Err: Debug>>(variable: &str) -> Option<T> {
    let number = env::var(variable).ok()?;
    let parsed = number.parse();
    Some(parsed.unwrap_or_else(|e| panic!("{variable} is {number:?}, which is no number: {e:?}")))
}

/// The path in this environment variable, which `scripts/test.sh` sets. Panics when it is not set.
pub fn installed(variable: &str) -> OsString {
    let path = env::var_os(variable);
    path.unwrap_or_else(|| {
        panic!("{variable} is not set; scripts/test.sh installs the program and sets it")
    })
}

/// The program at the path in this environment variable, as a command.
pub fn tool(variable: &str) -> Command {
    command(installed(variable))
}
