//! Ends the running calls of a server that shuts down.

use std::pin::Pin;
use std::task::{ready, Context, Poll};

use futures::channel::oneshot;
use futures::future::{Future, FutureExt, Shared};
use futures::stream::{self, Stream, StreamExt};
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
pub struct Draining(Shared<oneshot::Receiver<()>>);

impl Drain {
    /// Creates a drain that has not begun.
    pub fn new() -> Self {
        let (begin, begun) = oneshot::channel();
        Self {
            begin: Mutex::new(Some(begin)),
            draining: Draining(begun.shared()),
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
        while self.draining.0.peek().is_none() {
            let _ = self.draining().now_or_never();
        }
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
            if waiting.0.peek().is_none() {
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
        self.0.poll_unpin(cx).map(|_| ())
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
    fn a_drain_that_is_dropped_has_begun() {
        let draining = Drain::new().draining();
        let mut stream = draining.end(stream::pending::<Result<(), _>>(), |_| Status::draining());
        assert_eq!(block_on(stream.next()), Some(Err(Status::draining())));
    }
}
