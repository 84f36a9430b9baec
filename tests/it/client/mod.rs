//! The program `greeter-client` as a person or a script uses it, and how a client chooses among
//! several servers.

mod bench;
mod chat;
mod command_line;
mod forms;
mod limits;
mod reach;
mod servers;
mod terminal;
mod topic_field;
