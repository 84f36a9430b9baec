//! The thread that writes. It gathers the batches that publishers have handed over, writes them in
//! one step, delivers the messages and answers the publishers.
//!
//! While one group is being synced, the next gathers, so that one sync serves all publishers that
//! wait. A message is delivered, and its publisher answered, once it is as durable as
//! [`Durability`] says. The messages of a group and the sequence numbers of their producers become
//! durable together or not at all.
//!
//! When a write fails, the engine is closed, because what it has of the failed group is unknown.
//! Publishers are refused until it is open again, which is tried every second. Then the topics are
//! what the engine has, which is at least what was acknowledged.

mod delivery;
mod maintenance;
mod open;
mod recovery;

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use self::delivery::Delivery;
use self::maintenance::Round;
use self::open::{Open, Removed};
use super::engine::Engine;
use super::entry::{Entry, Forgotten};
use super::failure::Failure;
use super::group::{Append, Group};
use super::loaded::Loaded;
use super::repeats;
use super::settings::{Durability, Settings};
use super::shared_engine::SharedEngine;
use super::work::Work;
use crate::limit_watch::LimitWatch;
use crate::registry::Registry;

/// A group with this many bytes, as retention counts them, is full.
const GROUP_BYTES: u64 = 4 * 1024 * 1024;

/// How often the topics are maintained, and how often the engine is opened again after a failure.
const MAINTAIN_EVERY: Duration = Duration::from_secs(1);

/// What writes the topics of a registry.
pub(super) struct Writer {
    engine: Arc<SharedEngine>,
    work: Receiver<Work>,
    topics: Weak<Mutex<Registry<Entry>>>,
    settings: Settings,
    state: State,
    delivery: Delivery,
    /// Batches for the next group.
    held: Vec<Append>,
    removed: Removed,
    watch: LimitWatch,
    /// Whether there was no room for a batch since the last round of maintenance.
    refused: bool,
    maintained: Instant,
    /// The index of the topic at which the next round of maintenance begins.
    round_from: usize,
}

enum State {
    Open(Open),
    /// Nothing can be written, for this reason.
    Failed(Failure),
}

impl Writer {
    /// A writer of the topics in `loaded`, which it removes the `forgotten` producers of.
    pub(super) fn new(
        shared: Arc<SharedEngine>,
        engine: Arc<Engine>,
        work: Receiver<Work>,
        topics: Weak<Mutex<Registry<Entry>>>,
        settings: Settings,
        loaded: &Loaded,
        forgotten: Vec<Forgotten>,
    ) -> Self {
        Self {
            watch: LimitWatch::new(settings.limits),
            refused: false,
            engine: shared,
            work,
            topics,
            settings,
            state: State::Open(Open::new(engine, loaded, forgotten)),
            delivery: Delivery::default(),
            held: Vec::new(),
            removed: Removed::default(),
            maintained: Instant::now(),
            round_from: 0,
        }
    }

    /// Works until [`Work::Stop`].
    pub(super) fn run(mut self) {
        let mut going_on = true;
        while going_on || !self.held.is_empty() {
            let mut appends = std::mem::take(&mut self.held);
            going_on &= self.gather(&mut appends);
            self.write(appends);
            self.sync_in_time(!going_on);
            self.maintain();
        }
    }

