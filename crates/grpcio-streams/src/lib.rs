//! gRPC handlers and calls as futures and streams, on the C core, without an async runtime.
//!
//! A handler is a function from a request, or a [`Stream`](futures::Stream) of requests, to a
//! future or a stream of responses. That covers all four kinds of gRPC method. The adapters run the
//! handler on the completion-queue threads of [`grpcio`], the binding to the C core, and take care
//! of batching, back-pressure, clients that leave, statuses, panics and shutting down. The
//! [client's side](client) is as small.
//!
//! ```
//! use futures::{executor::block_on, stream, StreamExt, TryStreamExt};
//! use grpcio_streams::grpcio::{self, CallOption, ChannelBuilder, ServerBuilder, ServerCredentials};
//! use grpcio_streams::protobuf::well_known_types::wrappers::Int64Value;
//! use grpcio_streams::{client, Drain, Queues, ServiceBuilder};
//!
//! fn number(value: i64) -> Int64Value {
//!     Int64Value { value, ..Default::default() }
//! }
//!
//! // A service with two methods, each a function.
//! let drain = Drain::new();
//! let service = ServiceBuilder::new(&drain)
//!     .server_streaming("/example.Counter/CountTo", |_call, limit: Int64Value| {
//!         stream::iter((1..=limit.value).map(|n| Ok(number(n))))
//!     })
//!     .client_streaming("/example.Counter/Sum", |_call, numbers| async {
//!         let sum = |sum, n: Int64Value| async move { Ok(sum + n.value) };
//!         Ok(number(numbers.try_fold(0, sum).await?))
//!     })
//!     .build()?;
//!
//! let queues = Queues::start("example", 1);
//! let mut server = ServerBuilder::new(queues.env()).register_service(service).build()?;
//! let port = server.add_listening_port("127.0.0.1:0", ServerCredentials::insecure())?;
//! server.start();
//!
//! // A client that sends the responses of the first method as the requests of the second.
//! let channel = ChannelBuilder::new(queues.env()).enable_retry(false);
//! let client = grpcio::Client::new(channel.connect(&format!("127.0.0.1:{port}")));
//! let numbers = client::server_streaming::<_, Int64Value>(
//!     &client, "/example.Counter/CountTo", &number(10), CallOption::default())?;
//! let sum: Int64Value = block_on(client::client_streaming(
//!     &client, "/example.Counter/Sum", numbers, CallOption::default()))?;
//! assert_eq!(sum.value, 55);
//!
//! // Live streams have to end before the server can.
//! drain.begin();
//! block_on(server.shutdown())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What the adapters promise
//!
//! | | |
//! |---|---|
//! | admission | An [admission](ServiceBuilder::admit) can refuse a call before any of its messages is read. |
//! | batching | All messages of a burst but the last are sent with the buffer hint. The last one is sent as soon as the stream is pending, so batching adds no latency. |
//! | fairness | A call does not delay the other calls of its completion queue for long, however fast it sends or receives. If many calls have a backlog, four send at the same time, in turns of up to 256 messages or 10 ms. |
//! | back-pressure | A stream is polled only while the call has room for its next message. |
//! | departure | A handler is dropped as soon as its client cancels or its connection ends, even while it is idle. |
//! | ends | The error of a handler becomes the status of the call, and its end becomes OK. The messages before it are delivered first. |
//! | statuses | A status is [shortened](Status#limits) if it is too long, so its code always arrives. |
//! | panics | A handler that panics ends its own call with INTERNAL and no other call. |
//! | draining | A [drain](Drain) ends every running call and every new call with UNAVAILABLE. A handler can [set another status](Call::when_drained). |
//!
//! # Threads
//!
//! Handlers, admissions and observers run on the threads of the completion queues, which
//! [`Queues::start`] starts. None of them may block: a handler that waits for a disk or a lock stops
//! all calls of its queue. Timers run on the one thread of `futures-timer`. The adapters start no
//! other threads.

mod call;
mod catch_panic;
pub mod client;
mod codec;
mod drain;
mod fairness;
mod forward;
mod keepalive;
mod limits;
mod observer;
mod peer;
mod queues;
mod requests;
mod service;
mod status;
mod text;

/// The binding to the C core, in the version that these adapters use.
pub use grpcio;
/// The protobuf messages, in the version that these adapters use.
pub use protobuf;

pub use call::Call;
pub use drain::{Drain, Draining};
pub use keepalive::keepalive;
pub use limits::{limit_metadata, MAX_MESSAGE_BYTES, MAX_METADATA_BYTES, METADATA_LIMITS};
pub use observer::{Observer, Outcome, Silent};
pub use queues::Queues;
pub use requests::Requests;
pub use service::{BuildError, ServiceBuilder};
pub use status::{Status, TooLong};
pub use text::{escaped, is_escaped, is_invisible};

/// The version of gRPC whose C core this build uses, such as `1.56.2`.
///
/// The binding carries 1.56.2. It uses that of pkg-config's `grpc` instead where the build has the
/// environment variable `GRPCIO_SYS_USE_PKG_CONFIG=1`. A library that is linked dynamically may be
/// another one when the program runs.
pub const CORE_VERSION: &str = env!("GRPC_CORE_VERSION");

/// Compiles and runs the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
