//! What is in a folder that no store uses.

use std::path::Path;
use std::time::SystemTime;

use super::engine::Engine;
use super::failure::Failure;
use super::folder::Folder;
use super::open_error::OpenError;
use super::record;
use crate::name::Name;
use crate::offset::{Bounds, Epoch};

/// A topic in a folder that no store uses.
#[derive(Clone, Debug)]
pub struct TopicSummary {
    /// Its name.
    pub name: Name,
    /// Its epoch.
    pub epoch: Epoch,
    /// The offsets that it keeps.
    pub bounds: Bounds,
    /// The bytes that it keeps, counted as in [`Retention::bytes`](crate::Retention::bytes).
    pub bytes: u64,
    /// When the oldest message that it keeps was received. `None` when there is no message, or when
    /// it cannot be read.
    pub oldest: Option<SystemTime>,
}

/// The topics in `dir`, by name.
pub(super) fn list(dir: &Path) -> Result<Vec<TopicSummary>, OpenError> {
    let folder = Folder::existing(dir)?;
    let summaries = Engine::look_at(&folder.store(), |engine| {
        let topics = engine.topics()?.into_iter();
        let mut all: Vec<_> = topics.map(|(id, t)| summarize(engine, id, t)).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok::<_, Failure>(all)
    });
    summaries.map_err(|why| folder.not_opened(why))
}

fn summarize(engine: &Engine, id: u64, topic: record::Topic) -> TopicSummary {
    let Bounds { earliest, next } = topic.bounds;
    let oldest = if topic.bounds.is_empty() {
        None
    } else {
        engine.read(id, earliest, next).ok()
    };
    TopicSummary {
        name: topic.name,
        epoch: topic.epoch,
        bounds: topic.bounds,
        bytes: topic.bytes,
        oldest: oldest.and_then(|messages| Some(topic.times.at(earliest, messages.front()?.time))),
    }
}
