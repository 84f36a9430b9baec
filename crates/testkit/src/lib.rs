//! What the tests and the benchmarks of this workspace share. It is not published, and it works on
//! Linux only.
//!
//! It has helpers for processes, networks, files and gRPC. Helpers that need the crate
//! `greeter-stream` are in `tests/it/support`.
//!
//! Every wait has a limit. A helper panics when it cannot continue, so its test fails.
#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout)]

pub mod balancer;
pub mod certificates;
pub mod clock;
pub mod dns;
pub mod environment;
pub mod exclusive;
pub mod folder;
pub mod helper;
pub mod http2;
pub mod ledger;
pub mod lines;
pub mod median;
pub mod moved_clock;
pub mod numbered;
pub mod ports;
pub mod process;
pub mod raw;
pub mod relay;
pub mod served;
pub mod server;
pub mod terminal;
pub mod texts;
pub mod usage;
pub mod wait;
