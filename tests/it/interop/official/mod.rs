//! gRPC's own interop tests, with the programs of grpc-go on the other side. The cases are those of
//! gRPC's `doc/interop-test-descriptions.md` for plain servers.
//!
//! `docs/library.md` says which cases are left out, and why.

mod cases;
mod certificates;
mod generated;
mod metadata;
mod our_client;
mod service;
mod their_client;
mod their_server;

/// How many calls each of the soak tests makes.
const SOAK_CALLS: u32 = 50;

/// Makes a test of each case, in plaintext and with TLS. A test is `$check!(case, certificates)`.
macro_rules! test_each_case {
    ($check:ident) => {
        test_each_case! { $check:
            empty_unary
            large_unary
            client_streaming
            server_streaming
            ping_pong
            empty_stream
            timeout_on_sleeping_server
            cancel_after_begin
            cancel_after_first_response
            status_code_and_message
            special_status_message
            unimplemented_method
            unimplemented_service
            rpc_soak
            channel_soak
        }
    };
    ($check:ident: $($case:ident)+) => {
        mod plaintext {
            use super::*;
            $(#[test] fn $case() { $check!($case, None); })+
        }
        mod tls {
            use super::*;
            $(#[test] fn $case() { $check!($case, Some(Certificates::make())); })+
        }
    };
}
use test_each_case;
