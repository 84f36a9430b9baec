//! Clients and servers of the adapters, over real connections.

// Helpers of tests fail like tests.
#![allow(clippy::expect_used, clippy::panic)]
// A binary exports nothing.
#![allow(unreachable_pub)]

mod cancel;
mod limits;
mod malformed;
mod metadata;
mod registration;
mod statuses;
mod support;
mod unary;
