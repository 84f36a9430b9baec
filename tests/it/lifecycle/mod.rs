//! The server as a process: how it starts, drains and stops, and that it keeps nothing over a long run.

mod drain;
mod shutdown;
mod soak;
