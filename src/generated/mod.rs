//! Made by `scripts/gen.sh` from `proto/`; never edited by hand.
//!
//! [`greeter`] holds the messages, [`greeter_grpc`] the plain client and service
//! trait of the binding, [`rich_status`] what a status may carry.
#![allow(missing_docs, elided_lifetimes_in_paths, renamed_and_removed_lints)]
#![allow(unreachable_pub, clippy::all, clippy::panic, clippy::unwrap_used)]

#[rustfmt::skip]
pub mod greeter;
#[rustfmt::skip]
pub mod greeter_grpc;
#[rustfmt::skip]
pub mod rich_status;
