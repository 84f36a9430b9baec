//! A bidirectional call.

use std::fmt;
use std::future::{poll_fn, Future};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use futures::{Stream, StreamExt};
use grpcio::Metadata;
use protobuf::Message;

use super::responses::Responses;
use crate::status::Status;

/// A bidirectional call: a stream of its responses that also sends its requests.
///
/// Requests are sent while the stream or [`metadata`](Self::metadata) is polled. Dropping the
/// conversation before its end cancels the call.
pub struct Conversation<T, E> {
    responses: Responses<T>,
    /// None once all requests have been sent.
    sending: Option<BoxFuture<'static, Result<(), E>>>,
}

impl<T: Message, E: From<Status>> Conversation<T, E> {
    pub(super) fn new(
        responses: Responses<T>,
        sending: impl Future<Output = Result<(), E>> + Send + 'static,
    ) -> Self {
        Self {
            responses,
            sending: Some(Box::pin(sending)),
        }
    }

    /// Waits for the response metadata, as [`Responses::metadata`] does, and sends requests
    /// meanwhile. The metadata is empty if the call ends without any, and once the call has ended.
    ///
    /// # Errors
    ///
    /// - The error of the requests, which ends the call. The stream then ends without repeating it.
    /// - The status of a call that failed before the server answered, such as UNAVAILABLE if there
    ///   is no server, and of a call whose failure the stream has reported.
    pub async fn metadata(&mut self) -> Result<Metadata, E> {
        poll_fn(|cx| {
            if let Err(e) = self.poll_sending(cx) {
                return Poll::Ready(Err(e));
            }
            self.responses.poll_metadata(cx).map_err(E::from)
        })
        .await
    }

    /// Cancels the call and drops the stream of requests. The stream of responses then fails with
    /// CANCELLED, unless the call has ended before with another status. Messages that have arrived
    /// may still come before that.
    pub fn cancel(&mut self) {
        self.responses.cancel();
        self.sending = None;
    }

    /// The status with which the call has ended. None while it runs: this status is known once the
    /// stream has ended. It is CANCELLED if the requests failed.
    pub fn status(&self) -> Option<&Status> {
        self.responses.status()
    }

    fn poll_sending(&mut self, cx: &mut Context<'_>) -> Result<(), E> {
        let Some(sending) = &mut self.sending else {
            return Ok(());
        };
        let Poll::Ready(sent) = sending.as_mut().poll(cx) else {
            return Ok(());
        };
        if sent.is_err() {
            let why = "the requests failed, and this side cancelled the call";
            self.responses.abandon(Status::cancelled(why));
        }
        // Its sink cancels the call unless all has been sent.
        self.sending = None;
        sent
    }
}

impl<T: Message, E: From<Status>> Stream for Conversation<T, E> {
    type Item = Result<T, E>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Err(e) = self.poll_sending(cx) {
            return Poll::Ready(Some(Err(e)));
        }
        self.responses.poll_next_unpin(cx).map_err(E::from)
    }
}

impl<T: Message, E> fmt::Debug for Conversation<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conversation")
            .field("responses", &self.responses)
            .field("all_sent", &self.sending.is_none())
            .finish()
    }
}