    /// Takes the work that was handed over. Waits for work where there is none. Returns false when
    /// no more work follows.
    fn gather(&mut self, appends: &mut Vec<Append>) -> bool {
        let mut bytes: u64 = appends.iter().map(Append::bytes).sum();
        let mut wait = if appends.is_empty() {
            self.until_something_is_due()
        } else {
            Duration::ZERO
        };
        while bytes < GROUP_BYTES {
            match self.work.recv_timeout(std::mem::take(&mut wait)) {
                Ok(Work::Append(append)) => {
                    bytes += append.bytes();
                    appends.push(append);
                }
                Ok(Work::Remove(entry, epoch)) => {
                    self.removed.topics.push(entry.id());
                    self.removed.epoch = Some(epoch);
                }
                Err(RecvTimeoutError::Timeout) => break,
                Ok(Work::Stop) | Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
        true
    }

    fn until_something_is_due(&self) -> Duration {
        let maintenance = self.maintained + MAINTAIN_EVERY;
        let sync = match &self.state {
            State::Open(open) => open.sync_due(self.settings.durability),
            State::Failed(_) => None,
        };
        let due = sync.map_or(maintenance, |sync| sync.min(maintenance));
        due.saturating_duration_since(Instant::now())
    }

    /// Writes one group, and answers its publishers.
    fn write(&mut self, appends: Vec<Append>) {
        let open = match &mut self.state {
            State::Open(open) => open,
            State::Failed(why) => {
                let refusal = self.engine.unusable(why);
                appends.into_iter().for_each(|a| a.refuse(refusal.clone()));
                return;
            }
        };
        let Settings {
            clock,
            retention,
            limits,
            ..
        } = &self.settings;
        let mut group = Group::new(clock.now());
        let mut kept = open.kept;
        for append in appends {
            if let Err(why) = repeats::compare(&self.engine, &open.engine, &append) {
                append.refuse(why);
                continue;
            }
            let held = group.add(append, &mut kept, retention, limits);
            self.held.extend(held);
        }
        self.refused |= group.refused;
        match open.write(&mut group, &mut self.removed, &self.settings) {
            Ok(()) => self.delivery.deliver(group, open),
            Err(why) => {
                let refusal = self.engine.unusable(&why);
                for (reply, _) in group.replies {
                    let _ = reply.send(Err(refusal.clone()));
                }
                self.fail(why);
            }
        }
    }

    /// Syncs what has waited long enough, or everything that waits when it is the `last` time.
    fn sync_in_time(&mut self, last: bool) {
        let (State::Open(open), Durability::Within(time)) =
            (&mut self.state, self.settings.durability)
        else {
            return;
        };
        if let Err(why) = open.sync_in_time(time, last) {
            self.fail(why);
        }
    }

    /// Does what is due once a second.
    fn maintain(&mut self) {
        if self.maintained.elapsed() < MAINTAIN_EVERY {
            return;
        }
        let Some(topics) = self.topics.upgrade() else {
            return;
        };
        // Weak, so that an idle topic is not taken for one that is in use.
        let all: Vec<_> = topics.lock().all().map(Arc::downgrade).collect();
        match &mut self.state {
            State::Open(open) => {
                let refused = std::mem::take(&mut self.refused);
                self.watch.look(&mut topics.lock(), open.kept, refused);
                let mut round = Round {
                    open,
                    delivery: &mut self.delivery,
                    retention: &self.settings.retention,
                    clock: &self.settings.clock,
                };
                let checked = self.engine.check_folder();
                match checked.and_then(|()| round.run(&all, self.round_from)) {
                    Ok(next) => self.round_from = next,
                    Err(why) => self.fail(why),
                }
            }
            State::Failed(why) => {
                let why = why.clone();
                self.try_again(&why, &all);
            }
        }
        self.maintained = Instant::now();
    }

    /// From now on publishers are refused.
    fn fail(&mut self, why: Failure) {
        log::error!(
            "topics in {} cannot be written: {why}. Publishers are refused; what is in memory can \
             still be read. The store tries again every second",
            self.engine.dir().display()
        );
        self.engine.set(Err(why.clone()));
        self.state = State::Failed(why);
    }

    /// Opens the engine again. `before` is why that was necessary, or why it last failed.
    fn try_again(&mut self, before: &Failure, topics: &[Weak<Entry>]) {
        let dir = self.engine.dir().display();
        let topics: Vec<_> = topics.iter().filter_map(Weak::upgrade).collect();
        match recovery::reopen(&self.engine, &topics, &mut self.removed) {
            Ok(open) => {
                log::info!("topics in {dir} can be written again");
                self.state = State::Open(open);
            }
            Err(why) => {
                if why != *before {
                    log::error!("topics in {dir} still cannot be written: {why}");
                }
                self.engine.set(Err(why.clone()));
                self.state = State::Failed(why);
            }
        }
    }
}
