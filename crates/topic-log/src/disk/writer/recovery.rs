//! What the writer does when writing fails, and how it goes on.

use std::collections::HashSet;
use std::sync::Arc;

use super::Writer;
use crate::disk::engine::{Engine, Failure};
use crate::disk::folder::probe;
use crate::disk::journal::write_again;
use crate::disk::stored::Stored;
use crate::disk::topic::DiskTopic;

impl Writer {
    /// From now on publishers are refused.
    pub(super) fn fail(&mut self, why: Failure) {
        log::error!(
            "topics in {} cannot be written: {why}. Publishers are refused with UNAVAILABLE, and \
             what is in memory can still be read; tried again every second",
            self.hub.dir.display()
        );
        self.hub.set_engine(Err(why.clone()));
        self.engine = Err(why);
        self.oldest.forget_all();
        self.trim_at.clear();
        self.unsynced = None;
        // What is stored of them is loaded again.
        self.forgotten.clear();
    }

    /// Opens the engine anew, and goes on where that has what was acknowledged.
    pub(super) fn try_again(&mut self, logs: &[Arc<DiskTopic>]) {
        match self.reopen(logs) {
            Ok(engine) => {
                log::info!("topics in {} can be written again", self.hub.dir.display());
                self.engine = Ok(engine);
            }
            Err(why) => {
                if self.engine.as_ref().err() != Some(&why) {
                    let dir = self.hub.dir.display();
                    log::error!("topics in {dir} still cannot be written: {why}");
                }
                self.hub.set_engine(Err(why.clone()));
                self.engine = Err(why);
            }
        }
    }

    fn reopen(&mut self, logs: &[Arc<DiskTopic>]) -> Result<Arc<Engine>, Failure> {
        self.hub.folder_is_there()?;
        probe(&self.hub.store)?;
        write_again(&self.hub.store)?;
        // Files are locked until the last read is over.
        let engine = Arc::new(Engine::open(&self.hub.store)?);
        let stored = Stored::load(&engine)?;
        for log in logs {
            stored.check(log)?;
        }
        self.kept = stored.kept();
        self.seen = stored.seen;
        // Of the failed group, a topic may be stored that has been dropped since.
        let known: HashSet<_> = logs.iter().map(|log| log.id()).collect();
        let stored_ids = stored.topics.keys().copied();
        self.removed = stored_ids.filter(|id| !known.contains(id)).collect();
        // Whoever is woken now may read.
        self.hub.set_engine(Ok(engine.clone()));
        for log in logs {
            self.forgotten.extend(stored.restore(log));
        }
        Ok(engine)
    }
}
