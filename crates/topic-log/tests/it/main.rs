//! What the stores promise, and what the store on disk leaves in its folder.

// This crate has only tests in it.
#![allow(clippy::expect_used)]

#[cfg(feature = "disk")]
mod disk;
#[cfg(feature = "disk")]
mod disk_files;
mod memory;
#[cfg(feature = "disk")]
mod warnings;
