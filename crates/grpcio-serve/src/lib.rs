//! Serves gRPC services on the C core: everything that an operator needs around their handlers.
//!
//! A [`Server`] serves any number of services, whose methods are made with
//! [`grpcio_streams::ServiceBuilder`]. It adds:
//!
//! | | |
//! |---|---|
//! | TLS | certificates are checked before the C core gets them, and read again when they change ([`ServerTls`]) |
//! | callers | by token or client certificate, with rights to call methods ([`MethodRights`]), or rights that a service defines ([`Rights`]) |
//! | limits | of messages, metadata, memory, calls, connections and their age; keepalive ([`Limits`]) |
//! | standard services | `grpc.health.v1`, reflection `v1` and `v1alpha`, `grpc.channelz.v1` |
//! | log | a line when a call starts and one when it ends; [`LogOutput`] never blocks a handler |
//! | drain | [`Server::run_until`], [`stop_signal`] |
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use futures::{stream, Stream};
//! use grpcio_serve::{stop_signal, Server, Service};
//! use grpcio_streams::{ServiceBuilder, Status};
//! use protobuf::reflect::FileDescriptor;
//! use protobuf::well_known_types::wrappers::Int64Value;
//!
//! struct Counter;
//!
//! fn count(limit: Int64Value) -> impl Stream<Item = Result<Int64Value, Status>> {
//!     let number = |value| Ok(Int64Value { value, ..Default::default() });
//!     stream::iter((1..=limit.value).map(number))
//! }
//!
//! impl Service for Counter {
//!     fn methods(self: Arc<Self>, builder: ServiceBuilder) -> ServiceBuilder {
//!         builder.server_streaming("/example.Counter/CountTo", |_call, limit| count(limit))
//!     }
//!
//!     fn files(&self) -> Vec<FileDescriptor> {
//!         // The file_descriptor() of the generated module that declares the service.
//!         Vec::new()
//!     }
//! }
//!
//! let stop = stop_signal()?;
//! let server = Server::builder()
//!     .listen("127.0.0.1:50053".parse()?)
//!     .service(Counter)
//!     .start()?;
//! server.run_until(stop);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How a server stops
//!
//! 1. Health checks report NOT_SERVING from now on, and every Watch receives NOT_SERVING.
//! 2. Running calls end with UNAVAILABLE, after the messages that they have sent before. A handler
//!    can end its call with another status
//!    ([`Call::when_drained`](grpcio_streams::Call::when_drained)). New calls end with UNAVAILABLE,
//!    too.
//! 3. Once the C core has sent the statuses of all calls, or 2 s later, it closes its listeners and
//!    tells its connections to end. It cancels calls that it has not handed to the server yet: their
//!    clients see CANCELLED.
//! 4. Calls that have not ended after [`Config::grace`], because their clients do not read, are
//!    cancelled.
//! 5. The services [stop](Service::stop).
//! 6. The completion queues stop, and [`Server::run_until`] returns.
//!
//! All of this takes at most the grace and 1.5 s, plus the time that the services take to stop.
//! Clients cannot prolong it.

mod call_limits;
mod call_log;
mod channelz;
mod config;
mod descriptors;
pub mod generated;
mod health;
mod identity;
mod limits;
mod log_output;
mod method_rights;
mod open_files;
mod reflection;
mod reload;
mod rights;
mod server;
mod service;
mod services;
mod signals;
mod tls;

pub use config::{Config, StartError};
pub use limits::{LimitError, Limits};
pub use log_output::LogOutput;
pub use method_rights::MethodRights;
pub use rights::{Need, Rights};
pub use server::{Server, ServerBuilder};
pub use service::Service;
pub use signals::stop_signal;
pub use tls::ServerTls;
pub use {grpcio, grpcio_credentials, grpcio_streams, protobuf};

/// Compiles and runs the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
