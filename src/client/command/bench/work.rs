//! The six loads.

use std::num::NonZeroU32;
use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::channel::mpsc::{unbounded, UnboundedSender};
use futures::channel::oneshot;
use futures::future::{self, BoxFuture, Either, Shared};
use futures::{stream, FutureExt, StreamExt, TryStreamExt};
use futures_timer::Delay;
use grpcio::RpcStatusCode;

use super::calls;
use super::meter::{Meter, Window};
use super::Work;
use crate::client::{request, Client};
use crate::generated::greeter::StreamReqData;
use grpcio_streams::Status;

/// What the streams of a load have in common.
pub(super) struct Bench {
    /// Not used by anyone else.
    pub(super) topic: String,
    pub(super) size: usize,
    pub(super) rate: Option<NonZeroU32>,
    pub(super) publisher: Client,
    pub(super) clients: Vec<Client>,
    pub(super) meter: Arc<Meter>,
    /// Messages say how long after this they were to be sent.
    pub(super) began: Instant,
    /// Is told of each stream that is ready.
    pub(super) ready: UnboundedSender<()>,
    /// Opens when all are ready; then it is known when it is measured.
    pub(super) gate: Shared<oneshot::Receiver<Window>>,
}

/// One of the streams of a load, from its beginning to its end.
pub(super) type Stream = BoxFuture<'static, Result<(), Status>>;

/// A topic that is read again and again is filled with so many messages, or so many bytes, which
/// any server's retention has room for.
const FILL_MESSAGES: usize = 50_000;
const FILL_BYTES: usize = 32 * 1024 * 1024;

/// At full speed the publisher is so far ahead of its subscribers at most: else they fall off the
/// topic's tail.
const AHEAD_MESSAGES: u64 = 10_000;
const AHEAD_BYTES: u64 = 16 * 1024 * 1024;

/// How long after the end a stream may take to end.
const GRACE: Duration = Duration::from_secs(10);

/// How many digits of a message say when it was to be sent; the rest fills it.
pub(super) const STAMP: usize = 16;

impl Bench {
    /// Fills the topic, where the load wants that.
    pub(super) async fn prepare(self: Arc<Self>, work: Work) -> Result<(), Status> {
        let count = match work {
            Work::Get(_) => (FILL_BYTES / self.size).clamp(1, FILL_MESSAGES),
            Work::Fan(_) | Work::Idle(_) | Work::Calls(_) => 1,
            Work::Put(_) | Work::Ping(_) => return Ok(()),
        };
        let message = self.message(self.began);
        let messages = stream::repeat(Ok(message)).take(count);
        calls::put(&self.publisher, &self.topic, messages).await?;
        Ok(())
    }

