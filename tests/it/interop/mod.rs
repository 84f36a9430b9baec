//! Our programs together with those of others: the original Go programs, and Envoy.

mod envoy;
mod go;
