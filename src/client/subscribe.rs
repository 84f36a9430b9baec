//! Follows a topic across lost connections and restarts.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::SystemTime;

use futures::future::BoxFuture;
use futures::{FutureExt, Stream, TryStreamExt};
use grpcio_streams::client::Responses;
use grpcio_streams::{Status, TooLong};
use topic_log::{Bounds, Epoch, Name, Offset, StartAt};

use super::calls::Client;
use super::retry::{Notice, Retry};
use super::subscribe_error::{LongMessage, Loss, SubscribeError};
use crate::generated::greeter::{StreamReqData, StreamResData};
use crate::protocol::reason::Extent;
use crate::protocol::{Position, Reason, Request};

/// A message of a topic, as a subscriber receives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The topic's epoch.
    pub epoch: Epoch,
    /// The offset in that epoch.
    pub offset: Offset,
    /// When this client received it.
    pub time: SystemTime,
    /// The text of the message.
    pub data: String,
}

/// The options of a subscription.
pub struct SubscribeOptions {
    /// The position at which it starts.
    pub start: StartAt,
    /// Whether it waits for new messages at the end of the log. Otherwise it ends there.
    pub follow: bool,
    /// Whether it tries again when the server is UNAVAILABLE, because the connection is lost or the
    /// server was not reached yet. Otherwise it ends.
    pub resume: bool,
    /// Called before each new try.
    pub notice: Notice,
}

impl Default for SubscribeOptions {
    /// From now on, without end, with retries that are not reported.
    fn default() -> Self {
        Self {
            start: StartAt::Latest,
            follow: true,
            resume: true,
            notice: Box::new(|_, _| {}),
        }
    }
}

/// The messages of a topic, each once and in order, across lost connections and restarts.
///
/// Without [`follow`](SubscribeOptions::follow) it ends at the end of the log. It also ends after
/// [`SubscribeError::Ended`] and [`SubscribeError::TooLong`]. After [`SubscribeError::Lost`] it goes
/// on.
pub struct Subscription(Step);

enum Step {
    Idle(Box<Follower>),
    Receiving(BoxFuture<'static, (Box<Follower>, Option<Item>)>),
    Ended,
}

type Item = Result<Received, SubscribeError>;

impl Subscription {
    /// Waits until the position at which the subscription starts is known. All messages that are
    /// published after that are at this position or after it. Without this call the position
    /// becomes known some time after the first poll. Does nothing while a message is awaited.
    ///
    /// # Errors
    ///
    /// The status that ends the subscription.
    pub async fn begin(&mut self) -> Result<(), Status> {
        let Step::Idle(follower) = &mut self.0 else {
            return Ok(());
        };
        follower.begin().await.inspect_err(|_| self.0 = Step::Ended)
    }

    /// The earliest and the next offset that the topic had when the subscription began. None in the
    /// same cases as [`position`](Self::position), and where the start is an offset with its epoch.
    pub fn bounds(&self) -> Option<Bounds> {
        match &self.0 {
            Step::Idle(follower) => follower.bounds,
            _ => None,
        }
    }

