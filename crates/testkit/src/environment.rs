//! What the environment tells a test: sizes, and where programs are.

use std::env;
use std::ffi::OsString;
use std::fmt::Debug;
use std::process::Command;
use std::str::FromStr;

use crate::process::command;

/// The number in this variable of the environment; None where it is not set. Panics when it is set
/// to anything else than a number.
pub fn number<T: FromStr<Err: Debug>>(variable: &str) -> Option<T> {
    let number = env::var(variable).ok()?;
    let parsed = number.parse();
    Some(parsed.unwrap_or_else(|e| panic!("{variable} is {number:?}, which is no number: {e:?}")))
}

/// The path of what `scripts/test.sh` installs and names in this variable of the environment. Panics
/// when it is not set.
pub fn installed(variable: &str) -> OsString {
    let path = env::var_os(variable);
    path.unwrap_or_else(|| panic!("{variable} names nothing; scripts/test.sh installs it"))
}

/// The same for a program.
pub fn tool(variable: &str) -> Command {
    command(installed(variable))
}
