//! Publishes to a topic exactly once, across lost connections and restarts.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{ready, Context, Poll};

use futures::future::BoxFuture;
use futures::{stream, FutureExt, Sink};
use grpcio_streams::Status;
use topic_log::{Epoch, Name, ProducerName};

use super::calls::Client;
use super::retry::{Notice, Retry};
use crate::protocol::message::request;
use crate::protocol::{Receipt, Request};

/// The limits of a call. When it reaches one of them, its messages are acknowledged and the next
/// call begins.
const CALL_MESSAGES: usize = 1_000;
const CALL_BYTES: usize = 1024 * 1024;

/// How a publisher behaves.
pub struct PublishOptions {
    /// The producer, whose messages are numbered, and each number is stored once. One publisher at
    /// a time uses a name on a topic. None for a new random name.
    pub producer: Option<ProducerName>,
    /// Whether the messages of the named producer are numbered from 0. Then publishing the same
    /// messages again stores nothing, and other messages under the same numbers are refused.
    /// Otherwise the numbers go on where the topic's last message of this producer ends.
    pub from_start: bool,
    /// Whether it tries again when the server is UNAVAILABLE, because the connection is lost or the
    /// server was not reached yet. Otherwise it fails.
    pub resume: bool,
    /// Called before each new try.
    pub notice: Notice,
}

impl Default for PublishOptions {
    /// A random name, and retries that are not reported.
    fn default() -> Self {
        Self {
            producer: None,
            from_start: false,
            resume: true,
            notice: Box::new(|_, _| {}),
        }
    }
}

/// An error of a publisher.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// A call failed with this status. Messages that were not acknowledged may or may not be stored.
    #[error(transparent)]
    Ended(#[from] Status),
    /// The topic has a new epoch, and messages that it had acknowledged are lost.
    #[error(
        "topic {}: {} messages that it had acknowledged in epoch {} are lost{}: the topic has a new \
         epoch; going on in epoch {now}",
        before.topic, before.accepted, before.epoch, offsets(before)
    )]
    Lost {
        /// The messages that were acknowledged in the topic's former epoch.
        before: Receipt,
        /// The topic's present epoch. The messages of the last call are stored in it.
        now: Epoch,
    },
}

fn offsets(receipt: &Receipt) -> String {
    match (receipt.first, receipt.last) {
        (Some(first), Some(last)) => format!(" (offsets {first} to {last})"),
        _ => String::new(),
    }
}

