//! The cursor of every store. It reads recent messages from the tail of a topic, and has the store
//! load older ones.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{ready, Context, Poll};

use futures::future::{BoxFuture, FutureExt};

use crate::error::Error;
use crate::message::Message;
use crate::offset::Offset;
use crate::store::Cursor;
use crate::tail::{Found, HasTail};

/// Messages that a store loads.
pub(crate) type Loading = BoxFuture<'static, Result<VecDeque<Message>, Error>>;

/// A topic that cursors read.
pub(crate) trait Readable: HasTail {
    /// Loads at least one message from `offset` on, which is before those in memory. `next` is the
    /// offset behind the last message.
    fn load(self: Arc<Self>, offset: Offset, next: Offset) -> Loading;
}

pub(crate) struct TailCursor<T: Readable> {
    offset: Offset,
    /// Messages from `offset` on that were taken from the topic.
    ahead: VecDeque<Message>,
    /// Messages from `offset` on that are being loaded.
    loading: Option<Loading>,
    /// Its slot among the waiters of the topic.
    slot: usize,
    topic: Arc<T>,
}

impl<T: Readable> TailCursor<T> {
    pub(crate) fn new(topic: Arc<T>, offset: Offset) -> Self {
        Self {
            offset,
            ahead: VecDeque::new(),
            loading: None,
            slot: topic.tail().waiters().enter(),
            topic,
        }
    }

    /// The next message, if there is one.
    fn take(&mut self, cx: &mut Context<'_>) -> Poll<Result<Message, Error>> {
        loop {
            if let Some(message) = self.ahead.pop_front() {
                self.offset += 1;
                return Poll::Ready(Ok(message));
            }
            if let Some(loading) = &mut self.loading {
                let loaded = ready!(loading.poll_unpin(cx));
                self.loading = None;
                self.ahead = loaded?;
                continue;
            }
            let state = self.topic.state();
            let found = self.topic.tail().read(&state, self.offset, &mut self.ahead);
            drop(state);
            match found? {
                Found::Recent => {}
                Found::End => return Poll::Pending,
                Found::Older(next) => {
                    self.loading = Some(self.topic.clone().load(self.offset, next));
                }
            }
        }
    }
}

impl<T: Readable> Cursor for TailCursor<T> {
    fn offset(&self) -> Offset {
        self.offset
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Message, Error>> {
        let taken = self.take(cx);
        if taken.is_ready() || self.loading.is_some() {
            return taken;
        }
        self.topic.tail().waiters().wait(self.slot, cx.waker());
        // Checked once more: an append before the registration of the waker does not wake it.
        self.take(cx)
    }

    fn is_behind(&self) -> bool {
        self.topic.tail().is_beyond(self.offset)
    }
}

impl<T: Readable> Drop for TailCursor<T> {
    fn drop(&mut self) {
        let tail = self.topic.tail();
        tail.waiters().leave(self.slot);
        tail.touch();
    }
}
