//! Made by `scripts/gen.sh` from `proto/`; never edited by hand.
//!
//! [`grpc_testing`] holds the messages of gRPC's interop tests. Its proto file is in
//! `tests/interop/official/`.
#![allow(missing_docs, elided_lifetimes_in_paths, renamed_and_removed_lints)]
#![allow(unreachable_pub, clippy::all, clippy::panic, clippy::unwrap_used)]

#[rustfmt::skip]
pub mod grpc_testing;