    /// The position of the next message. None before [`begin`](Self::begin) or the first message
    /// has completed, while a message is awaited, and after the end.
    pub fn position(&self) -> Option<Position> {
        match &self.0 {
            Step::Idle(follower) => match follower.next {
                Next::At(position) => Some(position),
                Next::Start(_) => None,
            },
            _ => None,
        }
    }
}

impl Stream for Subscription {
    type Item = Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Item>> {
        loop {
            match std::mem::replace(&mut self.0, Step::Ended) {
                Step::Ended => return Poll::Ready(None),
                Step::Idle(mut follower) => {
                    let receiving = async move {
                        let item = follower.next().await;
                        (follower, item)
                    };
                    self.0 = Step::Receiving(receiving.boxed());
                }
                Step::Receiving(mut receiving) => match receiving.poll_unpin(cx) {
                    Poll::Pending => {
                        self.0 = Step::Receiving(receiving);
                        return Poll::Pending;
                    }
                    Poll::Ready((follower, item)) => {
                        if let Some(Ok(_) | Err(SubscribeError::Lost(_))) = item {
                            self.0 = Step::Idle(follower);
                        }
                        return Poll::Ready(item);
                    }
                },
            }
        }
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Subscription")
    }
}

impl Client {
    /// Follows a topic.
    ///
    /// ```no_run
    /// use futures::StreamExt;
    /// use greeter_stream::client::{Client, Config, SubscribeError, SubscribeOptions};
    /// use greeter_stream::grpcio_streams::Queues;
    /// use greeter_stream::topic_log::{Name, StartAt};
    ///
    /// let client = Client::new(&Queues::start("client", 1), Config::default())?;
    /// let options = SubscribeOptions {
    ///     start: StartAt::Earliest,
    ///     ..SubscribeOptions::default()
    /// };
    /// let mut messages = client.subscribe(Name::new("stocks/AAPL")?, options);
    /// client.run(async move {
    ///     while let Some(message) = messages.next().await {
    ///         match message {
    ///             Ok(message) => println!("{} {}", message.offset, message.data),
    ///             Err(SubscribeError::Lost(loss)) => eprintln!("{loss}"),
    ///             Err(end) => return Err(end),
    ///         }
    ///     }
    ///     Ok(())
    /// })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// When a call ends with UNAVAILABLE, because the server sends this status, the connection is
    /// lost, or the server was not reached yet, the subscription tries again and goes on at the next
    /// offset. The waits between tries grow from 0.1 s to 5 s.
    pub fn subscribe(&self, topic: Name, options: SubscribeOptions) -> Subscription {
        let SubscribeOptions {
            start,
            follow,
            resume,
            notice,
        } = options;
        let follower = Follower {
            client: self.clone(),
            topic,
            next: Next::Start(start),
            bounds: None,
            follow,
            lost: false,
            call: None,
            retry: Retry::new(resume, notice, self.config().timeout),
        };
        Subscription(Step::Idle(Box::new(follower)))
    }
}

/// The position of the next message.
#[derive(Clone, Copy)]
enum Next {
    /// The start of the subscription, which is not a position yet.
    Start(StartAt),
    /// A position.
    At(Position),
}

struct Follower {
    client: Client,
    topic: Name,
    next: Next,
    /// The bounds of the topic when the start was turned into a position.
    bounds: Option<Bounds>,
    follow: bool,
    call: Option<Call>,
    retry: Retry,
    /// Whether there was a loss after the last message.
    lost: bool,
}

struct Call {
    responses: Responses<StreamResData>,
    /// The position of its next message; None before the first message, which arrives with the
    /// metadata.
    next: Option<Position>,
}

impl Follower {
    async fn begin(&mut self) -> Result<(), Status> {
        while let Err(status) = self.resolve().await {
            self.retry.pause(status).await?;
        }
        Ok(())
    }

    async fn next(&mut self) -> Option<Item> {
        loop {
            let status = match self.receive().await {
                Ok(received) => return received.map(Ok),
                Err(status) => status,
            };
            if let Some(message) = self.too_long(&status) {
                return Some(Err(SubscribeError::TooLong(message)));
            }
            if let Some(loss) = self.loss(&status) {
                // Servers in turn that do not share the topic could otherwise cause an endless
                // series of losses without a wait.
                if self.lost {
                    self.retry.rest().await;
                }
                self.lost = true;
                self.next = Next::At(Position {
                    epoch: loss.now,
                    offset: loss.next,
                });
                return Some(Err(SubscribeError::Lost(loss)));
            }
            if let Err(status) = self.retry.pause(status).await {
                return Some(Err(SubscribeError::Ended(status)));
            }
        }
    }

    /// The next message; None at the end of the log. The call is dropped when it fails.
    async fn receive(&mut self) -> Result<Option<Received>, Status> {
        let mut call = match self.call.take() {
            Some(call) => call,
            None => self.connect().await?,
        };
        // The position comes first, because it is needed also for a message that is too long.
        let position = match call.next {
            Some(next) => Some(next),
            None => self.locate(&mut call.responses).await?,
        };
        let Some(message) = call.responses.try_next().await? else {
            return Ok(None);
        };
        let Position { epoch, offset } = position.ok_or_else(without_topics)?;
        let next = Position {
            epoch,
            offset: offset + 1,
        };
        call.next = Some(next);
        self.call = Some(call);
        self.next = Next::At(next);
        self.lost = false;
        self.retry.succeeded();
        Ok(Some(Received {
            epoch,
            offset,
            time: SystemTime::now(),
            data: message.data,
        }))
    }

