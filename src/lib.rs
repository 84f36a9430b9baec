//! Streaming gRPC on the C core, with futures and without an async runtime.
//!
//! Two things live here. [`grpcio_streams`] is a small adapter library that makes gRPC handlers out of
//! plain [`Stream`](futures::Stream)s and [`Future`](std::future::Future)s; it serves any service.
//! The rest is one such service made into software that people run: `Greeter`, with one call of
//! each of gRPC's streaming modes.
//!
//! The layers, each of which knows those below it and none above:
//!
//! | module | what it is |
//! |---|---|
//! | [`server`], [`client`] | the running server, and the typed client with its command line |
//! | [`service`] | the three handlers of `Greeter` |
//! | [`topic_log`] | the logs that calls with a topic share |
//! | [`grpcio_streams`] | the adapters between futures and gRPC, for any service |
//! | [`generated`] | the messages, made from `proto/` |

pub mod client;
mod file;
pub mod generated;
mod log_filter;
mod pem;
pub mod server;
pub mod service;
mod text;

pub use log_filter::log_filter;
pub use {grpcio_streams, topic_log};
