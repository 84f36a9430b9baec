//! The examples of the documents, typed as they stand there.

mod protocol;
mod walk_throughs;
