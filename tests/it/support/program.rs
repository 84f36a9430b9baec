//! The program `greeter-client`.

use std::process::Command;

use testkit::process::command;

/// Its path.
pub const CLIENT: &str = env!("CARGO_BIN_EXE_greeter-client");

/// The client of the server at `server`.
pub fn client(server: &str, args: &[&str]) -> Command {
    let mut client = command(CLIENT);
    client.args(["--server", server]).args(args);
    client.env_remove("RUST_LOG");
    client
}
