//! What the three calls do with a topic: a live feed, ingest, a conversation.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::{self, BoxFuture};
use futures::{stream, FutureExt, Stream, StreamExt, TryFutureExt};
use grpcio::{MetadataBuilder, RpcStatusCode};
use serde_json::json;

use super::metadata::Request;
use super::{response, status};
use crate::generated::greeter::{StreamReqData, StreamResData};
use grpcio_streams::{Call, Requests, Status};
use topic_log::{cost, Appended, Cursor, Error, Message, Name, Offset, Sequence, Store, Topic};

/// What a publisher has sent while the store was busy is appended together: at most so much, and
/// one message more, counted as retention counts. Beyond it the client is told to wait.
const GATHERED_BYTES: u64 = 64 * 1024;

/// The behaviour of calls that name a topic.
pub(super) struct Topics {
    store: Arc<dyn Store>,
}

impl Topics {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    fn topic(&self, name: &Name) -> Result<Arc<dyn Topic>, Status> {
        self.store.topic(name).map_err(|e| status::of(&e))
    }

    /// The topic's messages from where the call wants them.
    pub(super) fn get_stream(
        &self,
        call: Arc<Call>,
        request: Request,
    ) -> Result<impl Stream<Item = Result<StreamResData, Status>>, Status> {
        let topic = self.topic(&request.topic)?;
        let messages = async move {
            let mut cursor = subscribe(&call, topic, &request).await?;
            Ok(stream::poll_fn(move |cx| {
                if !request.follow && !cursor.is_behind() {
                    return Poll::Ready(None);
                }
                Pin::new(&mut *cursor)
                    .poll_next(cx)
                    .map(|message| Some(told(message)))
            }))
        };
        Ok(messages.try_flatten_stream())
    }

    /// Appends each message; answers with a receipt.
    pub(super) fn put_stream(
        &self,
        request: Request,
        requests: Requests<StreamReqData>,
    ) -> Result<impl Future<Output = Result<StreamResData, Status>>, Status> {
        let topic = self.topic(&request.topic)?;
        Ok(async move {
            let receipt = Publishing::new(topic, request, requests).finish().await?;
            Ok(response(receipt.to_json()))
        })
    }

    /// Appends each message and tells all messages of the topic, in one order for everyone. Once
    /// the client half-closes it is told what was there by then.
    pub(super) fn all_stream(
        &self,
        call: Arc<Call>,
        request: Request,
        requests: Requests<StreamReqData>,
    ) -> Result<impl Stream<Item = Result<StreamResData, Status>>, Status> {
        let topic = self.topic(&request.topic)?;
        let messages = async move {
            let mut cursor = subscribe(&call, topic.clone(), &request).await?;
            let publishing = Publishing::new(topic.clone(), request, requests);
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
                Pin::new(&mut *cursor)
                    .poll_next(cx)
                    .map(|message| Some(told(message)))
            }))
        };
        Ok(messages.try_flatten_stream())
    }
}

async fn subscribe(
    call: &Call,
    topic: Arc<dyn Topic>,
    request: &Request,
) -> Result<Box<dyn Cursor>, Status> {
    let epoch = topic.epoch();
    let subscribed = topic.subscribe(request.from).await;
    let cursor = subscribed.map_err(|e| status::of(&e))?;
    let first = cursor.offset();
    let mut metadata = MetadataBuilder::with_capacity(2);
    metadata.add_str("epoch", &epoch.to_string())?;
    metadata.add_str("offset", &first.to_string())?;
    call.respond_with(metadata.build());
    let name = request.topic.clone();
    call.when_drained(move |sent| status::draining(&name, epoch, first + sent));
    Ok(cursor)
}

fn told(message: Result<Message, Error>) -> Result<StreamResData, Status> {
    let message = message.map_err(|e| status::of(&e))?;
    Ok(response(message.data.to_string()))
}

/// The messages of a call on their way into a topic: while some are being appended, the next
/// gather.
struct Publishing {
    topic: Arc<dyn Topic>,
    /// Of the call's first message.
    sequence: Option<Sequence>,
    requests: Requests<StreamReqData>,
    /// How the requests ended.
    ended: Option<Result<(), Status>>,
    gathered: Vec<Arc<str>>,
    gathered_bytes: u64,
    appending: Option<BoxFuture<'static, Result<Appended, Error>>>,
    receipt: Receipt,
}

impl Publishing {
    fn new(topic: Arc<dyn Topic>, request: Request, requests: Requests<StreamReqData>) -> Self {
        Self {
            receipt: Receipt::new(request.topic, topic.epoch().to_string()),
            topic,
            sequence: request.sequence,
            requests,
            ended: None,
            gathered: Vec::new(),
            gathered_bytes: 0,
            appending: None,
        }
    }

    /// Resolves once everything that was received is as safe as the store makes it.
    async fn finish(mut self) -> Result<Receipt, Status> {
        future::poll_fn(|cx| self.poll(cx)).await?;
        Ok(self.receipt)
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        loop {
            if let Some(appending) = &mut self.appending {
                if let Poll::Ready(appended) = appending.poll_unpin(cx) {
                    self.receipt.add(appended.map_err(|e| status::of(&e))?);
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

    /// Takes what has arrived, as far as there is room.
    fn gather(&mut self, cx: &mut Context<'_>) {
        while self.ended.is_none() && self.gathered_bytes < GATHERED_BYTES {
            match self.requests.poll_next_unpin(cx) {
                Poll::Pending => return,
                Poll::Ready(None) => self.ended = Some(Ok(())),
                Poll::Ready(Some(Err(status))) => self.ended = Some(Err(status)),
                Poll::Ready(Some(Ok(message))) => {
                    self.gathered_bytes += cost(&message.data);
                    self.gathered.push(message.data.into());
                }
            }
        }
    }

    fn append(&mut self) -> Result<(), Status> {
        let before = self.receipt.count();
        // The number behind the last has to be one, too: it is what the topic expects then.
        let behind = before + self.gathered.len() as u64;
        let sequence = match &self.sequence {
            None => None,
            Some(start) => start
                .after(behind)
                .and(start.after(before))
                .map(Some)
                .ok_or_else(|| {
                    let why = "the sequence numbers of this call go beyond 2^64 - 2";
                    Status::new(RpcStatusCode::INVALID_ARGUMENT, why)
                })?,
        };
        self.gathered_bytes = 0;
        let batch = std::mem::take(&mut self.gathered);
        self.appending = Some(self.topic.append(batch, sequence));
        Ok(())
    }
}

/// What became of the messages of a call.
struct Receipt {
    topic: Name,
    epoch: String,
    first: Option<Offset>,
    last: Option<Offset>,
    accepted: u64,
    duplicates: u64,
}

impl Receipt {
    fn new(topic: Name, epoch: String) -> Self {
        Self {
            topic,
            epoch,
            first: None,
            last: None,
            accepted: 0,
            duplicates: 0,
        }
    }

    fn count(&self) -> u64 {
        self.accepted + self.duplicates
    }

    fn add(&mut self, appended: Appended) {
        self.accepted += appended.stored;
        self.duplicates += appended.duplicates;
        if let Some(first) = appended.first {
            self.first.get_or_insert(first);
            self.last = Some(first + appended.stored - 1);
        }
    }

    /// One line; `first` and `last` are null where nothing was accepted.
    fn to_json(&self) -> String {
        json!({
            "topic": self.topic.as_str(),
            "epoch": self.epoch,
            "first": self.first,
            "last": self.last,
            "accepted": self.accepted,
            "duplicates": self.duplicates,
        })
        .to_string()
    }
}
