//! The `Greeter` service of a Go tutorial on gRPC's streaming modes, made into software that people
//! run: a live stream hub on the gRPC C core, without an async runtime.
//!
//! The server, the client and the load generator are here. What they stand on are crates of their
//! own: [`grpcio_streams`], [`grpcio_serve`], [`grpcio_credentials`] and [`topic_log`].
//!
//! Each layer knows those below it and none above:
//!
//! | module | what it is | feature |
//! |---|---|---|
//! | [`cli`] | what people type and read: flags, tables, the prompt, the load generator | `cli` |
//! | [`server`] | the server of `Greeter` | `server` |
//! | [`client`] | the typed client: calls, subscriptions that resume, publishing that retries | `client` |
//! | [`service`] | the three handlers | `server` |
//! | [`protocol`] | what crosses the wire beside the messages | |
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
