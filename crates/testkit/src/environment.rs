//! What the environment tells a test: sizes, and where programs are.

use std::env;
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

/// A program that `scripts/test.sh` installs and names in this variable of the environment.
pub fn tool(variable: &str) -> Command {
    let Some(program) = env::var_os(variable) else {
        panic!("{variable} names no program; scripts/test.sh installs it");
    };
    command(program)
}
