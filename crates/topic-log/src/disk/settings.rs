//! What the user of a store on disk decides.

use std::time::Duration;

use crate::clock::Clock;
use crate::limits::StoreLimits;
use crate::retention::Retention;

/// When a message is durable enough to answer its publisher and to deliver it to subscribers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Once it is on the disk. Nothing is lost when the machine loses power.
    Synced,
    /// Once the operating system has it; it is on the disk within this time. When the machine loses
    /// power or its kernel stops, messages of about this time are lost. When only the process ends,
    /// nothing is.
    Within(Duration),
}

/// What the user of a store on disk decides.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) clock: Clock,
    pub(super) durability: Durability,
    pub(super) retention: Retention,
    pub(super) limits: StoreLimits,
}
