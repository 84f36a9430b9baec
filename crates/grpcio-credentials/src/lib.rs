//! Certificates, keys and tokens from files, checked before the gRPC C core gets them.
//!
//! The C core says little about a certificate that it cannot use, and some certificates make it end
//! the process. So clients and servers check their files first:
//!
//! | item | what it is |
//! |---|---|
//! | [`ClientTls`] | what a client trusts and what it shows; secures a [`grpcio::ChannelBuilder`] |
//! | [`Token`], [`bearer_token`] | a bearer token: what a client sends, and what a server reads from a call's metadata |
//! | [`Pair`] | a certificate with its chain and its key, proved by a handshake in memory |
//! | [`pem`] | reads certificates in PEM form (RFC 7468) |
//! | [`is_local`] | whether an address belongs to this machine, so that nothing sent there can be read on the way |
//! | [`read`], [`FileError`] | a file that a setting names, and why it cannot be used |
//!
//! ```no_run
//! use std::path::Path;
//! use std::sync::Arc;
//!
//! use grpcio::{ChannelBuilder, Environment};
//! use grpcio_credentials::ClientTls;
//!
//! let tls = ClientTls::new().ca(Path::new("ca.crt"))?;
//! let builder = ChannelBuilder::new(Arc::new(Environment::new(1)));
//! let channel = tls.secure(builder).connect("example.org:443");
//! # Ok::<(), grpcio_credentials::FileError>(())
//! ```

mod client_tls;
mod file;
mod handshake;
mod local;
mod pair;
pub mod pem;
mod proof;
mod token;

pub use client_tls::ClientTls;
pub use file::{read, FileError};
pub use local::is_local;
pub use pair::Pair;
pub use proof::Role;
pub use token::{bearer_token, Token, TokenError};

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
