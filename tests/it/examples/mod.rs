//! The examples, as the programs that a reader of the documentation runs.

mod secured_counter;
mod topics;
mod tutorial;

use std::path::Path;
use std::process::Command;

use testkit::process::command;

use crate::support::server::SERVER;

/// An example of any crate of the workspace. Cargo tells a test where the programs of its package
/// are, and puts the examples of all packages into a folder beside them.
fn example(name: &str) -> Command {
    let programs = Path::new(SERVER).parent().expect("a folder");
    let example = programs.join("examples").join(name);
    assert!(
        example.exists(),
        "{} is missing; run `cargo build --release --workspace --examples`",
        example.display()
    );
    command(example)
}
