//! Calls without a topic: the behaviour of the original Go server, without its bugs.

use std::future::{self, Future};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::{stream, FutureExt, Stream, StreamExt, TryStreamExt};
use futures_timer::Delay;
use grpcio_streams::{escaped, Call, Requests, Status};

use super::config::Config;
use crate::generated::greeter::{StreamReqData, StreamResData};
use crate::protocol::message::response;

/// The text that AllStream sends repeatedly.
const SAYING: &str = "ssss";

/// The handlers of calls without a topic.
#[derive(Clone, Debug)]
pub(super) struct Original {
    config: Config,
}

impl Original {
    pub(super) fn new(config: Config) -> Self {
        Self { config }
    }

    /// Sends the time [`ticks`](Config::ticks) times, and ends one interval after the last message.
    pub(super) fn get_stream(&self) -> impl Stream<Item = Result<StreamResData, Status>> {
        let Config {
            tick_interval,
            ticks,
        } = self.config;
        let messages = every(tick_interval).map(|()| Ok(response(unix_seconds().to_string())));
        let count = match ticks {
            0 => usize::MAX,
            n => usize::try_from(n).unwrap_or(usize::MAX),
        };
        let pause = stream::once(wait(tick_interval)).filter_map(|()| future::ready(None));
        messages.take(count).chain(pause)
    }

    /// Answers with the number of messages. The original ends the call without an answer, which is
    /// an error for a client that expects one.
    pub(super) fn put_stream(
        &self,
        call: Arc<Call>,
        requests: Requests<StreamReqData>,
    ) -> impl Future<Output = Result<StreamResData, Status>> {
        log_each(call, requests).map(|received| Ok(response(received?.to_string())))
    }

    /// Sends and logs until the client half-closes. The original does not end the call, even when
    /// the client is gone.
    pub(super) fn all_stream(
        &self,
        call: Arc<Call>,
        requests: Requests<StreamReqData>,
    ) -> impl Stream<Item = Result<StreamResData, Status>> {
        let mut talking = Box::pin(every(self.config.tick_interval));
        let mut listening = Box::pin(log_each(call, requests));
        stream::poll_fn(move |cx| match listening.poll_unpin(cx) {
            Poll::Ready(Ok(_)) => Poll::Ready(None),
            Poll::Ready(Err(status)) => Poll::Ready(Some(Err(status))),
            Poll::Pending => {
                let said = talking.poll_next_unpin(cx);
                said.map(|said| said.map(|()| Ok(response(SAYING.to_owned()))))
            }
        })
    }
}

/// Logs every message. Resolves to the number of messages when the client half-closes.
async fn log_each(call: Arc<Call>, requests: Requests<StreamReqData>) -> Result<u64, Status> {
    let log_one = |received: u64, request: StreamReqData| {
        let number = received + 1;
        let (method, peer) = (call.method(), call.peer());
        log::debug!(
            "{method} from {peer}: message {number}: {}",
            escaped(&request.data)
        );
        future::ready(Ok(number))
    };
    requests.try_fold(0, log_one).await
}

/// Yields an item at once and then one every `interval`.
fn every(interval: Duration) -> impl Stream<Item = ()> {
    stream::once(future::ready(())).chain(stream::repeat(()).then(move |()| wait(interval)))
}

/// Waits for `time`. A zero time does not use a timer, because the thread of the timers would add a
/// delay.
async fn wait(time: Duration) {
    if !time.is_zero() {
        Delay::new(time).await;
    }
}

/// The Unix time in seconds; 0 if the clock is set to a time before 1970.
fn unix_seconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
