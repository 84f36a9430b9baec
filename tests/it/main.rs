//! One binary of integration tests; a module for each room of behaviours.
#![allow(missing_docs, unreachable_pub)]
// A test that cannot go on says why and fails; a helper process speaks on standard output.
#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod calls;
mod client;
mod disk;
mod docs;
mod examples;
mod identity;
mod interop;
mod lifecycle;
mod limits;
mod standard_services;
mod support;
mod topics;
