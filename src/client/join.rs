//! A conversation: publishing to a topic and following it, as one.

use std::fmt;
use std::pin::Pin;
use std::task::{ready, Context, Poll, Waker};

use futures::{Sink, SinkExt, Stream, StreamExt};

use super::publish::{PublishError, PublishOptions, Publisher};
use super::subscribe::{Notice, Received, SubscribeError, SubscribeOptions, Subscription};
use super::Client;
use crate::topic::{Epoch, From, Name, Offset, ProducerName};

/// How a participant of a conversation behaves.
pub struct JoinOptions {
    /// What it hears first.
    pub from: From,
    /// Who speaks; as for [`PublishOptions::producer`].
    pub producer: Option<ProducerName>,
    /// Whether it comes back when the server is UNAVAILABLE, or ends.
    pub resume: bool,
    /// Is told before each new try to hear more.
    pub notice: Notice,
}

impl Default for JoinOptions {
    /// From now on, under a name of its own, coming back silently.
    fn default() -> Self {
        let SubscribeOptions {
            from,
            resume,
            notice,
            ..
        } = SubscribeOptions::default();
        Self {
            from,
            producer: None,
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
    /// [`SubscribeError::Ended`].
    pub async fn join(
        &self,
        topic: Name,
        options: JoinOptions,
    ) -> Result<Conversation, SubscribeError> {
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
        let publisher = self.publish(
            topic,
            PublishOptions {
                producer: options.producer,
                resume: options.resume,
                // Whoever hears nothing is told already.
                notice: Box::new(|_, _| {}),
            },
        );
        Ok(Conversation {
            messages,
            publisher,
            heard: None,
            closed: false,
            waiting: None,
        })
    }
}

/// A participant's side of a conversation: a sink of what it says, as a [`Publisher`], and a
/// stream of what everyone says, as a [`Subscription`].
///
/// Closing the sink says that it will say no more. The stream then ends with the last message that
/// a receipt told as stored, or at once if there is none.
pub struct Conversation {
    messages: Subscription,
    publisher: Publisher,
    /// The last message that was heard.
    heard: Option<(Epoch, Offset)>,
    closed: bool,
    /// The stream's reader, who may not be the one who closes the sink.
    waiting: Option<Waker>,
}

impl Conversation {
    /// Whether everything has been said and heard.
    fn is_over(&self) -> bool {
        let said = self.publisher.published();
        let said = said.and_then(|said| Some((said.epoch, said.last?)));
        self.closed && self.heard >= said
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
        if let Some(Ok(message)) = &message {
            self.heard = Some((message.epoch, message.offset));
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
        self.closed = true;
        self.waiting.take().into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(()))
    }
}

impl fmt::Debug for Conversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conversation")
            .field("heard", &self.heard)
            .field("closed", &self.closed)
            .finish_non_exhaustive()
    }
}
