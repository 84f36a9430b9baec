//! Moves a stream of messages into a gRPC sink; the same code on both sides of a call.

use std::pin::Pin;
use std::task::{ready, Context, Poll};

use futures::{Future, Sink, SinkExt, TryStream};
use grpcio::WriteFlags;

use crate::fairness::{NetworkPause, SendTurn};
use crate::status::Status;

/// How the pumping ended. Whatever was sent before has been flushed, except to a departed peer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Forwarded<E> {
    /// The source is at its end.
    Finished,
    /// The source failed, or one of its messages could not be encoded.
    Failed(E),
    /// The call is over: the sink must not be used again.
    Departed,
}

/// A future that sends all of `source` into `sink` and leaves the sink open.
///
/// - The sink is polled before the source at every wake: that is where the binding reports the
///   end of the call, so that an idle source is dropped when its peer has left.
/// - The source is polled only while the sink has room (back-pressure).
/// - The sink holds each message back until the next is ready, which lets it mark all but the
///   last with the buffer hint; as soon as the source is pending the last one is flushed. The
///   messages themselves carry no hint, because the sink would repeat it on the final flush and
///   leave a lone message corked.
/// - It [pause](NetworkPause) with the other calls of its completion queue, and where it has a backlog and
///   [shall](Self::by_turns), it waits for its [`SendTurn`].
pub(crate) struct Forward<'a, K, S: TryStream> {
    sink: &'a mut K,
    source: Pin<&'a mut S>,
    /// What the source gave, and what waits for a turn.
    next: Option<S::Ok>,
    /// Whether the last message was ready together with the one before it.
    backlog: bool,
    ending: Option<Forwarded<S::Error>>,
    pause: NetworkPause,
    /// None where it sends whenever it can.
    turn: Option<SendTurn>,
    sent: u64,
}

impl<'a, K, S: TryStream> Forward<'a, K, S> {
    pub(crate) fn new(sink: &'a mut K, source: Pin<&'a mut S>) -> Self {
        Self {
            sink,
            source,
            next: None,
            backlog: false,
            ending: None,
            pause: NetworkPause::default(),
            turn: None,
            sent: 0,
        }
    }

    /// Has it send a backlog by turns with the other calls of its completion queue. Only for a
    /// forward that is polled whenever it is woken: one that is not keeps its turn for ever.
    pub(crate) fn by_turns(mut self) -> Self {
        self.turn = Some(SendTurn::default());
        self
    }

    /// The next message that may be sent, or the end of the source.
    fn poll_source(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<S::Ok, S::Error>>> {
        let message = match self.next.take() {
            Some(message) => message,
            None => match self.source.as_mut().try_poll_next(cx) {
                Poll::Ready(Some(Ok(message))) => message,
                Poll::Ready(end) => return Poll::Ready(end),
                Poll::Pending => {
                    self.backlog = false;
                    self.pass();
                    return Poll::Pending;
                }
            },
        };
        if let (Some(turn), true) = (&mut self.turn, self.backlog) {
            if turn.poll(cx).is_pending() {
                self.next = Some(message);
                return Poll::Pending;
            }
        }
        self.backlog = true;
        Poll::Ready(Some(Ok(message)))
    }

    /// Lets others have their turn.
    fn pass(&mut self) {
        if let Some(turn) = &mut self.turn {
            turn.pass();
        }
    }

    /// How many messages the sink has accepted.
    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }
}

impl<K, S> Unpin for Forward<'_, K, S> where S: TryStream {}

