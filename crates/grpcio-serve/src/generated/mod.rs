//! Made by `scripts/gen.sh` from `proto/`; never edited by hand.
//!
//! The messages of the standard services, a module for each proto package.
#![allow(missing_docs, elided_lifetimes_in_paths, renamed_and_removed_lints)]
#![allow(unreachable_pub, clippy::all, clippy::panic, clippy::unwrap_used)]

#[rustfmt::skip]
pub mod grpc_channelz_v1;
#[rustfmt::skip]
pub mod grpc_health_v1;
#[rustfmt::skip]
pub mod grpc_reflection_v1;
#[rustfmt::skip]
pub mod grpc_reflection_v1alpha;
