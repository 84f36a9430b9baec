//! The `Greeter` service of a Go tutorial on gRPC's streaming modes, as a live stream hub for
//! production. It runs on the gRPC C core, without an async runtime.
//!
//! This crate has the server, the client and the load generator. They use the crates
//! [`grpcio_streams`], [`grpcio_serve`], [`grpcio_credentials`] and [`topic_log`].
//!
//! Each module uses those below it and none above it:
//!
//! | module | what it is | feature |
//! |---|---|---|
//! | [`cli`] | the command lines: flags, tables, the prompt, the load generator | `cli` |
//! | [`server`] | the server of `Greeter` | `server` |
//! | [`client`] | the typed client: calls, subscriptions that resume, publishing that retries | `client` |
//! | [`service`] | the three handlers | `server` |
//! | [`protocol`] | the metadata, statuses and receipts that calls carry beside the messages | |
//! | [`generated`] | the messages, made from `proto/` | |

#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "client")]
pub mod client;
pub mod generated;
pub mod protocol;
#[cfg(feature = "server")]
pub mod server;
#[cfg(feature = "server")]
pub mod service;

#[cfg(feature = "client")]
pub use grpcio_credentials;
#[cfg(feature = "server")]
pub use grpcio_serve;
pub use {grpcio_streams, topic_log};