impl Client {
    /// Publishes to a topic.
    ///
    /// ```no_run
    /// use futures::SinkExt;
    /// use greeter_stream::client::{Client, Config, PublishOptions};
    /// use greeter_stream::grpcio_streams::Queues;
    /// use greeter_stream::topic_log::Name;
    ///
    /// let client = Client::new(&Queues::start("client", 1), Config::default())?;
    /// let topic = Name::new("stocks/AAPL")?;
    /// let mut publisher = client.publish(topic, PublishOptions::default());
    /// let receipt = client.run(async move {
    ///     publisher.feed("189.37".to_owned()).await?;
    ///     publisher.feed("189.41".to_owned()).await?;
    ///     // Both messages are stored once this succeeds.
    ///     publisher.close().await?;
    ///     Ok::<_, greeter_stream::client::PublishError>(publisher.receipt().cloned())
    /// })?;
    /// println!("{receipt:?}");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// The sink gathers messages and sends them in calls of limited size. The receipts of these
    /// calls acknowledge the messages. The sink keeps messages until they are acknowledged. When
    /// the server is UNAVAILABLE, also before it was reached for the first time, it sends them again
    /// with the same sequence numbers. The waits between tries grow from 0.1 s to 5 s.
    pub fn publish(&self, topic: Name, options: PublishOptions) -> Publisher {
        let PublishOptions {
            producer,
            from_start,
            resume,
            notice,
        } = options;
        let named = producer.is_some();
        let core = Core {
            client: self.clone(),
            topic,
            producer: producer.unwrap_or_else(random_name),
            named,
            retry: Retry::new(resume, notice, self.config().timeout),
            sequence: (from_start || !named).then_some(0),
            receipt: None,
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
/// A message is acknowledged once a flush after it, or the close, has succeeded. A flush may report
/// [`PublishError::Lost`] of messages that had been acknowledged before. The sink can still be used
/// then, and the next flush reports further losses. After [`PublishError::Ended`] the sink cannot
/// be used any more.
pub struct Publisher {
    state: State,
    /// The messages of the next call.
    batch: Vec<String>,
    /// The size of the texts in `batch`, in bytes.
    bytes: usize,
    /// A loss to report once everything is sent.
    losses: VecDeque<PublishError>,
}

enum State {
    Idle(Box<Core>),
    Sending(BoxFuture<'static, (Box<Core>, Result<(), PublishError>)>),
    /// With the receipt until then.
    Ended(PublishError, Option<Receipt>),
}

struct Core {
    client: Client,
    topic: Name,
    producer: ProducerName,
    /// Whether the producer's name was given.
    named: bool,
    retry: Retry,
    /// The sequence number of the next message. None until the topic has told it.
    sequence: Option<u64>,
    /// The receipt for all messages that the topic has acknowledged in its present epoch.
    receipt: Option<Receipt>,
}

impl Publisher {
    /// The receipt for all messages that were acknowledged since the publisher began, or since the
    /// topic's present epoch began. None before the first acknowledgement, and while a call runs.
    ///
    /// A receipt may be lost with its connection. The next receipt then counts the same messages as
    /// duplicates.
    pub fn receipt(&self) -> Option<&Receipt> {
        match &self.state {
            State::Idle(core) => core.receipt.as_ref(),
            State::Ended(_, receipt) => receipt.as_ref(),
            State::Sending(_) => None,
        }
    }

    fn is_full(&self) -> bool {
        self.batch.len() >= CALL_MESSAGES || self.bytes >= CALL_BYTES
    }

    /// Waits for the running call, if any.
    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), PublishError>> {
        match &mut self.state {
            State::Idle(_) => Poll::Ready(Ok(())),
            State::Ended(e, _) => Poll::Ready(Err(e.clone())),
            State::Sending(sending) => {
                let (core, sent) = ready!(sending.poll_unpin(cx));
                match sent {
                    Err(e @ PublishError::Ended(_)) => {
                        self.state = State::Ended(e.clone(), core.receipt);
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

    /// Starts a call with the gathered messages. It must not be called while a call runs.
    fn start_call(&mut self) {
        let ended = PublishError::Ended(Status::internal("the publisher was dropped in a call"));
        match std::mem::replace(&mut self.state, State::Ended(ended, None)) {
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
            State::Ended(e, _) => Poll::Ready(Err(e.clone())),
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
        if self.batch.is_empty() && self.receipt().is_none() {
            // A publisher without messages makes a call, too, to check that there is a server.
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
                Ok(receipt) => {
                    let behind = |first: u64| first + batch.len() as u64;
                    self.sequence = self.sequence.map(behind);
                    self.retry.succeeded();
                    let acknowledged = self.acknowledge(receipt);
                    return (self, acknowledged);
                }
                Err(status) => status,
            };
            if let Err(status) = self.retry.pause(status).await {
                return (self, Err(status.into()));
            }
        }
    }

    /// The first call has no messages. It checks that there is a server, and gets the topic's
    /// epoch and the number that it expects.
    async fn begin_and_call(&mut self, batch: &[String]) -> Result<Receipt, Status> {
        if self.receipt.is_none() {
            let receipt = self.call(&[]).await?;
            if self.sequence.is_none() {
                self.sequence = Some(receipt.expected.ok_or_else(|| {
                    Status::unimplemented(
                        "the server does not say which number it expects of a producer",
                    )
                })?);
            }
            self.receipt = Some(receipt);
        }
        let receipt = self.call(batch).await?;
        let (count, sent) = (receipt.acknowledged(), batch.len());
        if count != sent as u64 {
            let why = format!("the server acknowledged {count} messages of the {sent} in a call");
            return Err(Status::data_loss(why));
        }
        Ok(receipt)
    }

    /// Makes one call and returns its receipt.
    async fn call(&self, batch: &[String]) -> Result<Receipt, Status> {
        let topic = Request {
            producer: Some(self.producer.clone()),
            sequence: self.sequence,
            ..Request::new(self.topic.clone())
        };
        let messages = batch.iter().cloned();
        let requests = stream::iter(messages.map(|data| Ok::<_, Status>(request(data))));
        let answer = self.client.put_stream(requests, Some(&topic)).await?;
        let receipt = Receipt::decode(&answer).ok_or_else(|| {
            Status::unimplemented("the server does not know topics: it answered without a receipt")
        })?;
        // The number means something only to those who know the producer's name.
        let expected = receipt.expected.filter(|_| self.named);
        Ok(Receipt {
            expected,
            ..receipt
        })
    }

    fn acknowledge(&mut self, new: Receipt) -> Result<(), PublishError> {
        match &mut self.receipt {
            Some(receipt) if receipt.epoch == new.epoch => {
                receipt.first = receipt.first.or(new.first);
                receipt.last = new.last.or(receipt.last);
                receipt.accepted += new.accepted;
                receipt.duplicates += new.duplicates;
                receipt.earliest = new.earliest;
                receipt.expected = new.expected;
                Ok(())
            }
            receipt => match receipt.replace(new.clone()) {
                Some(before) if before.accepted > 0 => Err(PublishError::Lost {
                    before,
                    now: new.epoch,
                }),
                // Nothing was acknowledged, so nothing is lost.
                _ => Ok(()),
            },
        }
    }
}

/// A random name for a new producer.
fn random_name() -> ProducerName {
    ProducerName::from(fastrand::u128(..))
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut s = f.debug_struct("Publisher");
        s.field("gathered", &self.batch.len())
            .finish_non_exhaustive()
    }
}
