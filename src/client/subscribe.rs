//! Following a topic through everything that can happen to a connection.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use futures::future::BoxFuture;
use futures::{FutureExt, Stream, TryStreamExt};
use futures_timer::Delay;
use grpcio::{Metadata, RpcStatusCode};

use super::backoff::Backoff;
use super::{is_unavailable, Client};
use crate::generated::greeter::{StreamReqData, StreamResData};
use crate::service::{info, GET_STREAM};
use grpcio_streams::client::{self, Responses};
use grpcio_streams::Status;
use topic_log::{Bounds, Epoch, From, Name, Offset};

/// A message of a topic, as a subscriber receives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The topic's life.
    pub epoch: Epoch,
    /// The place in it.
    pub offset: Offset,
    /// When this client received it.
    pub time: SystemTime,
    /// What was published.
    pub data: String,
}

/// What interrupts a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubscribeError {
    /// The subscription is over, with this status.
    Ended(Status),
    /// Messages that were to come next are gone. The subscription goes on behind them.
    Lost(Loss),
}

/// Which messages a subscriber will never see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The topic.
    pub topic: Name,
    /// The life it lived.
    pub epoch: Epoch,
    /// The first message that is lost. Whether any was published is not known when the epoch has
    /// changed.
    pub from: Offset,
    /// The life it lives now.
    pub now: Epoch,
    /// Where the subscription goes on.
    pub next: Offset,
}

impl fmt::Display for SubscribeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended(status) => status.fmt(f),
            Self::Lost(loss) => loss.fmt(f),
        }
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            topic,
            epoch,
            from,
            now,
            next,
        } = self;
        if epoch == now {
            write!(
                f,
                "topic {topic}: messages {from} to {} are lost: the server has dropped them \
                 before they were read; going on at {next}",
                next.saturating_sub(1)
            )
        } else {
            write!(
                f,
                "topic {topic}: whatever was published from offset {from} of epoch {epoch} on is \
                 lost: the topic began anew; going on at offset {next} of epoch {now}"
            )
        }
    }
}

impl Error for SubscribeError {}

/// What is told when a connection is lost: why, and how long until the next try.
pub type Notice = Box<dyn FnMut(&Status, Duration) + Send + Sync>;

/// How a subscription behaves.
pub struct SubscribeOptions {
    /// Where it starts.
    pub from: From,
    /// Whether it goes on at the end of the log, or ends there.
    pub follow: bool,
    /// Whether it comes back when the server is UNAVAILABLE, or ends.
    pub resume: bool,
    /// Is told before each new try.
    pub notice: Notice,
}

impl Default for SubscribeOptions {
    /// From now on, for ever, silently.
    fn default() -> Self {
        Self {
            from: From::Latest,
            follow: true,
            resume: true,
            notice: Box::new(|_, _| {}),
        }
    }
}

/// The messages of a topic, each once and in order, across lost connections and restarts.
///
/// It ends at the end of the log if it does not follow, and after [`SubscribeError::Ended`]. After
/// [`SubscribeError::Lost`] it goes on.
pub struct Subscription(Step);

enum Step {
    Idle(Box<Follower>),
    Receiving(BoxFuture<'static, (Box<Follower>, Option<Item>)>),
    Ended,
}

type Item = Result<Received, SubscribeError>;

impl Subscription {
    /// Waits until the place where it starts is known: what is published from now on comes after
    /// it, or is it. Without this that is so from some time after the first poll on. Does nothing
    /// while a message is waited for.
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

