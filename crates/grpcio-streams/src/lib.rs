//! Adapters between futures and gRPC, for any service.
//!
//! With them a handler is a function from a request, or a [`Stream`](futures::Stream) of them, to
//! a future or a stream of responses: all four kinds of method that gRPC has. The adapter runs it
//! on the binding's own completion-queue threads and takes care of the rest: batching,
//! back-pressure, clients that leave, statuses, panics, shutting down. The client's side is as
//! small.
//!
//! ```
//! use std::sync::Arc;
//!
//! use futures::{executor::block_on, stream, StreamExt, TryStreamExt};
//! use grpcio_streams::{client, Drain, ServiceBuilder, Status};
//! use grpcio::{CallOption, ChannelBuilder, Environment, ServerBuilder, ServerCredentials};
//! use protobuf::well_known_types::wrappers::{Int64Value, StringValue};
//!
//! // A service with two methods, each a function.
//! let drain = Drain::new();
//! let service = ServiceBuilder::new(&drain)
//!     .server_streaming("/example.Counter/CountTo", |_call, limit: Int64Value| {
//!         let number = |value| Ok(Int64Value { value, ..Default::default() });
//!         stream::iter((1..=limit.value).map(number))
//!     })
//!     .client_streaming("/example.Counter/Sum", |_call, numbers| async {
//!         let sum = |sum, number: Int64Value| async move { Ok(sum + number.value) };
//!         let value = numbers.try_fold(0, sum).await?;
//!         Ok(Int64Value { value, ..Default::default() })
//!     })
//!     .build()?;
//!
//! let env = Arc::new(Environment::new(1));
//! let mut server = ServerBuilder::new(env.clone()).register_service(service).build()?;
//! let port = server.add_listening_port("127.0.0.1:0", ServerCredentials::insecure())?;
//! server.start();
//!
//! // A client of both: what the first sends is what the second is sent.
//! let channel = ChannelBuilder::new(env).connect(&format!("127.0.0.1:{port}"));
//! let client = grpcio::Client::new(channel);
//! let ten = Int64Value { value: 10, ..Default::default() };
//! let numbers = client::server_streaming::<_, Int64Value>(
//!     &client, "/example.Counter/CountTo", &ten, CallOption::default())?;
//! let sum: Int64Value = block_on(client::client_streaming(
//!     &client, "/example.Counter/Sum", numbers, CallOption::default()))?;
//! assert_eq!(sum.value, 55);
//!
//! // Live streams end before the server does.
//! drain.begin();
//! block_on(server.shutdown())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What the adapters promise
//!
//! | | |
//! |---|---|
//! | admission | what is [asked before a call](ServiceBuilder::admit) may refuse it before a message of it is read |
//! | batching | of a burst, all messages but the last are marked as part of it, and the last leaves as soon as the stream is pending: throughput costs no latency |
//! | fairness | of calls that share a completion queue, none keeps the others waiting for long, however fast it sends or receives; where many have a backlog, four send at a time, in turns of up to 256 messages or 10 ms |
//! | back-pressure | a stream is polled only while the call has room for its next message |
//! | departure | a handler is dropped as soon as its client cancels or its connection ends, even while it is idle |
//! | ends | a handler's error is the call's status, its end is OK, and what it sent before is delivered first |
//! | panics | INTERNAL for that call, nothing for the others |
//! | draining | UNAVAILABLE for every running call and every new one; a handler may [say more](Call::when_drained) |
//!
//! Nothing here starts a thread except `futures-timer`'s one. Nothing may block: a handler that
//! waits for a disk or a lock stalls every call of its completion queue.

mod call;
mod catch_panic;
pub mod client;
mod codec;
mod drain;
mod fairness;
mod forward;
mod observer;
mod peer;
mod queues;
mod requests;
mod service;
mod status;
mod text;

pub use call::Call;
pub use drain::{Drain, Draining};
pub use observer::{Observer, Outcome, Silent};
pub use queues::Queues;
pub use requests::Requests;
pub use service::{BuildError, ServiceBuilder, MAX_MESSAGE_BYTES};
pub use status::Status;
pub use text::{escaped, is_escaped};
