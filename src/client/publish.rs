//! Publishing to a topic exactly once, whatever happens to the connection.

use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{ready, Context, Poll};

use futures::future::BoxFuture;
use futures::{stream, FutureExt, Sink};
use futures_timer::Delay;
use grpcio::RpcStatusCode;

use super::backoff::Backoff;
use super::subscribe::Notice;
use super::{is_unavailable, request, Client};
use crate::generated::greeter::StreamResData;
use crate::service::PUT_STREAM;
use grpcio_streams::{client, Status};
use topic_log::{Epoch, Name, Offset, ProducerName};

/// A call carries at most so much; then its messages are acknowledged and the next call begins.
const CALL_MESSAGES: usize = 1_000;
const CALL_BYTES: usize = 1024 * 1024;

/// How a publisher behaves.
pub struct PublishOptions {
    /// Who publishes. A producer's messages are numbered from 0 and stored once each: to publish
    /// the same messages again under its name changes nothing, and other messages need another
    /// name. None for a name that nobody has had.
    pub producer: Option<ProducerName>,
    /// Whether to try again when the server is UNAVAILABLE, or to fail.
    pub resume: bool,
    /// Is told before each new try.
    pub notice: Notice,
}

impl Default for PublishOptions {
    /// A name of its own, and silent retries.
    fn default() -> Self {
        Self {
            producer: None,
            resume: true,
            notice: Box::new(|_, _| {}),
        }
    }
}

/// What has become of what was published, as the receipts of its calls told. A receipt may be lost
/// with its connection; then the next one tells of the same messages as duplicates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The topic's life.
    pub epoch: Epoch,
    /// The offset of the first message that a receipt told as stored, if one did.
    pub first: Option<Offset>,
    /// The offset of the last.
    pub last: Option<Offset>,
    /// How many messages were stored.
    pub accepted: u64,
    /// How many the topic had already from this producer.
    pub duplicates: u64,
}

/// What ends a publisher.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PublishError {
    /// A call failed with this status. What was not acknowledged may or may not be stored.
    Ended(Status),
    /// The topic began anew: what it had acknowledged is gone.
    Lost {
        /// What was acknowledged in the topic's former life.
        before: Published,
        /// The life it lives now; what was sent last is stored there.
        now: Epoch,
    },
}

impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended(status) => status.fmt(f),
            Self::Lost { before, now } => {
                let Published {
                    epoch, accepted, ..
                } = before;
                write!(
                    f,
                    "the topic began anew: {accepted} messages that it had acknowledged in epoch \
                     {epoch} are lost"
                )?;
                if let (Some(first), Some(last)) = (before.first, before.last) {
                    write!(f, " (offsets {first} to {last})")?;
                }
                write!(f, "; going on in epoch {now}")
            }
        }
    }
}

impl Error for PublishError {}

impl From<Status> for PublishError {
    fn from(status: Status) -> Self {
        Self::Ended(status)
    }
}

impl Client {
    /// Publishes to a topic.
    ///
    /// The sink gathers messages and sends them in calls of bounded size, whose receipts
    /// acknowledge them. What is not acknowledged is kept and sent again, with the same sequence
    /// numbers, when the server becomes UNAVAILABLE; it is tried again after a while that grows
    /// from a tenth of a second to five seconds. A server that was never reached is tried again
    /// only if the client [waits](super::Config::wait).
    pub fn publish(&self, topic: Name, options: PublishOptions) -> Publisher {
        self.publisher(topic, options, self.config.wait)
    }

    /// `reached` says whether a server that cannot be reached is worth trying again.
    pub(super) fn publisher(
        &self,
        topic: Name,
        options: PublishOptions,
        reached: bool,
    ) -> Publisher {
        let producer = options.producer.clone();
        let core = Core {
            client: self.clone(),
            topic,
            producer: producer.map_or_else(random_name, |name| name.as_str().to_owned()),
            reached,
            options,
            sequence: 0,
            published: None,
            backoff: Backoff::new(),
        };
        Publisher {
            state: State::Idle(Box::new(core)),
            batch: Vec::new(),
            bytes: 0,
            losses: VecDeque::new(),
        }
    }
}

/// A sink of messages for a topic.
///
/// A message is acknowledged once a flush after it, or the close, is over. A flush that is over
/// may say [`PublishError::Lost`] of what had been acknowledged before; the sink goes on, and the
/// next flush says if there is more to tell. After [`PublishError::Ended`] it is of no more use.
pub struct Publisher {
    state: State,
    /// What goes with the next call.
    batch: Vec<String>,
    /// The text in `batch`.
    bytes: usize,
    /// To be told when everything is sent.
    losses: VecDeque<PublishError>,
}

enum State {
    Idle(Box<Core>),
    Sending(BoxFuture<'static, (Box<Core>, Result<(), PublishError>)>),
    Ended(PublishError),
}

struct Core {
    client: Client,
    topic: Name,
    producer: String,
    options: PublishOptions,
    /// The number of the next message.
    sequence: u64,
    /// What the topic's present life has acknowledged.
    published: Option<Published>,
    backoff: Backoff,
    /// Whether it is worth trying again.
    reached: bool,
}

impl Publisher {
    /// What has been acknowledged since the publisher, or the topic, began; None before the first
    /// acknowledgement, while a call is under way and after the end.
    pub fn published(&self) -> Option<&Published> {
        match &self.state {
            State::Idle(core) => core.published.as_ref(),
            _ => None,
        }
    }

    fn is_full(&self) -> bool {
        self.batch.len() >= CALL_MESSAGES || self.bytes >= CALL_BYTES
    }