impl<T, K, S> Future for Forward<'_, K, S>
where
    K: Sink<(T, WriteFlags), Error = grpcio::Error> + Unpin,
    S: TryStream<Ok = T>,
    S::Error: From<Status>,
{
    type Output = Forwarded<S::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        loop {
            if this.ending.is_some() {
                // The peer may take its time to read the last.
                this.pass();
                return match ready!(this.sink.poll_flush_unpin(cx)) {
                    Ok(()) => Poll::Ready(this.ending.take().unwrap_or(Forwarded::Finished)),
                    Err(_) => Poll::Ready(Forwarded::Departed),
                };
            }
            match this.sink.poll_ready_unpin(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(Forwarded::Departed),
                Poll::Pending => {
                    if let Some(turn) = &mut this.turn {
                        turn.hold(cx);
                    }
                    return Poll::Pending;
                }
            }
            ready!(this.pause.poll(cx));
            match this.poll_source(cx) {
                Poll::Ready(Some(Ok(message))) => {
                    match this.sink.start_send_unpin((message, WriteFlags::default())) {
                        Ok(()) => this.sent += 1,
                        Err(e @ grpcio::Error::Codec(_)) => {
                            let status = Status::from(e);
                            this.ending = Some(Forwarded::Failed(status.into()));
                        }
                        Err(_) => return Poll::Ready(Forwarded::Departed),
                    }
                }
                Poll::Ready(Some(Err(e))) => this.ending = Some(Forwarded::Failed(e)),
                Poll::Ready(None) => this.ending = Some(Forwarded::Finished),
                Poll::Pending => {
                    if ready!(this.sink.poll_flush_unpin(cx)).is_err() {
                        return Poll::Ready(Forwarded::Departed);
                    }
                    return Poll::Pending;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use futures::executor::block_on;
    use futures::stream::{self, StreamExt};
    use futures::task::noop_waker;
    use futures::{channel::mpsc, FutureExt};

    use super::*;

    /// Does what the binding's sinks do with `enhance_batch`, and records it.
    #[derive(Default)]
    struct Recorder {
        held: Option<u32>,
        /// Each message that was sent, and whether it was corked.
        writes: Vec<(u32, bool)>,
        flushes: usize,
        /// Answers for `poll_ready`, then always ready.
        ready: VecDeque<Poll<Result<(), grpcio::Error>>>,
        departed: bool,
    }

    impl Sink<(u32, WriteFlags)> for Recorder {
        type Error = grpcio::Error;

        fn poll_ready(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Result<(), grpcio::Error>> {
            assert!(!self.departed, "used again after the call ended");
            let answer = self.ready.pop_front().unwrap_or(Poll::Ready(Ok(())));
            self.departed = matches!(answer, Poll::Ready(Err(_)));
            answer
        }

        fn start_send(
            mut self: Pin<&mut Self>,
            (message, flags): (u32, WriteFlags),
        ) -> Result<(), grpcio::Error> {
            assert!(
                !flags.get_buffer_hint(),
                "would stay corked on the last flush"
            );
            if let Some(held) = self.held.replace(message) {
                self.writes.push((held, true));
            }
            Ok(())
        }

        fn poll_flush(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Result<(), grpcio::Error>> {
            if let Some(held) = self.held.take() {
                self.writes.push((held, false));
                self.flushes += 1;
            }
            Poll::Ready(Ok(()))
        }

        fn poll_close(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Result<(), grpcio::Error>> {
            unreachable!("the forward leaves the sink open")
        }
    }

    fn uncorked(recorder: &Recorder) -> Vec<u32> {
        let uncorked = recorder.writes.iter().filter(|(_, corked)| !corked);
        uncorked.map(|(message, _)| *message).collect()
    }

    #[test]
    fn a_burst_is_one_flush_and_a_lone_message_leaves_at_once() {
        let mut sink = Recorder::default();
        let (sender, mut source) = mpsc::unbounded::<Result<u32, Status>>();
        let mut cx = Context::from_waker(futures::task::noop_waker_ref());

        for message in 0..1000 {
            sender.unbounded_send(Ok(message)).expect("source lives");
        }
        let mut forward = Forward::new(&mut sink, Pin::new(&mut source));
        assert!(forward.poll_unpin(&mut cx).is_pending());
        assert_eq!(forward.sink.flushes, 1);
        assert_eq!(uncorked(forward.sink), [999]);

        sender.unbounded_send(Ok(1000)).expect("source lives");
        assert!(forward.poll_unpin(&mut cx).is_pending());
        assert_eq!(forward.sink.flushes, 2);
        assert_eq!(uncorked(forward.sink), [999, 1000]);

        drop(sender);
        assert_eq!(
            forward.poll_unpin(&mut cx),
            Poll::Ready(Forwarded::Finished)
        );
        assert_eq!(forward.sent(), 1001);
        assert_eq!(sink.flushes, 2, "nothing was left to flush");
    }

    #[test]
    fn what_came_before_a_failure_is_delivered() {
        let mut sink = Recorder::default();
        let failure = Status::internal("the source broke");
        let mut source = stream::iter([Ok(1), Ok(2), Err(failure.clone()), Ok(3)]);
        let forwarded = block_on(Forward::new(&mut sink, Pin::new(&mut source)));
        assert_eq!(forwarded, Forwarded::Failed(failure));
        assert_eq!(sink.writes, [(1, true), (2, false)]);
    }

    #[test]
    fn the_source_is_polled_only_while_the_sink_has_room() {
        let mut sink = Recorder {
            ready: [Poll::Pending, Poll::Ready(Ok(())), Poll::Pending].into(),
            ..Recorder::default()
        };
        let mut polled = 0;
        let source = stream::repeat_with(|| {
            polled += 1;
            Ok::<_, Status>(polled)
        });
        let mut source = source.boxed_local();
        let waker = noop_waker();
        let mut cx = Context::from_waker(&waker);
        let mut forward = Forward::new(&mut sink, Pin::new(&mut source));
        assert!(forward.poll_unpin(&mut cx).is_pending());
        assert_eq!(forward.sent(), 0);
        assert!(forward.poll_unpin(&mut cx).is_pending());
        assert_eq!(forward.sent(), 1);
        drop(source);
        assert_eq!(polled, 1);
    }

    #[test]
    fn an_idle_source_is_given_up_when_the_peer_has_left() {
        let mut sink = Recorder {
            ready: [
                Poll::Ready(Ok(())),
                Poll::Ready(Err(grpcio::Error::RemoteStopped)),
            ]
            .into(),
            ..Recorder::default()
        };
        let mut source = stream::pending::<Result<u32, Status>>();
        let mut cx = Context::from_waker(futures::task::noop_waker_ref());
        let mut forward = Forward::new(&mut sink, Pin::new(&mut source));
        assert!(forward.poll_unpin(&mut cx).is_pending());
        assert_eq!(
            forward.poll_unpin(&mut cx),
            Poll::Ready(Forwarded::Departed)
        );
    }

    #[test]
    fn a_backlog_waits_for_its_turn_and_a_lone_message_does_not() {
        let mut cx = Context::from_waker(futures::task::noop_waker_ref());
        // All turns of this thread.
        let mut taken = Vec::new();
        let mut turn = SendTurn::default();
        while turn.poll(&mut cx).is_ready() {
            taken.push(std::mem::take(&mut turn));
        }
        drop(turn);

        let mut sink = Recorder::default();
        let (sender, mut source) = mpsc::unbounded::<Result<u32, Status>>();
        let mut forward = Forward::new(&mut sink, Pin::new(&mut source)).by_turns();
        for lone in 0..3 {
            sender.unbounded_send(Ok(lone)).expect("source lives");
            assert!(forward.poll_unpin(&mut cx).is_pending());
        }
        assert_eq!(uncorked(forward.sink), [0, 1, 2]);

        for backlog in 3..6 {
            sender.unbounded_send(Ok(backlog)).expect("source lives");
        }
        assert!(forward.poll_unpin(&mut cx).is_pending());
        assert_eq!(uncorked(forward.sink), [0, 1, 2, 3]);
        drop(taken);
        assert!(forward.poll_unpin(&mut cx).is_pending());
        assert_eq!(uncorked(forward.sink), [0, 1, 2, 3, 5]);
    }
}
