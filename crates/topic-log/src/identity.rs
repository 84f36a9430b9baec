//! Which incarnation of which topic this is, and which offset a subscriber of it starts at.

use std::time::SystemTime;

use crate::error::Error;
use crate::name::Name;
use crate::offset::{Bounds, Epoch, Offset};
use crate::start_at::StartAt;

/// One incarnation of one topic.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) name: Name,
    pub(crate) epoch: Epoch,
}

/// Where a subscriber starts in a topic whose bounds are known.
pub(crate) enum Start {
    /// At this offset.
    At(Offset),
    /// At the first message that was received at this time or later, which has to be searched.
    Since(SystemTime),
}

impl Identity {
    /// Where `start` is in a topic that has `bounds`.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] and [`Error::OtherEpoch`].
    pub(crate) fn resolve(&self, start: StartAt, bounds: Bounds) -> Result<Start, Error> {
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

    pub(crate) fn out_of_range(&self, wanted: Offset, bounds: Bounds) -> Error {
        Error::OutOfRange {
            topic: self.name.clone(),
            epoch: self.epoch,
            wanted,
            bounds,
        }
    }
}
