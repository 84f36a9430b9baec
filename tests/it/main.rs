//! One binary of integration tests; a module for each behaviour.
#![allow(missing_docs, unreachable_pub)]
// A test that cannot go on says why and fails; a helper process speaks on standard output.
#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod admission;
mod attacks;
mod batching;
mod bench;
mod calls;
mod channelz;
mod chat;
mod client_certificates;
mod command_line;
mod connections;
mod crash;
mod departure;
mod disk;
mod drain;
mod ends;
mod envoy;
mod fairness;
mod fan_out;
mod full_disk;
mod health;
mod identity;
mod interop;
mod limits;
mod malformed;
mod power_cut;
mod reflection;
mod resume;
mod servers;
mod shutdown;
mod soak;
mod support;
mod tls;
mod tls_files;
mod token_file;
mod topic_limits;
mod topics;
mod torn;
mod vanished;
mod walk_throughs;
