//! Publishes to many topics at once, each exactly once.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{ready, Context, Poll};
use std::time::{Duration, Instant};

use futures::{Sink, SinkExt};
use grpcio_streams::Status;
use parking_lot::Mutex;
use topic_log::{Name, ProducerName};

use super::calls::Client;
use super::publish::{PublishError, PublishOptions, Publisher};
use super::retry::Notice;
use crate::protocol::reason::reworded;
use crate::protocol::Receipt;

/// When so many bytes are gathered for all topics together, all are sent and acknowledged before
/// the next message.
const GATHERED_BYTES: usize = 8 * 1024 * 1024;

/// What a gathered message takes beside its text, in bytes.
const OVERHEAD: usize = 64;

/// How many topics are sent to at the same time.
const TOPICS_AT_A_TIME: usize = 32;

impl Client {
    /// Publishes to many topics. Each has a [`Publisher`] of its own with these options, from its
    /// first message on.
    ///
    /// With a [producer](PublishOptions::producer), the messages of each topic are numbered for
    /// themselves. While the server is UNAVAILABLE, the notice is called for one topic at a time.
    pub fn publish_to_many(&self, options: PublishOptions) -> Publishers {
        Publishers {
            client: self.clone(),
            producer: options.producer,
            from_start: options.from_start,
            resume: options.resume,
            notice: Arc::new(Mutex::new(SharedNotice {
                notice: options.notice,
                until: Instant::now(),
            })),
            numbers: BTreeMap::new(),
            topics: Vec::new(),
            unsent: VecDeque::new(),
            last: None,
            bytes: 0,
        }
    }
}

/// A sink of messages for many topics.
///
/// It is like a [`Publisher`] for each topic: a message is acknowledged once a flush after it, or
/// the close, has succeeded. A flush may report [`PublishError::Lost`] of one topic, and the sink
/// can still be used then. After [`PublishError::Ended`], which names the topic, it cannot be used
/// any more.
///
/// It gathers at most about 8 MiB for all topics together. Beside that, a topic takes about
/// 1 KiB until the sink is dropped.
pub struct Publishers {
    client: Client,
    producer: Option<ProducerName>,
    from_start: bool,
    resume: bool,
    notice: Arc<Mutex<SharedNotice>>,
    /// The place of each topic in `topics`.
    numbers: BTreeMap<Name, usize>,
    topics: Vec<Topic>,
    /// The topics with messages that are not acknowledged yet.
    unsent: VecDeque<usize>,
    /// The topic of the last message. All others are ready for a message.
    last: Option<usize>,
    /// The size of what was gathered since everything was acknowledged.
    bytes: usize,
}

struct Topic {
    name: Name,
    publisher: Publisher,
    is_unsent: bool,
}

/// The notice of all topics.
struct SharedNotice {
    notice: Notice,
    /// A try that was reported begins then. Until then no other is reported.
    until: Instant,
}

impl SharedNotice {
    fn tell(&mut self, status: &Status, wait: Duration) {
        let now = Instant::now();
        if now >= self.until {
            self.until = now + wait;
            (self.notice)(status, wait);
        }
    }
}

impl Publishers {
    /// The receipt of each topic, in the order of their names; see [`Publisher::receipt`].
    pub fn receipts(&self) -> impl Iterator<Item = &Receipt> {
        let topics = self.numbers.values().map(|number| &self.topics[*number]);
        topics.filter_map(|topic| topic.publisher.receipt())
    }

    /// The place of a topic in `topics`.
    fn number(&mut self, name: Name) -> usize {
        if let Some(number) = self.numbers.get(&name) {
            return *number;
        }
        let notice = self.notice.clone();
        let options = PublishOptions {
            producer: self.producer.clone(),
            from_start: self.from_start,
            resume: self.resume,
            notice: Box::new(move |status, wait| notice.lock().tell(status, wait)),
        };
        let number = self.topics.len();
        self.topics.push(Topic {
            name: name.clone(),
            publisher: self.client.publish(name.clone(), options),
            is_unsent: false,
        });
        self.numbers.insert(name, number);
        number
    }

    /// Sends and waits until everything is acknowledged.
    fn poll_acknowledged(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), PublishError>> {
        let mut at = 0;
        while at < self.unsent.len().min(TOPICS_AT_A_TIME) {
            let topic = &mut self.topics[self.unsent[at]];
            match topic.publisher.poll_flush_unpin(cx) {
                Poll::Ready(Ok(())) => {
                    topic.is_unsent = false;
                    // The last one takes its place, and is the next to be looked at.
                    self.unsent.swap_remove_back(at);
                }
                Poll::Ready(Err(e)) => return Poll::Ready(Err(of_topic(&topic.name, e))),
                Poll::Pending => at += 1,
            }
        }
        if self.unsent.is_empty() {
            self.bytes = 0;
            Poll::Ready(Ok(()))
        } else {
            Poll::Pending
        }
    }
}

/// The error, which names the topic. Some statuses of the server do that already.
fn of_topic(topic: &Name, error: PublishError) -> PublishError {
    let start = format!("topic {topic}");
    match error {
        PublishError::Ended(status) if !status.message().starts_with(&start) => {
            let message = format!("{start}: {}", status.message());
            reworded(status, message).into()
        }
        other => other,
    }
}

impl Sink<(Name, String)> for Publishers {
    type Error = PublishError;

    fn poll_ready(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), PublishError>> {
        if let Some(last) = self.last {
            let topic = &mut self.topics[last];
            let ready = ready!(topic.publisher.poll_ready_unpin(cx));
            ready.map_err(|e| of_topic(&topic.name, e))?;
            self.last = None;
        }
        if self.bytes < GATHERED_BYTES {
            Poll::Ready(Ok(()))
        } else {
            self.poll_acknowledged(cx)
        }
    }

    fn start_send(
        mut self: Pin<&mut Self>,
        (name, message): (Name, String),
    ) -> Result<(), PublishError> {
        self.bytes += message.len() + OVERHEAD;
        let number = self.number(name);
        self.last = Some(number);
        let topic = &mut self.topics[number];
        topic.publisher.start_send_unpin(message)?;
        if !std::mem::replace(&mut topic.is_unsent, true) {
            self.unsent.push_back(number);
        }
        Ok(())
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), PublishError>> {
        self.poll_acknowledged(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), PublishError>> {
        self.poll_flush(cx)
    }
}

impl fmt::Debug for Publishers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publishers")
            .field("topics", &self.numbers.keys())
            .finish_non_exhaustive()
    }
}
