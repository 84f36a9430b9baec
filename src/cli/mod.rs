//! The command lines of the two programs.

pub mod client;
mod environment;
mod log_filter;
mod metadata_bytes;
pub mod server;
mod text;
mod time;
mod version;

pub use log_filter::log_filter;
pub use version::VERSION;
