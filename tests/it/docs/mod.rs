//! What the documents say: their examples are typed in as they stand.

mod walk_throughs;
