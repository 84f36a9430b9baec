//! Which life of which topic, and what offsets mean in it.

use std::time::SystemTime;

use super::{Bounds, Epoch, Error, From, Name, Offset};

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
    pub(super) fn start(&self, from: From, bounds: Bounds) -> Result<Start, Error> {
        let Bounds { earliest, next } = bounds;
        Ok(match from {
            From::Latest => Start::At(next),
            From::Earliest => Start::At(earliest),
            From::Last(count) => Start::At(next.saturating_sub(count).max(earliest)),
            From::Since(time) => Start::Since(time),
            From::Offset(_, Some(epoch)) if epoch != self.epoch => {
                return Err(Error::OtherEpoch {
                    topic: self.name.clone(),
                    wanted: epoch,
                    now: self.epoch,
                    bounds,
                })
            }
            From::Offset(offset, _) if (earliest..=next).contains(&offset) => Start::At(offset),
            From::Offset(offset, _) => return Err(self.out_of_range(offset, bounds)),
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
