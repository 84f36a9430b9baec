//! What a call is to its client and to its handler: its messages, its end, and its share of the
//! server. Most of these calls name no topic.

mod admission;
mod batching;
mod core_retries;
mod departure;
mod failure;
mod fairness;
mod malformed;
mod metadata;
mod success;
