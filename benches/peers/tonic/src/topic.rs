//! A topic: a log that keeps its last messages, and the cursors that read it.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use tokio::sync::watch;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// How many messages a topic keeps.
const RETENTION: usize = 100_000;
/// How many messages are read or appended at a time, under one lock.
pub const BATCH: usize = 128;

pub struct Topic {
    pub name: String,
    pub epoch: String,
    /// Holds the lock and wakes the cursors that wait.
    log: watch::Sender<Log>,
}

/// One stored copy of each message serves every subscriber.
#[derive(Default)]
struct Log {
    earliest: u64,
    messages: VecDeque<Arc<str>>,
}

impl Log {
    fn next(&self) -> u64 {
        self.earliest + self.messages.len() as u64
    }
}

impl Topic {
    pub fn new(name: &str, epoch: &str) -> Self {
        Self {
            name: name.to_owned(),
            epoch: epoch.to_owned(),
            log: watch::Sender::default(),
        }
    }

    pub fn next(&self) -> u64 {
        self.log.borrow().next()
    }

    /// Appends messages; their offsets.
    pub fn append(&self, messages: impl IntoIterator<Item = Arc<str>>) -> Range<u64> {
        let mut offsets = 0..0;
        self.log.send_modify(|log| {
            offsets.start = log.next();
            for message in messages {
                if log.messages.len() == RETENTION {
                    log.messages.pop_front();
                    log.earliest += 1;
                }
                log.messages.push_back(message);
            }
            offsets.end = log.next();
        });
        offsets
    }

    /// A cursor at `latest`, `earliest` or an offset; of `epoch`, where one is given.
    pub fn subscribe(
        self: &Arc<Self>,
        from: &str,
        epoch: Option<&str>,
        stop: Stop,
    ) -> Result<Cursor, Status> {
        let receiver = self.log.subscribe();
        let log = receiver.borrow();
        let offset = match from {
            "latest" => log.next(),
            "earliest" => log.earliest,
            _ => from.parse().map_err(|_| {
                Status::invalid_argument(format!(
                    "from {from} is not latest, earliest or an offset"
                ))
            })?,
        };
        if let Some(epoch) = epoch.filter(|epoch| *epoch != self.epoch) {
            let why = format!("lives its epoch {}, not {epoch}", self.epoch);
            return Err(self.out_of_range(&log, "OTHER_EPOCH", &why));
        }
        if !(log.earliest..=log.next()).contains(&offset) {
            return Err(self.no_such_offset(&log, offset));
        }
        drop(log);
        Ok(Cursor {
            topic: self.clone(),
            log: receiver,
            offset,
            stop,
        })
    }

    fn no_such_offset(&self, log: &Log, offset: u64) -> Status {
        self.out_of_range(log, "NO_SUCH_OFFSET", &format!("has no offset {offset}"))
    }

    fn out_of_range(&self, log: &Log, reason: &str, why: &str) -> Status {
        let Self { name, epoch, .. } = self;
        let (earliest, next) = (log.earliest, log.next());
        let metadata = HashMap::from([
            ("topic".to_owned(), name.clone()),
            ("epoch".to_owned(), epoch.clone()),
            ("earliest".to_owned(), earliest.to_string()),
            ("next".to_owned(), next.to_string()),
        ]);
        Status::with_error_details(
            Code::OutOfRange,
            format!("topic {name} {why}: its earliest is {earliest} and its next {next}"),
            ErrorDetails::with_error_info(reason, "greeter-stream", metadata),
        )
    }
}

/// Where a cursor ends.
#[derive(Clone, Copy)]
pub enum Stop {
    Never,
    CaughtUp,
    At(u64),
}

/// A subscriber: a place in a topic's log.
pub struct Cursor {
    pub topic: Arc<Topic>,
    log: watch::Receiver<Log>,
    pub offset: u64,
    pub stop: Stop,
}

impl Cursor {
    /// The next messages, once there are any; None at the end. May be dropped without loss.
    pub async fn batch(&mut self) -> Result<Option<Vec<Arc<str>>>, Status> {
        let end = match self.stop {
            Stop::Never => u64::MAX,
            Stop::CaughtUp => self.log.borrow().next(),
            Stop::At(end) => end,
        };
        if self.offset >= end {
            return Ok(None);
        }
        let offset = self.offset;
        let more = self.log.wait_for(|log| log.next() > offset).await;
        let log = more.map_err(|_| Status::unavailable("the topic is gone"))?;
        let Some(start) = offset.checked_sub(log.earliest) else {
            return Err(self.topic.no_such_offset(&log, offset));
        };
        let end = (log.next().min(end) - log.earliest).min(start + BATCH as u64);
        let batch: Vec<_> = log
            .messages
            .range(start as usize..end as usize)
            .cloned()
            .collect();
        self.offset += batch.len() as u64;
        Ok(Some(batch))
    }
}
