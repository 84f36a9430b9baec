//! Our programs and libraries together with those of others: the original Go programs, gRPC's own
//! interop tests, and Envoy.

mod envoy;
mod go;
mod official;
