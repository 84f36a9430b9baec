//! Clients and servers of the adapters, over real connections.

// Helpers of tests fail like tests.
#![allow(clippy::expect_used, clippy::panic)]
// A binary exports nothing.
#![allow(unreachable_pub)]

mod malformed;
mod registration;
mod statuses;
mod support;
