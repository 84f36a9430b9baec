//! The responses of a call as a stream.

use std::fmt;
use std::future::{poll_fn, Future};
use std::marker::PhantomData;
use std::pin::{pin, Pin};
use std::task::{ready, Context, Poll};
use std::time::Instant;

use futures::stream::FusedStream;
use futures::{Stream, StreamExt, TryStreamExt};
use grpcio::{
    Client, ClientDuplexReceiver, ClientSStreamReceiver, MessageReader, Metadata, MetadataBuilder,
    RpcStatusCode,
};
use protobuf::Message;

use super::options::Bounds;
use crate::codec::parse;
use crate::limits::check_length;
use crate::status::Status;

/// What the C core says of a call that the server has reset with the code CANCEL of HTTP/2.
const RESET: &str = "Received RST_STREAM with error code 8";

/// The responses of a call, in order. The stream ends when the status is OK, and otherwise fails
/// with the status and ends.
///
/// Dropping it before its end cancels the call.
pub struct Responses<T> {
    /// None once the call has ended.
    receiver: Option<Receiver>,
    bounds: Bounds,
    /// How many messages have been received.
    received: u64,
    /// How the call ended. While there is a receiver, messages may still have to be read.
    status: Option<Status>,
    /// Whether the stream has ended.
    is_terminated: bool,
    /// The binding panics when it is asked again for metadata that it could not get.
    has_no_metadata: bool,
    /// Keeps the connection and the thread that serves it while the call runs.
    _client: Client,
    message: PhantomData<fn() -> T>,
}

/// What the binding calls its two kinds of response streams.
pub(super) enum Receiver {
    Single(ClientSStreamReceiver<MessageReader>),
    Duplex(ClientDuplexReceiver<MessageReader>),
}

impl Receiver {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<grpcio::Result<MessageReader>>> {
        match self {
            Self::Single(receiver) => receiver.poll_next_unpin(cx),
            Self::Duplex(receiver) => receiver.poll_next_unpin(cx),
        }
    }

    fn poll_metadata(&mut self, cx: &mut Context<'_>) -> Poll<grpcio::Result<Metadata>> {
        match self {
            Self::Single(receiver) => pin!(receiver.headers()).poll(cx).map_ok(Metadata::clone),
            Self::Duplex(receiver) => pin!(receiver.headers()).poll(cx).map_ok(Metadata::clone),
        }
    }

    fn cancel(&mut self) {
        match self {
            Self::Single(receiver) => receiver.cancel(),
            Self::Duplex(receiver) => receiver.cancel(),
        }
    }
}

impl<T: Message> Responses<T> {
    pub(super) fn new(client: &Client, receiver: Receiver, bounds: Bounds) -> Self {
        Self {
            receiver: Some(receiver),
            bounds,
            received: 0,
            status: None,
            is_terminated: false,
            has_no_metadata: false,
            _client: client.clone(),
            message: PhantomData,
        }
    }

    /// Waits for the response metadata. It comes with the first message or before it: a server may
    /// send it as soon as the call begins. It is empty if the call ends without any, and once the
    /// call has ended.
    ///
    /// # Errors
    ///
    /// The status of a call that failed before the server answered, such as UNAVAILABLE if there is
    /// no server, and of a call whose failure the stream has reported.
    pub async fn metadata(&mut self) -> Result<Metadata, Status> {
        poll_fn(|cx| self.poll_metadata(cx)).await
    }

    /// Cancels the call. The stream then fails with CANCELLED, unless the call has ended before
    /// with another status. Messages that have arrived may still come before that.
    pub fn cancel(&mut self) {
        if let Some(receiver) = &mut self.receiver {
            receiver.cancel();
        }
    }

    /// The status with which the call has ended. None while it runs: this status is known once the
    /// stream has ended.
    pub fn status(&self) -> Option<&Status> {
        match self.receiver {
            Some(_) => None,
            None => self.status.as_ref(),
        }
    }