    /// Waits for the call under way.
    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), PublishError>> {
        match &mut self.state {
            State::Idle(_) => Poll::Ready(Ok(())),
            State::Ended(e) => Poll::Ready(Err(e.clone())),
            State::Sending(sending) => {
                let (core, sent) = ready!(sending.poll_unpin(cx));
                match sent {
                    Err(e @ PublishError::Ended(_)) => {
                        self.state = State::Ended(e.clone());
                        return Poll::Ready(Err(e));
                    }
                    Err(loss) => self.losses.push_back(loss),
                    Ok(()) => {}
                }
                self.state = State::Idle(core);
                Poll::Ready(Ok(()))
            }
        }
    }

    /// Starts a call with what has been gathered. Only while idle.
    fn start_call(&mut self) {
        let ended = PublishError::Ended(Status::internal("the publisher was dropped in a call"));
        match std::mem::replace(&mut self.state, State::Ended(ended)) {
            State::Idle(core) => {
                let batch = std::mem::take(&mut self.batch);
                self.bytes = 0;
                self.state = State::Sending(core.send(batch).boxed());
            }
            other => self.state = other,
        }
    }
}

impl Sink<String> for Publisher {
    type Error = PublishError;

    fn poll_ready(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), PublishError>> {
        while self.is_full() {
            ready!(self.poll_idle(cx))?;
            self.start_call();
        }
        match &self.state {
            State::Ended(e) => Poll::Ready(Err(e.clone())),
            _ => Poll::Ready(Ok(())),
        }
    }

    fn start_send(mut self: Pin<&mut Self>, message: String) -> Result<(), PublishError> {
        self.bytes += message.len();
        self.batch.push(message);
        Ok(())
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), PublishError>> {
        loop {
            ready!(self.poll_idle(cx))?;
            if self.batch.is_empty() {
                return Poll::Ready(self.losses.pop_front().map_or(Ok(()), Err));
            }
            self.start_call();
        }
    }

    fn poll_close(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), PublishError>> {
        ready!(self.poll_idle(cx))?;
        if self.batch.is_empty() && self.published().is_none() {
            // Whether there is a server is worth knowing, also of one who published nothing.
            self.start_call();
        }
        self.poll_flush(cx)
    }
}

impl Core {
    async fn send(
        mut self: Box<Self>,
        batch: Vec<String>,
    ) -> (Box<Self>, Result<(), PublishError>) {
        loop {
            let status = match self.begin_and_call(&batch).await {
                Ok(published) => {
                    self.sequence += batch.len() as u64;
                    self.backoff.reset();
                    let acknowledged = self.acknowledge(published);
                    return (self, acknowledged);
                }
                Err(status) => status,
            };
            if !(is_unavailable(&status) && self.options.resume && self.reached) {
                return (self, Err(status.into()));
            }
            let wait = self.backoff.next();
            (self.options.notice)(&status, wait);
            Delay::new(wait).await;
        }
    }

    /// A first call without messages finds out whether there is a server, and which life the
    /// topic lives: from then on it is worth trying again.
    async fn begin_and_call(&mut self, batch: &[String]) -> Result<Published, Status> {
        if self.published.is_none() {
            self.published = Some(self.call(&[]).await?);
            self.reached = true;
        }
        let published = self.call(batch).await?;
        let count = published.accepted + published.duplicates;
        if count != batch.len() as u64 {
            let sent = batch.len();
            let why = format!("the server acknowledged {count} messages of the {sent} in a call");
            return Err(Status::new(RpcStatusCode::DATA_LOSS, why));
        }
        Ok(published)
    }

    /// One call; what its receipt says.
    async fn call(&self, batch: &[String]) -> Result<Published, Status> {
        let options = self.client.options_with(&[
            ("topic", self.topic.as_str()),
            ("producer", &self.producer),
            ("sequence", &self.sequence.to_string()),
        ])?;
        let requests = stream::iter(
            batch
                .iter()
                .cloned()
                .map(|data| Ok::<_, Status>(request(data))),
        );
        let receipt: StreamResData =
            client::client_streaming(&self.client.client, PUT_STREAM, requests, options).await?;
        parse(&receipt.data).ok_or_else(|| {
            let why = "the server does not know topics: it answered without a receipt";
            Status::new(RpcStatusCode::UNIMPLEMENTED, why)
        })
    }

    fn acknowledge(&mut self, new: Published) -> Result<(), PublishError> {
        match &mut self.published {
            Some(published) if published.epoch == new.epoch => {
                published.first = published.first.or(new.first);
                published.last = new.last.or(published.last);
                published.accepted += new.accepted;
                published.duplicates += new.duplicates;
                Ok(())
            }
            published => match published.replace(new.clone()) {
                Some(before) if before.accepted > 0 => Err(PublishError::Lost {
                    before,
                    now: new.epoch,
                }),
                // There was nothing to lose.
                _ => Ok(()),
            },
        }
    }
}

fn parse(receipt: &str) -> Option<Published> {
    let receipt: serde_json::Value = serde_json::from_str(receipt).ok()?;
    Some(Published {
        epoch: receipt.get("epoch")?.as_str()?.parse().ok()?,
        first: receipt.get("first")?.as_u64(),
        last: receipt.get("last")?.as_u64(),
        accepted: receipt.get("accepted")?.as_u64()?,
        duplicates: receipt.get("duplicates")?.as_u64()?,
    })
}

/// The name of a producer that nobody has had.
fn random_name() -> String {
    format!("{:032x}", fastrand::u128(..))
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut s = f.debug_struct("Publisher");
        s.field("gathered", &self.batch.len())
            .finish_non_exhaustive()
    }
}
