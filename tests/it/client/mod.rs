//! The program `greeter-client` as a person or a script uses it, and how a client chooses among
//! several servers.

mod bench;
mod chat;
mod command_line;
mod servers;
mod terminal;