    /// Where the next message will be, as far as is known: from [`begin`](Self::begin) or the first
    /// message on, but not while a message is waited for.
    pub fn position(&self) -> Option<(Epoch, Offset)> {
        match &self.0 {
            Step::Idle(follower) => match follower.place {
                Place::At(epoch, offset) => Some((epoch, offset)),
                Place::Start(_) => None,
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
                    Poll::Ready((_, end @ (None | Some(Err(SubscribeError::Ended(_)))))) => {
                        return Poll::Ready(end);
                    }
                    Poll::Ready((follower, item)) => {
                        self.0 = Step::Idle(follower);
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
    /// When the server becomes UNAVAILABLE, by its own word or because the connection is lost, the
    /// subscription tries again after a while that grows from a tenth of a second to five seconds,
    /// and goes on at the next offset. A server that was never reached is tried again only if the
    /// client [waits](super::Config::wait).
    pub fn subscribe(&self, topic: Name, options: SubscribeOptions) -> Subscription {
        self.subscription(topic, options, self.config.wait)
    }

    /// `reached` says whether a server that cannot be reached is worth trying again.
    pub(super) fn subscription(
        &self,
        topic: Name,
        options: SubscribeOptions,
        reached: bool,
    ) -> Subscription {
        let follower = Follower {
            client: self.clone(),
            topic,
            place: Place::Start(options.from),
            reached,
            lost: false,
            options,
            call: None,
            backoff: Backoff::new(),
        };
        Subscription(Step::Idle(Box::new(follower)))
    }
}

/// Where the next message is looked for.
#[derive(Clone, Copy)]
enum Place {
    /// Where the subscription starts; no message has been seen.
    Start(From),
    /// At this offset of this epoch.
    At(Epoch, Offset),
}

struct Follower {
    client: Client,
    topic: Name,
    place: Place,
    options: SubscribeOptions,
    call: Option<Call>,
    backoff: Backoff,
    /// Whether it is worth trying again.
    reached: bool,
    /// Whether there was a loss since the last message.
    lost: bool,
}

struct Call {
    responses: Responses<StreamResData>,
    /// Where its next message is; None before the first, which comes with the metadata.
    next: Option<(Epoch, Offset)>,
}

impl Follower {
    async fn begin(&mut self) -> Result<(), Status> {
        while let Err(status) = self.resolve().await {
            self.pause(status).await?;
        }
        Ok(())
    }

    async fn next(&mut self) -> Option<Item> {
        loop {
            let status = match self.receive().await {
                Ok(received) => return received.map(Ok),
                Err(status) => status,
            };
            if let Some(loss) = self.loss(&status) {
                // Servers that do not share the topic may be called in turn, for ever.
                if self.lost {
                    Delay::new(self.backoff.next()).await;
                }
                self.lost = true;
                self.place = Place::At(loss.now, loss.next);
                return Some(Err(SubscribeError::Lost(loss)));
            }
            if let Err(status) = self.pause(status).await {
                return Some(Err(SubscribeError::Ended(status)));
            }
        }
    }

    /// Waits before the next try, if one is worth it.
    async fn pause(&mut self, status: Status) -> Result<(), Status> {
        if !(is_unavailable(&status) && self.options.resume && self.reached) {
            return Err(status);
        }
        let wait = self.backoff.next();
        (self.options.notice)(&status, wait);
        Delay::new(wait).await;
        Ok(())
    }

    /// The next message; None at the end of the log. A call that fails is over.
    async fn receive(&mut self) -> Result<Option<Received>, Status> {
        let mut call = match self.call.take() {
            Some(call) => call,
            None => self.connect().await?,
        };
        let Some(message) = call.responses.try_next().await? else {
            return Ok(None);
        };
        let (epoch, offset) = match call.next {
            Some(next) => next,
            None => self.locate(&mut call.responses).await?,
        };
        let next = (epoch, offset + 1);
        call.next = Some(next);
        self.call = Some(call);
        self.place = Place::At(next.0, next.1);
        self.reached = true;
        self.lost = false;
        self.backoff.reset();
        Ok(Some(Received {
            epoch,
            offset,
            time: SystemTime::now(),
            data: message.data,
        }))
    }

    async fn connect(&mut self) -> Result<Call, Status> {
        self.resolve().await?;
        let from = match self.place {
            Place::Start(from) => from,
            Place::At(epoch, offset) => From::Offset(offset, Some(epoch)),
        };
        Ok(Call {
            responses: self.get(from, self.options.follow)?,
            next: None,
        })
    }

    /// Where the first message of a call is, which must be where it was asked for.
    async fn locate(
        &mut self,
        responses: &mut Responses<StreamResData>,
    ) -> Result<(Epoch, Offset), Status> {
        let (epoch, offset) = position(&responses.metadata().await?)?;
        match self.place {
            Place::At(asked_epoch, asked) if (epoch, offset) != (asked_epoch, asked) => {
                let why = format!(
                    "the server was asked for offset {asked} of epoch {asked_epoch} and sent \
                     offset {offset} of epoch {epoch}"
                );
                Err(Status::new(RpcStatusCode::DATA_LOSS, why))
            }
            _ => Ok((epoch, offset)),
        }
    }

    /// Turns a start into an offset of an epoch: a message sent after the subscription began must
    /// not be missed because the connection was lost before any came.
    async fn resolve(&mut self) -> Result<(), Status> {
        let Place::Start(from) = self.place else {
            return Ok(());
        };
        if let From::Offset(offset, Some(epoch)) = from {
            self.place = Place::At(epoch, offset);
            return Ok(());
        }
        // No log has this offset, and the refusal says what the log has.
        let refused = self
            .get(From::Offset(Offset::MAX, None), false)?
            .try_next()
            .await;
        let Err(status) = refused else {
            return Err(without_topics());
        };
        let (epoch, bounds) = bounds(&status).ok_or(status)?;
        self.reached = true;
        let Bounds { earliest, next } = bounds;
        let offset = match from {
            From::Latest => next,
            From::Earliest => earliest,
            From::Last(count) => next.saturating_sub(count).max(earliest),
            From::Offset(offset, _) if (earliest..=next).contains(&offset) => offset,
            // The server says what is wrong with it, or knows where it is; asked again it finds
            // what it would have found.
            From::Offset(..) | From::Since(_) => return Ok(()),
        };
        self.place = Place::At(epoch, offset);
        Ok(())
    }

    fn get(&self, from: From, follow: bool) -> Result<Responses<StreamResData>, Status> {
        let (place, epoch) = (
            from.to_string(),
            match from {
                From::Offset(_, Some(epoch)) => Some(epoch.to_string()),
                _ => None,
            },
        );
        let mut metadata = vec![("topic", self.topic.as_str()), ("from", &place)];
        metadata.extend(epoch.as_deref().map(|epoch| ("epoch", epoch)));
        metadata.extend((!follow).then_some(("follow", "false")));
        let options = self.client.options_with(&metadata)?;
        let request = StreamReqData::default();
        client::server_streaming(&self.client.client, GET_STREAM, &request, options)
    }

    /// What is lost, where a status says that the next message is no more.
    fn loss(&self, status: &Status) -> Option<Loss> {
        let Place::At(epoch, from) = self.place else {
            return None;
        };
        let (now, bounds) = bounds(status)?;
        Some(Loss {
            topic: self.topic.clone(),
            epoch,
            from,
            now,
            next: bounds.earliest,
        })
    }
}

/// The epoch and the offset of a call's first message.
fn position(metadata: &Metadata) -> Result<(Epoch, Offset), Status> {
    let value = |key| {
        let value = metadata
            .iter()
            .find(|(k, _)| *k == key)
            .map(|(_, value)| value);
        value.and_then(|value| std::str::from_utf8(value).ok())
    };
    let epoch = value("epoch").and_then(|epoch| epoch.parse().ok());
    let offset = value("offset").and_then(|offset| offset.parse().ok());
    epoch.zip(offset).ok_or_else(without_topics)
}

/// What a topic has, as a refused offset tells.
fn bounds(status: &Status) -> Option<(Epoch, Bounds)> {
    if status.code() != RpcStatusCode::OUT_OF_RANGE {
        return None;
    }
    let info = info(status)?;
    let number = |key| info.metadata.get(key)?.parse().ok();
    let epoch = info.metadata.get("epoch")?.parse().ok()?;
    let bounds = Bounds {
        earliest: number("earliest")?,
        next: number("next")?,
    };
    Some((epoch, bounds))
}

fn without_topics() -> Status {
    let why = "the server does not know topics: it ignored the metadata `topic`";
    Status::new(RpcStatusCode::UNIMPLEMENTED, why)
}
