//! The loads.

use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::channel::mpsc::{unbounded, UnboundedSender};
use futures::channel::oneshot;
use futures::future::{self, BoxFuture, Either, Shared};
use futures::{stream, FutureExt, StreamExt, TryStream, TryStreamExt};
use futures_timer::Delay;
use grpcio_streams::client::Responses;
use grpcio_streams::Status;
use topic_log::{Name, StartAt};

use super::flags::{Work, STAMP};
use super::meter::{Meter, Window};
use crate::client::Client;
use crate::generated::greeter::{StreamReqData, StreamResData};
use crate::protocol::message::request;
use crate::protocol::{Receipt, Request};

/// What all streams of a load share.
pub(super) struct Bench {
    pub(super) work: Work,
    /// A topic that only this load uses.
    pub(super) topic: Name,
    pub(super) publisher: Client,
    pub(super) clients: Vec<Client>,
    pub(super) meter: Meter,
    /// The time that the stamps of messages count from.
    pub(super) began: Instant,
    /// Receives an item from each stream that is ready.
    pub(super) ready: UnboundedSender<()>,
    /// Completes with the time of the measurement when all streams are ready.
    pub(super) gate: Shared<oneshot::Receiver<Window>>,
}

/// One of the streams of a load, from its beginning to its end.
pub(super) type Stream = BoxFuture<'static, Result<(), Status>>;

/// How many messages and bytes are put into a topic that is read repeatedly. They fit the default
/// retention of every server.
const FILL_MESSAGES: usize = 50_000;
const FILL_BYTES: usize = 32 * 1024 * 1024;

/// How far the publisher may be ahead of its subscribers at full speed. Beyond that they could fall
/// behind the retained tail of the topic.
const AHEAD_MESSAGES: u64 = 10_000;
const AHEAD_BYTES: u64 = 16 * 1024 * 1024;

/// How long a stream may run after the end of the measurement.
pub(super) const GRACE: Duration = Duration::from_secs(10);

impl Bench {
    /// Fills the topic, if the load needs that.
    pub(super) async fn prepare(self: Arc<Self>) -> Result<(), Status> {
        let count = match self.work {
            Work::Get(_) => (FILL_BYTES / self.size()).clamp(1, FILL_MESSAGES),
            Work::Fan(_) | Work::Idle(_) | Work::Calls(_) => 1,
            Work::Put(_) | Work::Ping(_) | Work::Mixed(_) => return Ok(()),
        };
        let message = self.message(self.began);
        let messages = stream::repeat(Ok(message)).take(count);
        put(&self.publisher, self.topic.clone(), messages).await?;
        Ok(())
    }

    /// All streams of a load, each with the client that makes its calls.
    pub(super) fn streams(self: &Arc<Self>) -> Vec<(Client, Stream)> {
        let number = self.work.load().streams.get();
        let mut streams: Vec<_> = (0..number)
            .map(|n| {
                let client = self.clients[n % self.clients.len()].clone();
                let (bench, caller) = (self.clone(), client.clone());
                let stream = match self.work {
                    Work::Get(_) => bench.get(caller).boxed(),
                    Work::Put(_) => bench.put(caller, n).boxed(),
                    Work::Ping(_) | Work::Mixed(_) => bench.ping(caller, n).boxed(),
                    Work::Fan(_) => bench.follow(caller, n).boxed(),
                    Work::Idle(_) => bench.wait(caller, n).boxed(),
                    Work::Calls(_) => bench.calls(caller, n).boxed(),
                };
                (client, self.clone().in_time(stream).boxed())
            })
            .collect();
        let publishing = match self.work {
            Work::Fan(_) => self.clone().publish(number as u64).boxed(),
            Work::Idle(_) => self.clone().publish_late().boxed(),
            _ => return streams,
        };
        let publishing = self.clone().in_time(publishing).boxed();
        streams.push((self.publisher.clone(), publishing));
        streams
    }

    async fn get(self: Arc<Self>, client: Client) -> Result<(), Status> {
        let window = self.ready().await?;
        while !window.is_over() {
            let mut feed = self.feed(&client, false)?;
            while feed.try_next().await?.is_some() {
                self.meter.count();
                if window.is_over() {
                    break;
                }
            }
        }
        Ok(())
    }

