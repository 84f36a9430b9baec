//! The examples of the documents, typed as they stand there.

mod walk_throughs;
