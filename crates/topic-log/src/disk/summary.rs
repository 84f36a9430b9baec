//! What is in a folder that no server uses.

use std::path::Path;
use std::time::SystemTime;

use super::engine::{Engine, Failure};
use super::folder::Folder;
use super::open_error::OpenError;
use super::record;
use crate::name::Name;
use crate::offset::{Bounds, Epoch};

/// A topic on disk.
#[derive(Clone, Debug)]
pub struct TopicSummary {
    /// Its name.
    pub name: Name,
    /// Which life it lives.
    pub epoch: Epoch,
    /// The offsets that it has.
    pub bounds: Bounds,
    /// What it keeps, as [`Retention::bytes`](crate::Retention::bytes) counts it.
    pub bytes: u64,
    /// When the oldest message that it keeps was received; None where there is no message, or
    /// where it cannot be read.
    pub oldest: Option<SystemTime>,
}

/// The topics in `dir`, by name. Nothing in the folder changes.
///
/// # Errors
///
/// See [`OpenError`].
pub fn list(dir: &Path) -> Result<Vec<TopicSummary>, OpenError> {
    let folder = Folder::existing(dir)?;
    let listed = Engine::look_at(&folder.store(), |engine| {
        let topics = engine.topics()?.into_iter();
        let mut listed: Vec<_> = topics.map(|(id, topic)| one(engine, id, topic)).collect();
        listed.sort_by(|a, b| a.name.cmp(&b.name));
        Ok::<_, Failure>(listed)
    });
    listed.map_err(|why| folder.not_opened(why))
}

fn one(engine: &Engine, id: u64, topic: record::Topic) -> TopicSummary {
    let Bounds { earliest, next } = topic.bounds;
    let oldest = match earliest == next {
        true => None,
        false => engine.read(id, earliest, next).ok(),
    };
    TopicSummary {
        name: topic.name,
        epoch: topic.epoch,
        bounds: topic.bounds,
        bytes: topic.bytes,
        oldest: oldest.and_then(|messages| messages.front().map(|m| m.time)),
    }
}
