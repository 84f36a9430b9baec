//! What the three calls do with a topic: a live feed, ingest, a conversation.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use futures::{stream, FutureExt, Stream, TryStreamExt};
use grpcio::{MetadataBuilder, RpcStatusCode};
use serde_json::json;

use super::metadata::Request;
use super::{response, status};
use crate::generated::greeter::{StreamReqData, StreamResData};
use crate::stream::{Call, Requests, Status};
use crate::topic::{Appended, Cursor, Message, Name, Offset, Store, Topic};

/// The behaviour of calls that name a topic.
pub(super) struct Topics {
    store: Arc<dyn Store>,
}

impl Topics {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// The topic's messages from where the call wants them.
    pub(super) fn get_stream(
        &self,
        call: &Call,
        request: &Request,
    ) -> Result<impl Stream<Item = Result<StreamResData, Status>>, Status> {
        let topic = self.store.topic(&request.topic)?;
        let mut cursor = subscribe(call, topic, request)?;
        let follow = request.follow;
        Ok(stream::poll_fn(move |cx| {
            if !follow && !cursor.is_behind() {
                return Poll::Ready(None);
            }
            Pin::new(&mut *cursor)
                .poll_next(cx)
                .map(|message| Some(told(message)))
        }))
    }

    /// Appends each message; answers with a receipt.
    pub(super) fn put_stream(
        &self,
        request: Request,
        requests: Requests<StreamReqData>,
    ) -> Result<impl Future<Output = Result<StreamResData, Status>>, Status> {
        let topic = self.store.topic(&request.topic)?;
        Ok(async move {
            let receipt = publish(topic, request, requests).await?;
            Ok(response(receipt.to_json()))
        })
    }

    /// Appends each message and tells all messages of the topic, in one order for everyone. Once
    /// the client half-closes it is told what was there by then.
    pub(super) fn all_stream(
        &self,
        call: &Call,
        request: Request,
        requests: Requests<StreamReqData>,
    ) -> Result<impl Stream<Item = Result<StreamResData, Status>>, Status> {
        let topic = self.store.topic(&request.topic)?;
        let mut cursor = subscribe(call, topic.clone(), &request)?;
        let mut publishing = Some(publish(topic.clone(), request, requests).boxed());
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
    }
}

fn subscribe(
    call: &Call,
    topic: Arc<dyn Topic>,
    request: &Request,
) -> Result<Box<dyn Cursor>, Status> {
    let epoch = topic.epoch();
    let cursor = topic.subscribe(request.from)?;
    let first = cursor.offset();
    let mut metadata = MetadataBuilder::with_capacity(2);
    metadata.add_str("epoch", &epoch.to_string())?;
    metadata.add_str("offset", &first.to_string())?;
    call.respond_with(metadata.build());
    let name = request.topic.clone();
    call.when_drained(move |sent| status::draining(&name, epoch, first + sent));
    Ok(cursor)
}

fn told(message: Result<Message, crate::topic::Error>) -> Result<StreamResData, Status> {
    Ok(response(message?.data.to_string()))
}

async fn publish(
    topic: Arc<dyn Topic>,
    request: Request,
    mut requests: Requests<StreamReqData>,
) -> Result<Receipt, Status> {
    let mut receipt = Receipt::new(request.topic, topic.epoch().to_string());
    while let Some(message) = requests.try_next().await? {
        let sequence = match &request.sequence {
            None => None,
            Some(start) => Some(start.after(receipt.count()).ok_or_else(|| {
                let why = "the sequence numbers of this call go beyond 2^64 - 1";
                Status::new(RpcStatusCode::INVALID_ARGUMENT, why)
            })?),
        };
        receipt.add(topic.append(vec![message.data.into()], sequence).await?);
    }
    Ok(receipt)
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
