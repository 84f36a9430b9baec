//! Sends a stream of messages into a gRPC sink. Both sides of a call use it.

use std::pin::Pin;
use std::task::{ready, Context, Poll};

use futures::{Future, Sink, SinkExt, TryStream};
use grpcio::WriteFlags;

use crate::fairness::{NetworkPause, SendTurn};
use crate::status::Status;

/// How forwarding ended. Unless the call is over, all messages before the end have been flushed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Forwarded<E> {
    /// All messages of the source have been sent.
    All,
    /// The source failed, or one of its messages could not be encoded.
    Failed(E),
    /// The call is over. The sink must not be used again.
    CallOver,
}

/// A future that sends all messages of `source` into `sink` and leaves the sink open.
///
/// - At every wake-up it polls the sink before the source. The binding reports the end of the call
///   through the sink, so an idle source is dropped when its peer has left.
/// - It polls the source only while the sink has room (back-pressure).
/// - The sink keeps each message until the next one is ready, so it can send all messages but the
///   last with the buffer hint. The last one is flushed as soon as the source is pending. The
///   messages themselves carry no hint, because the sink would repeat it on the final flush, and a
///   single message would stay in the C core's buffer.
/// - It [pauses](NetworkPause) together with the other calls of its completion queue. If it has a
///   backlog and sends [by turns](Self::by_turns), it waits for its [`SendTurn`].
pub(crate) struct Forward<'a, K, S: TryStream> {
    sink: &'a mut K,
    source: Pin<&'a mut S>,
    /// A message from the source that waits for a turn.
    next: Option<S::Ok>,
    /// Whether the last message was ready immediately after the one before it.
    backlog: bool,
    ending: Option<Forwarded<S::Error>>,
    pause: NetworkPause,
    /// None if it sends without turns.
    turn: Option<SendTurn>,
    /// How many messages the sink has accepted, and how many of them the connection has taken.
    accepted: u64,
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
            accepted: 0,
            sent: 0,
        }
    }

    /// Sends a backlog by turns with the other calls of its completion queue. The future must then
    /// be polled whenever it is woken, because it keeps its turn until it is polled.
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
                    self.pass_turn();
                    return Poll::Pending;
                }
            },
        };
        let turn = self.turn.as_mut().filter(|_| self.backlog);
        if turn.is_some_and(|turn| turn.poll(cx).is_pending()) {
            self.next = Some(message);
            return Poll::Pending;
        }
        self.backlog = true;
        Poll::Ready(Some(Ok(message)))
    }

    /// Gives up the turn.
    fn pass_turn(&mut self) {
        if let Some(turn) = &mut self.turn {
            turn.pass();
        }
    }

    /// How many messages the connection has taken. A message that the sink accepted is not sent if
    /// the call was over by then.
    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }

    /// Sends what the sink keeps.
    fn poll_flush<T>(&mut self, cx: &mut Context<'_>) -> Poll<grpcio::Result<()>>
    where
        K: Sink<T, Error = grpcio::Error> + Unpin,
    {
        ready!(self.sink.poll_flush_unpin(cx))?;
        self.sent = self.accepted;
        Poll::Ready(Ok(()))
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
                // The peer may take long to read the last messages.
                this.pass_turn();
                return match ready!(this.poll_flush(cx)) {
                    Ok(()) => Poll::Ready(this.ending.take().unwrap_or(Forwarded::All)),
                    Err(_) => Poll::Ready(Forwarded::CallOver),
                };
            }
            match this.sink.poll_ready_unpin(cx) {
                // The sink keeps the last message.
                Poll::Ready(Ok(())) => this.sent = this.sent.max(this.accepted.saturating_sub(1)),
                Poll::Ready(Err(_)) => return Poll::Ready(Forwarded::CallOver),
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
                        Ok(()) => this.accepted += 1,
                        Err(e @ grpcio::Error::Codec(_)) => {
                            let status = Status::from(e);
                            this.ending = Some(Forwarded::Failed(status.into()));
                        }
                        Err(_) => return Poll::Ready(Forwarded::CallOver),
                    }
                }
                Poll::Ready(Some(Err(e))) => this.ending = Some(Forwarded::Failed(e)),
                Poll::Ready(None) => this.ending = Some(Forwarded::All),
                Poll::Pending => {
                    if ready!(this.poll_flush(cx)).is_err() {
                        return Poll::Ready(Forwarded::CallOver);
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

    /// A sink that behaves like those of the binding with `enhance_batch`, and records what it does.
    #[derive(Default)]
    struct Recorder {
        held: Option<u32>,
        /// Each message that was sent, and whether it was sent with the buffer hint.
        writes: Vec<(u32, bool)>,
        flushes: usize,
        /// The first results of `poll_ready`. All later ones are ready.
        ready: VecDeque<Poll<Result<(), grpcio::Error>>>,
        call_over: bool,
    }

    impl Sink<(u32, WriteFlags)> for Recorder {
        type Error = grpcio::Error;

        fn poll_ready(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Result<(), grpcio::Error>> {
            assert!(!self.call_over, "used again after the call ended");
            let answer = self.ready.pop_front().unwrap_or(Poll::Ready(Ok(())));
            self.call_over = matches!(answer, Poll::Ready(Err(_)));
            answer
        }

        fn start_send(
            mut self: Pin<&mut Self>,
            (message, flags): (u32, WriteFlags),
        ) -> Result<(), grpcio::Error> {
            assert!(
                !flags.get_buffer_hint(),
                "would stay in the buffer after the last flush"
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
            unreachable!("forwarding leaves the sink open")
        }
    }

    fn flushed(recorder: &Recorder) -> Vec<u32> {
        let flushed = recorder.writes.iter().filter(|(_, hinted)| !hinted);
        flushed.map(|(message, _)| *message).collect()
    }

    #[test]
    fn a_burst_is_one_flush_and_a_single_message_is_sent_at_once() {
        let mut sink = Recorder::default();
        let (sender, mut source) = mpsc::unbounded::<Result<u32, Status>>();
        let mut cx = Context::from_waker(futures::task::noop_waker_ref());

        for message in 0..1000 {
            sender.unbounded_send(Ok(message)).expect("source lives");
        }
        let mut forward = Forward::new(&mut sink, Pin::new(&mut source));
        assert!(forward.poll_unpin(&mut cx).is_pending());
        assert_eq!(forward.sink.flushes, 1);
        assert_eq!(flushed(forward.sink), [999]);

        sender.unbounded_send(Ok(1000)).expect("source lives");
        assert!(forward.poll_unpin(&mut cx).is_pending());
        assert_eq!(forward.sink.flushes, 2);
        assert_eq!(flushed(forward.sink), [999, 1000]);

        drop(sender);
        assert_eq!(forward.poll_unpin(&mut cx), Poll::Ready(Forwarded::All));
        assert_eq!(forward.sent(), 1001);
        assert_eq!(sink.flushes, 2, "there was nothing left to flush");
    }

    #[test]
    fn messages_before_a_failure_are_delivered() {
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
        assert_eq!((forward.accepted, forward.sent()), (0, 0));
        assert!(forward.poll_unpin(&mut cx).is_pending());
        assert_eq!((forward.accepted, forward.sent()), (1, 0));
        drop(source);
        assert_eq!(polled, 1);
    }

    #[test]
    fn a_message_that_the_connection_did_not_take_is_not_sent() {
        let over = || Poll::Ready(Err(grpcio::Error::RemoteStopped));
        let taken = || Poll::Ready(Ok(()));
        // The sink keeps the last message that it has accepted.
        for (ready, sent) in [
            (vec![taken(), over()], 0),
            (vec![taken(), taken(), over()], 0),
            (vec![taken(), taken(), taken(), over()], 1),
        ] {
            let mut sink = Recorder {
                ready: ready.into(),
                ..Recorder::default()
            };
            let mut source = stream::repeat(Ok::<_, Status>(1));
            let mut forward = Forward::new(&mut sink, Pin::new(&mut source));
            assert_eq!(block_on(&mut forward), Forwarded::CallOver);
            assert_eq!(forward.sent(), sent);
        }
    }

    #[test]
    fn an_idle_source_is_left_when_the_call_is_over() {
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
            Poll::Ready(Forwarded::CallOver)
        );
    }

    #[test]
    fn a_backlog_waits_for_a_turn_and_a_single_message_does_not() {
        let mut cx = Context::from_waker(futures::task::noop_waker_ref());
        // Takes all turns of this thread.
        let mut taken = Vec::new();
        let mut turn = SendTurn::default();
        while turn.poll(&mut cx).is_ready() {
            taken.push(std::mem::take(&mut turn));
        }
        drop(turn);

        let mut sink = Recorder::default();
        let (sender, mut source) = mpsc::unbounded::<Result<u32, Status>>();
        let mut forward = Forward::new(&mut sink, Pin::new(&mut source)).by_turns();
        for single in 0..3 {
            sender.unbounded_send(Ok(single)).expect("source lives");
            assert!(forward.poll_unpin(&mut cx).is_pending());
        }
        assert_eq!(flushed(forward.sink), [0, 1, 2]);

        for backlog in 3..6 {
            sender.unbounded_send(Ok(backlog)).expect("source lives");
        }
        assert!(forward.poll_unpin(&mut cx).is_pending());
        assert_eq!(flushed(forward.sink), [0, 1, 2, 3]);
        drop(taken);
        assert!(forward.poll_unpin(&mut cx).is_pending());
        assert_eq!(flushed(forward.sink), [0, 1, 2, 3, 5]);
    }
}