    async fn put(self: Arc<Self>, client: Client, n: usize) -> Result<(), Status> {
        let window = self.ready().await?;
        let mut sent = 0_u64;
        let messages = stream::poll_fn(|_| {
            if window.is_over() {
                return None.into();
            }
            sent += 1;
            self.meter.count();
            Some(Ok(self.message(Instant::now()))).into()
        });
        let answer = put(&client, self.own_topic(n)?, messages).await?;
        match Receipt::decode(&answer) {
            Some(receipt) if receipt.accepted == sent => Ok(()),
            _ => Err(Status::data_loss(format!(
                "{sent} messages were sent; the receipt is {answer}"
            ))),
        }
    }

    async fn ping(self: Arc<Self>, client: Client, n: usize) -> Result<(), Status> {
        let window = self.ready().await?;
        let (sender, sent) = unbounded();
        let topic = Request::new(self.own_topic(n)?);
        let mut conversation = client.all_stream(sent, Some(&topic))?;
        let mut times = Box::pin(self.times(window));
        while let Some(at) = times.next().await {
            // The conversation has the receiver and is polled next, so sending does not fail.
            let message = self.message(at);
            let _ = sender.unbounded_send(Ok::<_, Status>(message.clone()));
            let answer = conversation.try_next().await?.ok_or_else(ended)?;
            if answer.data != message.data {
                return Err(Status::data_loss("another message came back than was sent"));
            }
            self.meter.record(at, n);
        }
        Ok(())
    }

    /// A subscriber. The first message shows that it follows the topic. All later messages are
    /// measured.
    async fn follow(self: Arc<Self>, client: Client, n: usize) -> Result<(), Status> {
        let (mut feed, window) = self.following(&client).await?;
        let following = async {
            loop {
                self.receive(&mut feed, n).await?;
            }
        };
        futures::pin_mut!(following);
        match future::select(following, until(window.end)).await {
            Either::Left((failed, _)) => failed,
            Either::Right(_) => Ok(()),
        }
    }

    /// A subscriber of `idle`. It waits for the one message however late it comes.
    async fn wait(self: Arc<Self>, client: Client, n: usize) -> Result<(), Status> {
        let (mut feed, _) = self.following(&client).await?;
        self.receive(&mut feed, n).await
    }

    /// A stream that follows the topic, and the time of the measurement.
    async fn following(
        &self,
        client: &Client,
    ) -> Result<(Responses<StreamResData>, Window), Status> {
        let mut feed = self.feed(client, true)?;
        feed.try_next().await?.ok_or_else(ended)?;
        Ok((feed, self.ready().await?))
    }

    async fn receive(&self, feed: &mut Responses<StreamResData>, n: usize) -> Result<(), Status> {
        let message = feed.try_next().await?.ok_or_else(ended)?;
        self.meter.record(self.sent(&message.data)?, n);
        Ok(())
    }

    async fn calls(self: Arc<Self>, client: Client, n: usize) -> Result<(), Status> {
        let window = self.ready().await?;
        let mut times = Box::pin(self.times(window));
        while let Some(at) = times.next().await {
            let messages: Vec<_> = self.feed(&client, false)?.try_collect().await?;
            if messages.len() != 1 {
                return Err(Status::data_loss(format!(
                    "a call had {} messages instead of one",
                    messages.len()
                )));
            }
            self.meter.record(at, n);
        }
        Ok(())
    }

    /// The publisher of `fan`.
    async fn publish(self: Arc<Self>, subscribers: u64) -> Result<(), Status> {
        let window = self.ready().await?;
        let most = (AHEAD_BYTES / self.size() as u64).clamp(1, AHEAD_MESSAGES);
        let messages = self.times(window).enumerate().then(|(n, at)| {
            let bench = self.clone();
            async move {
                let delivered = || bench.meter.count.load(Ordering::Relaxed) / subscribers;
                let is_ahead = || delivered() + most < n as u64 && !window.is_over();
                while bench.work.rate().is_none() && is_ahead() {
                    Delay::new(Duration::from_millis(1)).await;
                }
                Ok(bench.message(at))
            }
        });
        put(&self.publisher, self.topic.clone(), messages).await?;
        Ok(())
    }

