//! What the writer is asked for.

use std::sync::Arc;

use super::entry::Entry;
use super::group::Append;

/// What the writer is asked for.
#[derive(Debug)]
pub(super) enum Work {
    /// To append a batch.
    Append(Append),
    /// To remove this topic, which was dropped. Topics that are created from now on have this
    /// epoch.
    Remove(Arc<Entry>, u64),
    /// To end. No work follows.
    Stop,
}
