//! What the stores promise, what the store on disk leaves in its folder, and the names of any texts.

// This crate has only tests in it.
#![allow(clippy::expect_used)]

#[cfg(feature = "disk")]
mod disk;
#[cfg(feature = "disk")]
mod disk_files;
mod memory;
mod names;
#[cfg(feature = "disk")]
mod warnings;
