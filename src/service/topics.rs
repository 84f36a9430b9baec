//! Calls on a topic: GetStream follows it, PutStream publishes to it, AllStream does both.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::{self, BoxFuture};
use futures::{stream, FutureExt, Stream, StreamExt, TryFutureExt};
use grpcio_streams::{Call, Requests, Status};
use topic_log::{Appended, Cursor, Error, Message, Name, Sequence, StartAt, Store, Topic};

use crate::generated::greeter::{StreamReqData, StreamResData};
use crate::protocol::message::response;
use crate::protocol::reason::{reworded, status_of};
use crate::protocol::{Position, Reason, Receipt, Request};

/// The messages that a publisher sends while the store is busy are appended together. Together they
/// have at most this many bytes, as retention counts them, plus one message. Beyond that, flow
/// control holds the publisher back.
const GATHERED_BYTES: u64 = 64 * 1024;

/// The handlers of calls on a topic.
#[derive(Clone)]
pub(super) struct Topics {
    store: Arc<dyn Store>,
}

impl Topics {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// Ends all subscriptions and makes all messages durable. May block.
    pub(super) fn close(&self) {
        self.store.close();
    }

    /// Sends the topic's messages from the start that the call asks for.
    pub(super) fn get_stream(
        &self,
        call: Arc<Call>,
        request: Request,
    ) -> impl Stream<Item = Result<StreamResData, Status>> {
        let store = self.store.clone();
        let messages = async move {
            let topic = topic(&*store, &request.topic).await?;
            let mut cursor = subscribe(&call, topic, &request.topic, request.start).await?;
            Ok(stream::poll_fn(move |cx| {
                if !request.follow && !cursor.is_behind() {
                    return Poll::Ready(None);
                }
                poll_message(&mut cursor, cx).map(Some)
            }))
        };
        messages.try_flatten_stream()
    }

    /// Appends the messages and answers with a receipt.
    pub(super) fn put_stream(
        &self,
        request: Request,
        requests: Requests<StreamReqData>,
    ) -> impl Future<Output = Result<StreamResData, Status>> {
        let store = self.store.clone();
        async move {
            let topic = topic(&*store, &request.topic).await?;
            let publishing = Publishing::new(topic, request, requests).await?;
            Ok(response(publishing.finish().await?.encode()))
        }
    }

    /// Appends the messages, and sends all messages of the topic, in the same order to every
    /// client. After the client half-closes it still receives the messages that the topic has by
    /// then.
    pub(super) fn all_stream(
        &self,
        call: Arc<Call>,
        request: Request,
        requests: Requests<StreamReqData>,
    ) -> impl Stream<Item = Result<StreamResData, Status>> {
        let store = self.store.clone();
        let messages = async move {
            let topic = topic(&*store, &request.topic).await?;
            let mut cursor = subscribe(&call, topic.clone(), &request.topic, request.start).await?;
            let publishing = Publishing::new(topic.clone(), request, requests).await?;
            let mut publishing = Some(publishing.finish().boxed());
            let mut end = None;
            Ok(stream::poll_fn(move |cx| {
                if let Some(published) = &mut publishing {
                    match published.poll_unpin(cx) {
                        Poll::Pending => {}
                        Poll::Ready(Err(status)) => return Poll::Ready(Some(Err(status))),
                        Poll::Ready(Ok(_)) => {
                            publishing = None;
                            end = Some(topic.bounds().next);
                        }
                    }
                }
                if end.is_some_and(|end| cursor.offset() >= end) {
                    return Poll::Ready(None);
                }
                poll_message(&mut cursor, cx).map(Some)
            }))
        };
        messages.try_flatten_stream()
    }
}

async fn topic(store: &dyn Store, name: &Name) -> Result<Arc<dyn Topic>, Status> {
    store.topic(name).await.map_err(|e| status_of(&e))
}

/// Makes a cursor of the topic. The call's response metadata gets the position where it starts. The
/// status of a drain gets the position where the client continues.
async fn subscribe(
    call: &Call,
    topic: Arc<dyn Topic>,
    name: &Name,
    start: StartAt,
) -> Result<Box<dyn Cursor>, Status> {
    let epoch = topic.epoch();
    let subscribed = topic.subscribe(start).await;
    let cursor = subscribed.map_err(|e| status_of(&e))?;
    let offset = cursor.offset();
    call.respond_with(Position { epoch, offset }.encode()?);
    let topic = name.clone();
    call.when_drained(move |sent| draining(&topic, Position { epoch, offset }, sent));
    Ok(cursor)
}

/// The status with which a drain ends a call that began at `start` and has sent `sent` messages.
fn draining(topic: &Name, start: Position, sent: u64) -> Status {
    let plain = Status::draining();
    let (epoch, next) = (start.epoch, start.offset + sent);
    let message = format!(
        "{}: topic {topic} goes on at offset {next} of epoch {epoch}",
        plain.message()
    );
    let topic = topic.clone();
    Reason::Draining { topic, epoch, next }.encode(Status::new(plain.code(), message))
}