    /// The publisher of `idle`: one message near the end, after all subscribers have been idle for
    /// long.
    async fn publish_late(self: Arc<Self>) -> Result<(), Status> {
        let window = self.ready().await?;
        until(window.begin + (window.end - window.begin).mul_f64(0.9)).await;
        let message = stream::iter([Ok(self.message(Instant::now()))]);
        put(&self.publisher, self.topic.clone(), message).await?;
        Ok(())
    }

    /// Reports that a stream is ready, and waits for the others.
    async fn ready(&self) -> Result<Window, Status> {
        // The receiver is gone if another stream has failed.
        let _ = self.ready.unbounded_send(());
        self.gate.clone().await.map_err(|_| given_up())
    }

    /// Fails for a stream that does not end when it should.
    async fn in_time(self: Arc<Self>, stream: Stream) -> Result<(), Status> {
        let late = async {
            let window = self.gate.clone().await.map_err(|_| given_up())?;
            until(window.end + GRACE).await;
            let why = format!("a call did not end within {GRACE:?} of the end of the measurement");
            Err(Status::deadline_exceeded(why))
        };
        futures::pin_mut!(late);
        future::select(stream, late).await.factor_first().0
    }

    /// The times at which messages are to be sent: at the rate, or one after the other.
    fn times(&self, window: Window) -> impl futures::Stream<Item = Instant> + Send {
        let interval = self
            .work
            .rate()
            .map(|rate| Duration::from_secs(1) / rate.get());
        let start = Instant::now();
        stream::unfold(0_u32, move |n| async move {
            let at = match interval {
                None => Instant::now(),
                Some(interval) => {
                    let at = start + interval * n;
                    if at > Instant::now() {
                        until(at).await;
                    }
                    at
                }
            };
            (at < window.end).then_some((at, n + 1))
        })
    }

    /// The messages of the topic, from the earliest on.
    fn feed(&self, client: &Client, follow: bool) -> Result<Responses<StreamResData>, Status> {
        let topic = Request {
            start: StartAt::Earliest,
            follow,
            ..Request::new(self.topic.clone())
        };
        client.get_stream(&request(String::new()), Some(&topic))
    }

    /// The text of a message, in bytes.
    fn size(&self) -> usize {
        self.work.load().size as usize
    }

    fn own_topic(&self, n: usize) -> Result<Name, Status> {
        topic(&format!("{}/{n}", self.topic))
    }

    /// A message with the stamp of the time at which it was to be sent.
    fn message(&self, at: Instant) -> StreamReqData {
        let nanoseconds = at.saturating_duration_since(self.began).as_nanos();
        let mut text = format!("{nanoseconds:0STAMP$x}");
        text.extend(std::iter::repeat_n('.', self.size() - STAMP));
        request(text)
    }

    /// The time at which a message was to be sent, from its stamp.
    fn sent(&self, data: &str) -> Result<Instant, Status> {
        let stamp = data.get(..STAMP);
        let nanoseconds = stamp.and_then(|stamp| u64::from_str_radix(stamp, 16).ok());
        let sent = nanoseconds.map(|n| self.began + Duration::from_nanos(n));
        sent.ok_or_else(|| Status::data_loss("a message came that was not sent"))
    }
}

fn until(time: Instant) -> Delay {
    Delay::new(time.saturating_duration_since(Instant::now()))
}

/// PutStream on a topic. Returns the answer.
async fn put<S>(client: &Client, topic: Name, messages: S) -> Result<String, Status>
where
    S: TryStream<Ok = StreamReqData, Error = Status>,
{
    client
        .put_stream(messages, Some(&Request::new(topic)))
        .await
}

/// A topic of this load.
pub(super) fn topic(name: &str) -> Result<Name, Status> {
    Name::new(name).map_err(|e| Status::invalid_argument(format!("topic `{name}` {e}")))
}

fn ended() -> Status {
    Status::data_loss("the server ended a call that follows a topic")
}

fn given_up() -> Status {
    Status::cancelled("another stream of the load failed")
}
