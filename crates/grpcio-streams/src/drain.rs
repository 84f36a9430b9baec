//! Ends the running calls of a server that shuts down.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::task::{ready, Context, Poll};

use futures::channel::oneshot;
use futures::future::{self, Future, FutureExt, Shared};
use futures::stream::{self, Stream, StreamExt};
use futures::task::AtomicWaker;
use parking_lot::Mutex;

use crate::status::Status;

/// Ends all calls of a server when it shuts down.
///
/// The C core's own shutdown refuses new calls but waits for the running ones, and a live stream
/// may never end by itself. When a drain begins, the calls that it covers end with UNAVAILABLE,
/// which tells clients that they may try again elsewhere.
#[derive(Debug)]
pub struct Drain {
    begin: Mutex<Option<oneshot::Sender<()>>>,
    draining: Draining,
}

/// A future that completes when its [`Drain`] begins or is dropped.
#[derive(Clone, Debug)]
pub struct Draining {
    begun: Shared<oneshot::Receiver<()>>,
    calls: Arc<Calls>,
}

/// How many calls a drain covers that have not ended yet.
#[derive(Debug, Default)]
struct Calls {
    running: AtomicUsize,
    /// Waits until there are none.
    waiting: AtomicWaker,
}

/// A call that has not ended before this is dropped.
#[derive(Debug)]
pub(crate) struct Running(Arc<Calls>);

impl Drain {
    /// Creates a drain that has not begun.
    pub fn new() -> Self {
        let (begin, begun) = oneshot::channel();
        Self {
            begin: Mutex::new(Some(begin)),
            draining: Draining {
                begun: begun.shared(),
                calls: Arc::default(),
            },
        }
    }

    /// Begins the drain: ends the running calls, and each new call as soon as it arrives. Has no
    /// effect when the drain has begun already.
    pub fn begin(&self) {
        let begin = self.begin.lock().take();
        // The receiver is part of `self.draining`, so this cannot fail.
        let _ = begin.map(|begin| begin.send(()));
        // A busy call only peeks, and `peek` shows the message only after some poll has received it.
        // Another thread may be polling at the moment, so this may take several polls.
        while self.draining.begun.peek().is_none() {
            let _ = self.draining().now_or_never();
        }
    }

    /// Completes when no call runs any more: the core has the status of each. A server that waits
    /// for it before the core's own shutdown lets its clients read these statuses. The core closes
    /// a connection as soon as its last call ends after the shutdown, and a client that still sends
    /// on it then reads that it was reset instead.
    ///
    /// It may take until the client leaves or reads: flow control may hold a status back. Only one
    /// task may wait at a time.
    pub async fn ended(&self) {
        let calls = &self.draining.calls;
        future::poll_fn(|cx| {
            calls.waiting.register(cx.waker());
            if calls.running.load(Ordering::SeqCst) == 0 {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }

    /// The future that the calls wait for.
    pub fn draining(&self) -> Draining {
        self.draining.clone()
    }
}

impl Default for Drain {
    fn default() -> Self {
        Self::new()
    }
}

impl Draining {
    /// Counts a call until the result is dropped.
    pub(crate) fn running(&self) -> Running {
        self.calls.running.fetch_add(1, Ordering::SeqCst);
        Running(self.calls.clone())
    }

    /// Lets a stream fail and end as soon as the drain begins. Until then it passes on the items of
    /// `source`.
    ///
    /// `status` makes the failure, given the number of messages that the stream has produced.
    ///
    /// [`ServiceBuilder`](crate::ServiceBuilder) does this for every call. Use it in a service that
    /// is built with another drain, such as a health service, whose clients are to receive a last
    /// message about this drain before their calls end.
    pub fn end<S, T>(
        self,
        mut source: S,
        status: impl Fn(u64) -> Status,
    ) -> impl Stream<Item = Result<T, Status>>
    where
        S: Stream<Item = Result<T, Status>> + Unpin,
    {
        let mut sent = 0;
        // None once the stream has failed.
        let mut draining = Some(self);
        stream::poll_fn(move |cx| {
            let Some(waiting) = &mut draining else {
                return Poll::Ready(None);
            };
            // Peeking costs less than polling, which is necessary only when nothing is ready.
            if waiting.begun.peek().is_none() {
                if let Poll::Ready(item) = source.poll_next_unpin(cx) {
                    sent += u64::from(matches!(item, Some(Ok(_))));
                    return Poll::Ready(item);
                }
            }
            ready!(waiting.poll_unpin(cx));
            draining = None;
            Poll::Ready(Some(Err(status(sent))))
        })
    }
}

impl Future for Draining {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.begun.poll_unpin(cx).map(|_| ())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.0.running.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.waiting.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;

    use super::*;

    #[test]
    fn a_stream_fails_once_when_the_drain_begins() {
        let drain = Drain::new();
        let numbers = stream::iter([1, 2, 3].map(Ok));
        let end = |sent| Status::unavailable(format!("after {sent}"));
        let mut stream = drain.draining().end(numbers, end);
        assert_eq!(block_on(stream.next()), Some(Ok(1)));
        assert_eq!(block_on(stream.next()), Some(Ok(2)));
        drain.begin();
        drain.begin();
        let failure = Some(Err(Status::unavailable("after 2")));
        assert_eq!(block_on(stream.next()), failure);
        assert_eq!(block_on(stream.next()), None);
        assert_eq!(block_on(stream.next()), None);
    }

    #[test]
    fn it_has_ended_when_the_last_call_has() {
        let drain = Drain::new();
        let calls = [drain.draining().running(), drain.draining().running()];
        let mut ended = std::pin::pin!(drain.ended());
        for call in calls {
            assert_eq!(ended.as_mut().now_or_never(), None);
            drop(call);
        }
        assert_eq!(ended.now_or_never(), Some(()));
    }

    #[test]
    fn a_drain_that_is_dropped_has_begun() {
        let draining = Drain::new().draining();
        let mut stream = draining.end(stream::pending::<Result<(), _>>(), |_| Status::draining());
        assert_eq!(block_on(stream.next()), Some(Err(Status::draining())));
    }
}
