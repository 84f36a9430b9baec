//! Ends running calls when their server shuts down.

use std::pin::Pin;
use std::task::{ready, Context, Poll};

use futures::channel::oneshot;
use futures::future::{Future, FutureExt, Shared};
use futures::stream::{self, Stream, StreamExt};
use parking_lot::Mutex;

use crate::status::Status;

/// The wish to end all calls of a server.
///
/// The C core's own shutdown refuses new calls but waits for the running ones, and a live stream
/// may run for ever. Calls served with a [`Draining`] end with UNAVAILABLE once it begins, which
/// tells clients that they may try again elsewhere.
#[derive(Debug)]
pub struct Drain {
    begin: Mutex<Option<oneshot::Sender<()>>>,
    draining: Draining,
}

/// Is over when the [`Drain`] it comes from begins, or is dropped.
#[derive(Clone, Debug)]
pub struct Draining(Shared<oneshot::Receiver<()>>);

impl Drain {
    /// A drain that has not begun.
    pub fn new() -> Self {
        let (begin, begun) = oneshot::channel();
        Self {
            begin: Mutex::new(Some(begin)),
            draining: Draining(begun.shared()),
        }
    }

    /// Ends the running calls, and each new one as it arrives. Beginning twice is no error.
    pub fn begin(&self) {
        let begin = self.begin.lock().take();
        // Nobody waits where no call runs.
        let _ = begin.map(|begin| begin.send(()));
        // Who never waits looks for what another has seen. Another thread may just be looking.
        while self.draining.0.peek().is_none() {
            let _ = self.draining().now_or_never();
        }
    }

    /// What the calls wait for.
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
    /// `source`, which fails as soon as the drain begins, with the status for a call that has sent
    /// so many messages.
    pub fn end<S, T>(
        mut self,
        mut source: S,
        status: impl Fn(u64) -> Status,
    ) -> impl Stream<Item = Result<T, Status>>
    where
        S: Stream<Item = Result<T, Status>> + Unpin,
    {
        let mut sent = 0;
        stream::poll_fn(move |cx| {
            // To wait for it costs more than to look: that is done once nothing is ready.
            if self.0.peek().is_none() {
                if let Poll::Ready(item) = source.poll_next_unpin(cx) {
                    sent += u64::from(matches!(item, Some(Ok(_))));
                    return Poll::Ready(item);
                }
            }
            ready!(self.poll_unpin(cx));
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
