//! A conversation: publishes to a topic and follows it.

use std::fmt;
use std::pin::Pin;
use std::task::{ready, Context, Poll, Waker};

use futures::future::BoxFuture;
use futures::{FutureExt, Sink, SinkExt, Stream, StreamExt};
use grpcio_streams::Status;
use topic_log::{Name, StartAt};

use super::calls::Client;
use super::publish::{PublishError, PublishOptions, Publisher};
use super::retry::Notice;
use super::subscribe::{Received, SubscribeOptions, Subscription};
use super::subscribe_error::SubscribeError;
use crate::protocol::Position;

/// How a participant of a conversation behaves.
pub struct JoinOptions {
    /// The position at which it starts to receive.
    pub start: StartAt,
    /// Whether it tries again when the server is UNAVAILABLE, because the connection is lost or the
    /// server was not reached yet. Otherwise it ends.
    pub resume: bool,
    /// Called before each new try to receive.
    pub notice: Notice,
}

impl Default for JoinOptions {
    /// From now on, with retries that are not reported.
    fn default() -> Self {
        let SubscribeOptions {
            start,
            resume,
            notice,
            ..
        } = SubscribeOptions::default();
        Self {
            start,
            resume,
            notice,
        }
    }
}

impl Client {
    /// Takes part in a conversation: every participant receives what any of them publishes to the
    /// topic, its own messages included, in the same order.
    ///
    /// Completes when the position at which it starts to receive is known. So the participant
    /// receives all messages that it sends. It uses a GetStream and PutStreams instead of one
    /// AllStream: only the receipts of PutStream tell which messages have to be sent again after a
    /// lost connection.
    ///
    /// ```no_run
    /// use futures::{SinkExt, StreamExt};
    /// use greeter_stream::client::{Client, Config, JoinOptions};
    /// use greeter_stream::grpcio_streams::Queues;
    /// use greeter_stream::topic_log::Name;
    ///
    /// # type Error = Box<dyn std::error::Error + Send + Sync>;
    /// let client = Client::new(&Queues::start("client", 1), Config::default())?;
    /// let room = Name::new("room")?;
    /// client.run({
    ///     let client = client.clone();
    ///     async move {
    ///         let mut participant = client.join(room, JoinOptions::default()).await?;
    ///         participant.send("hello".to_owned()).await?;
    ///         // Its own message is among those that it receives.
    ///         while let Some(message) = participant.next().await {
    ///             println!("{}", message?.data);
    ///         }
    ///         Ok::<_, Error>(())
    ///     }
    /// })?;
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The status of the call that asks for the position.
    pub async fn join(&self, topic: Name, options: JoinOptions) -> Result<Participant, Status> {
        let mut messages = self.subscribe(
            topic.clone(),
            SubscribeOptions {
                start: options.start,
                follow: true,
                resume: options.resume,
                notice: options.notice,
            },
        );
        messages.begin().await?;
        let publisher = self.publish(
            topic.clone(),
            PublishOptions {
                producer: None,
                from_start: true,
                resume: options.resume,
                // The subscription reports the same tries.
                notice: Box::new(|_, _| {}),
            },
        );
        let mut end = self.subscribe(
            topic,
            SubscribeOptions {
                resume: options.resume,
                ..SubscribeOptions::default()
            },
        );
        let end = async move {
            end.begin().await?;
            Ok(end.position())
        };
        Ok(Participant {
            received: messages.position(),
            messages,
            publisher,
            end: End::Unknown(end.boxed()),
            waiting: None,
        })
    }
}

/// A participant of a conversation: a sink for its own messages, like a [`Publisher`], and a stream
/// of all messages, like a [`Subscription`].
///
/// After the sink is closed, the stream ends after the messages that the topic has at that time, of
/// this participant and of others.
pub struct Participant {
    messages: Subscription,
    publisher: Publisher,
    /// The position of the next message.
    received: Option<Position>,
    end: End,
    /// The task that reads the stream. It may be another task than the one that closes the sink.
    waiting: Option<Waker>,
}

/// The position at which the conversation ends for this participant.
enum End {
    /// It is asked for once everything is sent.
    Unknown(BoxFuture<'static, Result<Option<Position>, Status>>),
    /// Before this position. None to end at once.
    At(Option<Position>),
}

impl Participant {
    /// Whether everything has been sent and received.
    fn is_over(&self) -> bool {
        match (&self.end, self.received) {
            (End::At(Some(end)), Some(next)) => {
                next.epoch == end.epoch && next.offset >= end.offset
            }
            (End::At(end), _) => end.is_none(),
            (End::Unknown(_), _) => false,
        }
    }
}

impl Stream for Participant {
    type Item = Result<Received, SubscribeError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.is_over() {
            return Poll::Ready(None);
        }
        self.waiting = Some(cx.waker().clone());
        let message = ready!(self.messages.poll_next_unpin(cx));
        self.received = self.messages.position();
        if let (Some(Err(SubscribeError::Lost(loss))), End::At(end)) = (&message, &mut self.end) {
            // The messages up to the end are lost.
            end.take_if(|end| end.epoch != loss.now);
        }
        Poll::Ready(message)
    }
}

impl Sink<String> for Participant {
    type Error = PublishError;

    fn poll_ready(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), PublishError>> {
        self.publisher.poll_ready_unpin(cx)
    }

    fn start_send(mut self: Pin<&mut Self>, message: String) -> Result<(), PublishError> {
        self.publisher.start_send_unpin(message)
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), PublishError>> {
        self.publisher.poll_flush_unpin(cx)
    }

    fn poll_close(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), PublishError>> {
        ready!(self.publisher.poll_close_unpin(cx))?;
        if let End::Unknown(end) = &mut self.end {
            self.end = End::At(ready!(end.poll_unpin(cx))?);
            self.waiting.take().into_iter().for_each(Waker::wake);
        }
        Poll::Ready(Ok(()))
    }
}

impl fmt::Debug for Participant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Participant")
            .field("received", &self.received)
            .finish_non_exhaustive()
    }
}
