//! What the checks have in common: short forms that fail loudly.

use std::future::poll_fn;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::wait::soon;
use crate::append::{Appended, Sequence};
use crate::error::Error;
use crate::limits::StoreLimits;
use crate::message::Message;
use crate::name::{Name, ProducerName};
use crate::offset::Bounds;
use crate::retention::Retention;
use crate::start_at::StartAt;
use crate::store::{Cursor, Store, Topic};

/// Keeps everything that a check appends.
pub(super) const KEEP_ALL: Retention = Retention {
    messages: u64::MAX,
    bytes: u64::MAX,
    age: None,
};

/// Retention that keeps this number of messages.
pub(super) fn keep(messages: u64) -> Retention {
    Retention {
        messages,
        ..KEEP_ALL
    }
}

pub(super) fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

pub(super) fn topic(store: &dyn Store, topic: &str) -> Arc<dyn Topic> {
    try_topic(store, topic).expect("a topic")
}

pub(super) fn try_topic(store: &dyn Store, topic: &str) -> Result<Arc<dyn Topic>, Error> {
    soon("topic", store.topic(&name(topic)))
}

/// The text of each message says its number.
pub(super) fn texts(range: Range<u64>) -> Vec<Arc<str>> {
    range.map(|n| format!("message {n}").into()).collect()
}

pub(super) fn append(topic: &Arc<dyn Topic>, batch: Vec<Arc<str>>) -> Appended {
    try_append(topic, batch).expect("appended")
}

pub(super) fn try_append(topic: &Arc<dyn Topic>, batch: Vec<Arc<str>>) -> Result<Appended, Error> {
    soon("append", topic.append(batch, None))
}

pub(super) fn sequence(producer: &str, first: u64) -> Sequence {
    let producer = ProducerName::new(producer).expect("a name");
    Sequence { producer, first }
}

/// Appends `count` messages of a producer.
pub(super) fn publish(
    topic: &Arc<dyn Topic>,
    producer: &str,
    first: u64,
    count: u64,
) -> Result<Appended, Error> {
    let batch = texts(first..first + count);
    let sequence = sequence(producer, first);
    soon("append", topic.append(batch, Some(sequence)))
}

pub(super) fn try_subscribe(
    topic: &Arc<dyn Topic>,
    start: StartAt,
) -> Result<Box<dyn Cursor>, Error> {
    soon("subscribe", topic.clone().subscribe(start))
}

pub(super) fn subscribe(topic: &Arc<dyn Topic>, start: StartAt) -> Box<dyn Cursor> {
    try_subscribe(topic, start).expect("a cursor")
}

pub(super) fn next(cursor: &mut Box<dyn Cursor>) -> Result<Message, Error> {
    soon(
        "message",
        poll_fn(|cx| Pin::new(&mut **cursor).poll_next(cx)),
    )
}

/// The text of the next message.
pub(super) fn next_text(cursor: &mut Box<dyn Cursor>) -> Arc<str> {
    next(cursor).expect("a message").data
}

/// The texts from `start` to the end.
pub(super) fn read(topic: &Arc<dyn Topic>, start: StartAt) -> Vec<Arc<str>> {
    let mut cursor = subscribe(topic, start);
    let mut texts = Vec::new();
    while cursor.is_behind() {
        texts.push(next_text(&mut cursor));
    }
    texts
}

pub(super) fn bounds(earliest: u64, next: u64) -> Bounds {
    Bounds { earliest, next }
}

/// The limit of topics, and how long idle ones are kept.
pub(super) fn topic_limit(topics: usize) -> StoreLimits {
    StoreLimits {
        topics,
        idle: Duration::ZERO,
        ..StoreLimits::default()
    }
}
