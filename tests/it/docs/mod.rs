//! What the documents say: their examples are typed in as they stand.

mod protocol;
mod walk_throughs;
