//! A subscriber's place in a topic on disk: near the end it reads from memory, before that from disk.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{ready, Context, Poll};

use futures::future::{BoxFuture, FutureExt};

use super::topic::{DiskTopic, Found};
use crate::error::Error;
use crate::message::Message;
use crate::offset::Offset;
use crate::registry::Life;
use crate::store::Cursor;

pub(super) type Loading = BoxFuture<'static, Result<VecDeque<Message>, Error>>;

pub(super) struct DiskCursor {
    offset: Offset,
    /// What has been taken from the log from `offset` on.
    ahead: VecDeque<Message>,
    /// What is being read from the disk, from `offset` on.
    loading: Option<Loading>,
    /// Among the log's waiters.
    place: usize,
    log: Arc<DiskTopic>,
}

impl DiskCursor {
    pub(super) fn new(log: Arc<DiskTopic>, offset: Offset) -> Self {
        Self {
            offset,
            ahead: VecDeque::new(),
            loading: None,
            place: log.waiters.enter(),
            log,
        }
    }

    /// The next message, if it is there.
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
            match self.log.read(self.offset, &mut self.ahead)? {
                Found::Recent => {}
                Found::End => return Poll::Pending,
                Found::Older(next) => self.loading = Some(self.log.load(self.offset, next)),
            }
        }
    }
}

impl Cursor for DiskCursor {
    fn offset(&self) -> Offset {
        self.offset
    }

    fn is_behind(&self) -> bool {
        self.log.is_before_the_end(self.offset)
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Message, Error>> {
        let taken = self.take(cx);
        if taken.is_ready() || self.loading.is_some() {
            return taken;
        }
        self.log.waiters.wait(self.place, cx.waker());
        // Once more: what was appended before the place was taken wakes nobody.
        self.take(cx)
    }
}

impl Drop for DiskCursor {
    fn drop(&mut self) {
        self.log.waiters.leave(self.place);
        self.log.touch();
    }
}