    /// All streams of a load, each with the client that makes its calls.
    pub(super) fn streams(self: &Arc<Self>, work: &Work) -> Vec<(Client, Stream)> {
        let number = work.load().streams.get();
        let mut streams: Vec<_> = (0..number)
            .map(|n| {
                let client = self.clients[n % self.clients.len()].clone();
                let (bench, caller) = (self.clone(), client.clone());
                let stream = match work {
                    Work::Get(_) => bench.get(caller).boxed(),
                    Work::Put(_) => bench.put(caller, n).boxed(),
                    Work::Ping(_) => bench.ping(caller, n).boxed(),
                    Work::Fan(_) | Work::Idle(_) => bench.follow(caller, n).boxed(),
                    Work::Calls(_) => bench.calls(caller, n).boxed(),
                };
                (client, self.clone().in_time(stream).boxed())
            })
            .collect();
        let publishing = match work {
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
            let mut feed = calls::get(&client, &self.topic, false)?;
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
        let receipt = calls::put(&client, &self.own_topic(n), messages).await?;
        let stored: Option<u64> = serde_json::from_str::<serde_json::Value>(&receipt)
            .ok()
            .and_then(|receipt| receipt.get("accepted")?.as_u64());
        match stored == Some(sent) {
            true => Ok(()),
            false => Err(lost(format!(
                "{sent} messages were sent; the receipt is {receipt}"
            ))),
        }
    }

    async fn ping(self: Arc<Self>, client: Client, n: usize) -> Result<(), Status> {
        let window = self.ready().await?;
        let (says, said) = unbounded();
        let mut conversation = calls::all(&client, &self.own_topic(n), said)?;
        let mut times = Box::pin(self.times(window));
        while let Some(at) = times.next().await {
            // It is received by the conversation, which is polled next.
            let message = self.message(at);
            let _ = says.unbounded_send(Ok(message.clone()));
            let answer = conversation.try_next().await?.ok_or_else(ended)?;
            if answer.data != message.data {
                return Err(lost("another message came back than was sent".to_owned()));
            }
            self.meter.record(at, n);
        }
        Ok(())
    }

    /// A subscriber: everything but the first message, which shows that it follows, is measured.
    async fn follow(self: Arc<Self>, client: Client, n: usize) -> Result<(), Status> {
        let mut feed = calls::get(&client, &self.topic, true)?;
        feed.try_next().await?.ok_or_else(ended)?;
        let window = self.ready().await?;
        let following = async {
            loop {
                let message = feed.try_next().await?.ok_or_else(ended)?;
                self.meter.record(self.sent(&message.data)?, n);
            }
        };
        futures::pin_mut!(following);
        match future::select(following, until(window.end)).await {
            Either::Left((failed, _)) => failed,
            Either::Right(_) => Ok(()),
        }
    }

    async fn calls(self: Arc<Self>, client: Client, n: usize) -> Result<(), Status> {
        let window = self.ready().await?;
        let mut times = Box::pin(self.times(window));
        while let Some(at) = times.next().await {
            let messages: Vec<_> = calls::get(&client, &self.topic, false)?
                .try_collect()
                .await?;
            if messages.len() != 1 {
                return Err(lost(format!(
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
        let most = (AHEAD_BYTES / self.size as u64).clamp(1, AHEAD_MESSAGES);
        let messages = self.times(window).enumerate().then(|(n, at)| {
            let bench = self.clone();
            async move {
                let delivered = || bench.meter.count.load(Ordering::Relaxed) / subscribers;
                let is_ahead = || delivered() + most < n as u64 && !window.is_over();
                while bench.rate.is_none() && is_ahead() {
                    Delay::new(Duration::from_millis(1)).await;
                }
                Ok(bench.message(at))
            }
        });
        calls::put(&self.publisher, &self.topic, messages).await?;
        Ok(())
    }

    /// The publisher of `idle`: one message, late enough that everyone has been idle for long.
    async fn publish_late(self: Arc<Self>) -> Result<(), Status> {
        let window = self.ready().await?;
        until(window.begin + (window.end - window.begin).mul_f64(0.9)).await;
        let message = stream::iter([Ok(self.message(Instant::now()))]);
        calls::put(&self.publisher, &self.topic, message).await?;
        Ok(())
    }

    /// Says that a stream is ready, and waits for the others.
    async fn ready(&self) -> Result<Window, Status> {
        // Whoever waits for it may have given up.
        let _ = self.ready.unbounded_send(());
        self.gate.clone().await.map_err(|_| given_up())
    }

    /// Lets a stream fail that does not end when it should.
    async fn in_time(self: Arc<Self>, stream: Stream) -> Result<(), Status> {
        let late = async {
            let window = self.gate.clone().await.map_err(|_| given_up())?;
            until(window.end + GRACE).await;
            let why = format!("a call did not end within {GRACE:?} of the end of the measurement");
            Err(Status::new(RpcStatusCode::DEADLINE_EXCEEDED, why))
        };
        futures::pin_mut!(late);
        future::select(stream, late).await.factor_first().0
    }

    /// When messages are to be sent: as the rate has it, or one after the other.
    fn times(&self, window: Window) -> impl futures::Stream<Item = Instant> + Send {
        let interval = self.rate.map(|rate| Duration::from_secs(1) / rate.get());
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

    fn own_topic(&self, n: usize) -> String {
        format!("{}/{n}", self.topic)
    }

    /// A message that says when it was to be sent.
    fn message(&self, at: Instant) -> StreamReqData {
        let nanoseconds = at.saturating_duration_since(self.began).as_nanos();
        let mut text = format!("{nanoseconds:0STAMP$x}");
        text.extend(std::iter::repeat_n('.', self.size - STAMP));
        request(text)
    }

    /// What a message says.
    fn sent(&self, data: &str) -> Result<Instant, Status> {
        let stamp = data.get(..STAMP);
        let nanoseconds = stamp.and_then(|stamp| u64::from_str_radix(stamp, 16).ok());
        let sent = nanoseconds.map(|n| self.began + Duration::from_nanos(n));
        sent.ok_or_else(|| lost("a message came that was not sent".to_owned()))
    }
}

fn until(time: Instant) -> Delay {
    Delay::new(time.saturating_duration_since(Instant::now()))
}

fn ended() -> Status {
    lost("the server ended a call that follows a topic".to_owned())
}

fn given_up() -> Status {
    Status::new(
        RpcStatusCode::CANCELLED,
        "another stream of the load failed",
    )
}

fn lost(why: String) -> Status {
    Status::new(RpcStatusCode::DATA_LOSS, why)
}
