//! The server as a process: how it starts, drains and stops, and that a long run leaves nothing behind.

mod drain;
mod shutdown;
mod soak;
