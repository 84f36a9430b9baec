//! Which life of which topic, and what offsets mean in it.

use std::time::SystemTime;

use crate::error::Error;
use crate::name::Name;
use crate::offset::{Bounds, Epoch, Offset};
use crate::start_at::StartAt;

/// One life of one topic.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    pub(super) name: Name,
    pub(super) epoch: Epoch,
}

/// Where a subscriber starts.
pub(super) enum Start {
    At(Offset),
    /// At the first message that was received then or later.
    Since(SystemTime),
}

impl Identity {
    /// Where that is in a topic that has `bounds`.
    pub(super) fn start(&self, start: StartAt, bounds: Bounds) -> Result<Start, Error> {
        let Bounds { earliest, next } = bounds;
        Ok(match start {
            StartAt::Latest => Start::At(next),
            StartAt::Earliest => Start::At(earliest),
            StartAt::Last(count) => Start::At(next.saturating_sub(count).max(earliest)),
            StartAt::Since(time) => Start::Since(time),
            StartAt::Offset(_, Some(epoch)) if epoch != self.epoch => {
                return Err(Error::OtherEpoch {
                    topic: self.name.clone(),
                    wanted: epoch,
                    now: self.epoch,
                    bounds,
                })
            }
            StartAt::Offset(offset, _) if (earliest..=next).contains(&offset) => Start::At(offset),
            StartAt::Offset(offset, _) => return Err(self.out_of_range(offset, bounds)),
        })
    }

    pub(super) fn out_of_range(&self, wanted: Offset, bounds: Bounds) -> Error {
        Error::OutOfRange {
            topic: self.name.clone(),
            epoch: self.epoch,
            wanted,
            bounds,
        }
    }
}