fn poll_message(
    cursor: &mut Box<dyn Cursor>,
    cx: &mut Context<'_>,
) -> Poll<Result<StreamResData, Status>> {
    let message = Pin::new(&mut **cursor).poll_next(cx);
    message.map(|message: Result<Message, Error>| {
        let message = message.map_err(|e| status_of(&e))?;
        Ok(response(message.data.to_string()))
    })
}

/// Appends the messages of a call to a topic. While one batch is being appended, the next one is
/// gathered.
struct Publishing {
    topic: Arc<dyn Topic>,
    /// The producer and the number of the call's first message, if there is a producer.
    sequence: Option<Sequence>,
    requests: Requests<StreamReqData>,
    /// The end of the requests: half-close, or a status.
    ended: Option<Result<(), Status>>,
    gathered: Vec<Arc<str>>,
    gathered_bytes: u64,
    appending: Option<BoxFuture<'static, Result<Appended, Error>>>,
    receipt: Receipt,
}

impl Publishing {
    async fn new(
        topic: Arc<dyn Topic>,
        request: Request,
        requests: Requests<StreamReqData>,
    ) -> Result<Self, Status> {
        let mut receipt = Receipt::new(request.topic, topic.epoch());
        let sequence = match request.producer {
            None => None,
            Some(producer) => {
                let expected = topic.expected(&producer).await;
                let expected = expected.map_err(|e| status_of(&e))?;
                receipt.expected = Some(expected);
                let first = request.sequence.unwrap_or(expected);
                Some(Sequence { producer, first })
            }
        };
        Ok(Self {
            receipt,
            topic,
            sequence,
            requests,
            ended: None,
            gathered: Vec::new(),
            gathered_bytes: 0,
            appending: None,
        })
    }

    /// Completes when all received messages are acknowledged by the store.
    ///
    /// # Errors
    ///
    /// The status that ends the call. Its message says what was stored before.
    async fn finish(mut self) -> Result<Receipt, Status> {
        let ended = future::poll_fn(|cx| self.poll(cx)).await;
        let mut receipt = self.receipt;
        receipt.earliest = self.topic.bounds().earliest;
        ended.map_err(|status| after(status, &receipt))?;
        Ok(receipt)
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        loop {
            if let Some(appending) = &mut self.appending {
                if let Poll::Ready(appended) = appending.poll_unpin(cx) {
                    let appended = appended.map_err(|e| status_of(&e))?;
                    let (stored, duplicates) = (appended.stored, appended.duplicates);
                    self.receipt.add(appended.first, stored, duplicates);
                    self.receipt.expected = appended.expected;
                    self.appending = None;
                }
            }
            self.gather(cx);
            if self.appending.is_some() {
                return Poll::Pending;
            }
            if !self.gathered.is_empty() {
                self.append()?;
                continue;
            }
            return match self.ended.take() {
                Some(ended) => Poll::Ready(ended),
                None => Poll::Pending,
            };
        }
    }

    /// Takes the messages that have arrived, up to the limit of a batch.
    fn gather(&mut self, cx: &mut Context<'_>) {
        while self.ended.is_none() && self.gathered_bytes < GATHERED_BYTES {
            match self.requests.poll_next_unpin(cx) {
                Poll::Pending => return,
                Poll::Ready(None) => self.ended = Some(Ok(())),
                Poll::Ready(Some(Err(status))) => self.ended = Some(Err(self.refused(status))),
                Poll::Ready(Some(Ok(message))) => {
                    self.gathered_bytes += Message::retained_bytes(&message.data);
                    self.gathered.push(message.data.into());
                }
            }
        }
    }

    /// The status that ends the call when a request is refused. All requests before it are appended.
    fn refused(&self, status: Status) -> Status {
        if status.too_long().is_none() {
            return status;
        }
        let (topic, why) = (&self.receipt.topic, status.message());
        let message = format!(
            "topic {topic}: {why}; what was sent before it is stored; send shorter messages"
        );
        reworded(status, message)
    }

    fn append(&mut self) -> Result<(), Status> {
        let before = self.receipt.acknowledged();
        // The number after the last one must exist as well, because the topic expects it next.
        let behind = before + self.gathered.len() as u64;
        let sequence = match &self.sequence {
            None => None,
            Some(start) => start
                .after(behind)
                .and(start.after(before))
                .map(Some)
                .ok_or_else(|| {
                    Status::invalid_argument("the sequence numbers of this call go beyond 2^64 - 2")
                })?,
        };
        self.gathered_bytes = 0;
        let batch = std::mem::take(&mut self.gathered);
        self.appending = Some(self.topic.append(batch, sequence));
        Ok(())
    }
}

/// The status of a publisher's call, with what the topic has stored of the call before.
fn after(status: Status, receipt: &Receipt) -> Status {
    let (Some(first), Some(last)) = (receipt.first, receipt.last) else {
        return status;
    };
    let Receipt {
        accepted, earliest, ..
    } = receipt;
    let dropped = match receipt.dropped() {
        0 => String::new(),
        dropped => {
            format!(", of which retention has dropped {dropped}: the earliest is {earliest}")
        }
    };
    let message = format!(
        "{}; before that, {accepted} messages of this call were stored, at offsets {first} to \
         {last}{dropped}",
        status.message()
    );
    reworded(status, message)
}
