//! Calls that name a topic: publishers and subscribers, where they begin and how they resume, and
//! how much a topic keeps.

mod calls;
mod clock;
mod fan_out;
mod limits;
mod producers;
mod resume;