    async fn connect(&mut self) -> Result<Call, Status> {
        self.resolve().await?;
        let start = match self.next {
            Next::Start(start) => start,
            Next::At(Position { epoch, offset }) => StartAt::Offset(offset, Some(epoch)),
        };
        Ok(Call {
            responses: self.get(start, self.follow)?,
            next: None,
        })
    }

    /// The position of the first message of a call. It has to be the position that was asked for.
    /// None if the call has no message, or the server does not know topics.
    async fn locate(
        &mut self,
        responses: &mut Responses<StreamResData>,
    ) -> Result<Option<Position>, Status> {
        let metadata = responses.metadata().await?;
        let Some(sent) = Position::decode(&metadata) else {
            return Ok(None);
        };
        match self.next {
            Next::At(asked) if sent != asked => Err(Status::data_loss(format!(
                "the server was asked for offset {} of epoch {} and sent offset {} of epoch {}",
                asked.offset, asked.epoch, sent.offset, sent.epoch
            ))),
            _ => {
                self.next = Next::At(sent);
                Ok(Some(sent))
            }
        }
    }

    /// Turns the start into a position. Without a position, a connection that is lost before the
    /// first message could cause the subscription to miss messages that were published after it
    /// began.
    async fn resolve(&mut self) -> Result<(), Status> {
        let Next::Start(start) = self.next else {
            return Ok(());
        };
        if let StartAt::Offset(offset, Some(epoch)) = start {
            self.next = Next::At(Position { epoch, offset });
            return Ok(());
        }
        // No log has this offset. The details of the refusal have the offsets of the log.
        let refused = self
            .get(StartAt::Offset(Offset::MAX, None), false)?
            .try_next()
            .await;
        let Err(status) = refused else {
            return Err(without_topics());
        };
        let Extent { epoch, bounds, .. } = extent(&status).ok_or(status)?;
        self.bounds = Some(bounds);
        let Bounds { earliest, next } = bounds;
        let offset = match start {
            StartAt::Latest => next,
            StartAt::Earliest => earliest,
            StartAt::Last(count) => next.saturating_sub(count).max(earliest),
            StartAt::Offset(offset, _) if (earliest..=next).contains(&offset) => offset,
            // The server refuses a wrong offset and finds the offset of a time. It gives the same
            // answer to every try.
            StartAt::Offset(..) | StartAt::Since(_) => return Ok(()),
        };
        self.next = Next::At(Position { epoch, offset });
        Ok(())
    }

    fn get(&self, start: StartAt, follow: bool) -> Result<Responses<StreamResData>, Status> {
        let topic = Request {
            start,
            follow,
            ..Request::new(self.topic.clone())
        };
        self.client
            .get_stream(&StreamReqData::default(), Some(&topic))
    }

    /// The next message, if the status means that it is longer than the client takes.
    fn too_long(&self, status: &Status) -> Option<LongMessage> {
        let Next::At(position) = self.next else {
            return None;
        };
        let TooLong { bytes, limit } = status.too_long()?;
        Some(LongMessage {
            topic: self.topic.clone(),
            position,
            bytes,
            limit,
        })
    }

    /// The loss, if the status means that the topic does not have the next message any more.
    fn loss(&self, status: &Status) -> Option<Loss> {
        let Next::At(next) = self.next else {
            return None;
        };
        let Extent { epoch, bounds, .. } = extent(status)?;
        // If the next offset is after the end in the same epoch, the topic has lost messages that
        // were received. The messages before its end were received as well, so none of them is read
        // again.
        let is_behind_the_end = epoch == next.epoch && next.offset > bounds.next;
        Some(Loss {
            topic: self.topic.clone(),
            epoch: next.epoch,
            from: next.offset,
            now: epoch,
            next: if is_behind_the_end {
                bounds.next
            } else {
                bounds.earliest
            },
        })
    }
}

/// The epoch and offsets of a topic, from the status that refuses an offset.
fn extent(status: &Status) -> Option<Extent> {
    match Reason::decode(status)? {
        Reason::NoSuchOffset(extent) | Reason::OtherEpoch(extent) => Some(extent),
        _ => None,
    }
}

fn without_topics() -> Status {
    Status::unimplemented("the server does not know topics: it ignored the metadata `topic`")
}
