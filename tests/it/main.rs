//! One binary of integration tests; a module for each behaviour.
#![allow(missing_docs, unreachable_pub)]

mod batching;
mod calls;
mod command_line;
mod departure;
mod ends;
mod interop;
mod limits;
mod malformed;
mod shutdown;
mod support;
