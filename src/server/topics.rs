//! Where the topics of a server are kept.

use std::path::PathBuf;
use std::sync::Arc;

use topic_log::{Disk, Durability, Limits, Memory, OpenError, Retention, Store};

/// How topics are kept.
#[derive(Clone, Debug, Default)]
pub struct Topics {
    /// How much each topic keeps.
    pub retention: Retention,
    /// How much there may be in all topics.
    pub limits: Limits,
    /// Where they outlive the process; None for in memory.
    pub data: Option<Data>,
}

/// Topics on disk.
#[derive(Clone, Debug)]
pub struct Data {
    /// The folder, which comes into being if it is not there. No other process may use it.
    pub dir: PathBuf,
    /// What is safe before a publisher is answered.
    pub durability: Durability,
}

impl Topics {
    pub(super) fn open(&self) -> Result<Arc<dyn Store>, OpenError> {
        let (retention, limits) = (self.retention, self.limits);
        Ok(match &self.data {
            None => Arc::new(Memory::new(retention, limits)),
            Some(Data { dir, durability }) => {
                Arc::new(Disk::open(dir, *durability, retention, limits)?)
            }
        })
    }
}
