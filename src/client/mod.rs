//! The typed client of `Greeter`.
//!
//! ```no_run
//! use futures::StreamExt;
//! use greeter_stream::client::{Client, Config, SubscribeOptions};
//! use greeter_stream::grpcio_streams::Queues;
//! use greeter_stream::topic_log::{Name, StartAt};
//!
//! let client = Client::new(&Queues::start("client", 1), Config::default())?;
//! let options = SubscribeOptions {
//!     start: StartAt::Earliest,
//!     ..SubscribeOptions::default()
//! };
//! let mut messages = client.subscribe(Name::new("stocks/AAPL")?, options);
//! client.run(async move {
//!     while let Some(Ok(message)) = messages.next().await {
//!         println!("{} {}", message.offset, message.data);
//!     }
//! });
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub(crate) mod address;
pub(crate) mod calls;
mod config;
mod participant;
mod publish;
mod publishers;
mod reach;
mod retry;
mod subscribe;
mod subscribe_error;

pub use address::AddressError;
pub use calls::Client;
pub use config::{Balance, Config, ConfigError};
pub use participant::{JoinOptions, Participant};
pub use publish::{PublishError, PublishOptions, Publisher};
pub use publishers::Publishers;
pub use retry::Notice;
pub use subscribe::{Received, SubscribeOptions, Subscription};
pub use subscribe_error::{LongMessage, Loss, SubscribeError};

pub use crate::protocol::Receipt;
pub use grpcio_credentials::{ClientTls, FileError, Token, TokenError};
