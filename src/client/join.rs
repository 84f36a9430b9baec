//! A conversation: publishing to a topic and following it, as one.

use std::fmt;
use std::pin::Pin;
use std::task::{ready, Context, Poll, Waker};

use futures::future::BoxFuture;
use futures::{FutureExt, Sink, SinkExt, Stream, StreamExt};

use super::publish::{PublishError, PublishOptions, Publisher};
use super::subscribe::{Notice, Received, SubscribeError, SubscribeOptions, Subscription};
use super::Client;
use grpcio_streams::Status;
use topic_log::{Epoch, From, Name, Offset};

/// How a participant of a conversation behaves.
pub struct JoinOptions {
    /// What it hears first.
    pub from: From,
    /// Whether it comes back when the server is UNAVAILABLE, or ends.
    pub resume: bool,
    /// Is told before each new try to hear more.
    pub notice: Notice,
}

impl Default for JoinOptions {
    /// From now on, coming back silently.
    fn default() -> Self {
        let SubscribeOptions {
            from,
            resume,
            notice,
            ..
        } = SubscribeOptions::default();
        Self {
            from,
            resume,
            notice,
        }
    }
}

impl Client {
    /// Takes part in a conversation: what anyone publishes to the topic, this participant too,
    /// everyone hears, in one order.
    ///
    /// Resolves when the place where it starts to hear is known, and so hears whatever it says.
    /// It follows the topic and publishes to it, in a call each rather than in one AllStream: the
    /// receipts are what tells which messages need not be said again after a lost connection.
    ///
    /// # Errors
    ///
    /// The status of the call that asks for that place.
    pub async fn join(&self, topic: Name, options: JoinOptions) -> Result<Conversation, Status> {
        let mut messages = self.subscribe(
            topic.clone(),
            SubscribeOptions {
                from: options.from,
                follow: true,
                resume: options.resume,
                notice: options.notice,
            },
        );
        messages.begin().await?;
        let publisher = self.publisher(
            topic.clone(),
            PublishOptions {
                producer: None,
                resume: options.resume,
                // Whoever hears nothing is told already.
                notice: Box::new(|_, _| {}),
            },
            true,
        );
        let mut end = self.subscription(
            topic,
            SubscribeOptions {
                resume: options.resume,
                ..SubscribeOptions::default()
            },
            true,
        );
        let end = async move {
            end.begin().await?;
            Ok(end.position())
        };
        Ok(Conversation {
            heard: messages.position(),
            messages,
            publisher,
            end: End::Unknown(end.boxed()),
            waiting: None,
        })
    }
}

/// A participant's side of a conversation: a sink of what it says, as a [`Publisher`], and a
/// stream of what everyone says, as a [`Subscription`].
///
/// Closing the sink says that it will say no more. The stream then ends behind what was said in
/// the conversation by then, by this participant and by others.
pub struct Conversation {
    messages: Subscription,
    publisher: Publisher,
    /// Where the next message that is heard will be.
    heard: Option<(Epoch, Offset)>,
    end: End,
    /// The stream's reader, who may not be the one who closes the sink.
    waiting: Option<Waker>,
}

/// Where the conversation ends for this participant.
enum End {
    /// To be found out once everything is said.
    Unknown(BoxFuture<'static, Result<Option<(Epoch, Offset)>, Status>>),
    /// Before this place; anywhere, if there is none.
    At(Option<(Epoch, Offset)>),
}

impl Conversation {
    /// Whether everything has been said and heard.
    fn is_over(&self) -> bool {
        match (&self.end, self.heard) {
            (End::At(Some((life, end))), Some((epoch, next))) => epoch == *life && next >= *end,
            (End::At(end), _) => end.is_none(),
            (End::Unknown(_), _) => false,
        }
    }
}

impl Stream for Conversation {
    type Item = Result<Received, SubscribeError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.is_over() {
            return Poll::Ready(None);
        }
        self.waiting = Some(cx.waker().clone());
        let message = ready!(self.messages.poll_next_unpin(cx));
        self.heard = self.messages.position();
        if let (Some(Err(SubscribeError::Lost(loss))), End::At(end)) = (&message, &mut self.end) {
            // What was to be heard is no more.
            end.take_if(|(life, _)| *life != loss.now);
        }
        Poll::Ready(message)
    }
}

impl Sink<String> for Conversation {
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

impl fmt::Debug for Conversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conversation")
            .field("heard", &self.heard)
            .finish_non_exhaustive()
    }
}