    pub(super) fn poll_metadata(&mut self, cx: &mut Context<'_>) -> Poll<Result<Metadata, Status>> {
        let receiver = self.receiver.as_mut().filter(|_| !self.has_no_metadata);
        if let Some(receiver) = receiver {
            match ready!(receiver.poll_metadata(cx)) {
                Ok(metadata) => return Poll::Ready(Ok(metadata)),
                Err(_) => self.has_no_metadata = true,
            }
        }
        // The status says why there is no metadata. Such a call has no messages that could be lost
        // here.
        while ready!(self.poll_message(cx)).is_some() {}
        Poll::Ready(match self.failure() {
            Some(status) => Err(status),
            None => Ok(MetadataBuilder::new().build()),
        })
    }

    /// Ends the call without another word from the server, and the stream without a failure.
    pub(super) fn abandon(&mut self, status: Status) {
        self.end(status);
        self.is_terminated = true;
    }

    /// The next message. None once the call has ended.
    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        loop {
            let Some(receiver) = &mut self.receiver else {
                return Poll::Ready(None);
            };
            match ready!(receiver.poll_next(cx)) {
                Some(Ok(message)) => match self.parse(message) {
                    Ok(message) => return Poll::Ready(Some(message)),
                    Err(status) => self.end(status),
                },
                // The binding reports a failed call before messages that have arrived already. It
                // returns these when it is polled again.
                Some(Err(e)) if self.status.is_none() => self.status = Some(self.judge(e.into())),
                Some(Err(_)) | None => {
                    let status = self.status.take().unwrap_or_else(Status::ok);
                    self.end(status);
                }
            }
        }
    }

    /// Parses a message, after a check of its length that the binding would not make.
    fn parse(&mut self, message: MessageReader) -> Result<T, Status> {
        self.received += 1;
        let (number, bytes) = (self.received, message.len());
        check_length("client", number, bytes, self.bounds.message_bytes)?;
        parse(message).map_err(|e| Status::internal(format!("a response cannot be parsed: {e}")))
    }

    /// The status of a call that has failed, for which the binding has this status.
    ///
    /// Some servers, such as those of grpc-go, reset a call at its deadline. The C core takes that
    /// for DEADLINE_EXCEEDED only from the next millisecond on, and for CANCELLED before. What
    /// counts here is when the status is read.
    fn judge(&self, status: Status) -> Status {
        let has_passed = |deadline| deadline <= Instant::now();
        if self.bounds.deadline.is_some_and(has_passed)
            && status.code() == RpcStatusCode::CANCELLED
            && status.message() == RESET
        {
            return Status::deadline_exceeded("the deadline of the call has passed");
        }
        status
    }

    fn end(&mut self, status: Status) {
        self.receiver = None;
        self.status = Some(status);
    }

    /// The status of a call that has ended and has failed.
    fn failure(&self) -> Option<Status> {
        let status = self.status()?;
        (status.code() != RpcStatusCode::OK).then(|| status.clone())
    }
}

impl<T: Message> Stream for Responses<T> {
    type Item = Result<T, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.is_terminated {
            return Poll::Ready(None);
        }
        if let Some(message) = ready!(self.poll_message(cx)) {
            return Poll::Ready(Some(Ok(message)));
        }
        self.is_terminated = true;
        Poll::Ready(self.failure().map(Err))
    }
}

impl<T: Message> FusedStream for Responses<T> {
    fn is_terminated(&self) -> bool {
        self.is_terminated
    }
}

impl<T: Message> fmt::Debug for Responses<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Responses")
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}

/// The response of a call that has exactly one.
///
/// # Errors
///
/// The status of the call. An OK with no response or with more than one is UNIMPLEMENTED, as
/// gRPC's table of statuses requires.
pub(super) async fn single_response<T: Message>(responses: &mut Responses<T>) -> Result<T, Status> {
    let violation =
        |sent| Status::unimplemented(format!("the server ended the call with OK but sent {sent}"));
    let first = responses.try_next().await?;
    if responses.try_next().await?.is_some() {
        return Err(violation("more than one response"));
    }
    first.ok_or_else(|| violation("no response"))
}
