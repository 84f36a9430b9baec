//! The client and its calls without topics.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use futures::{Stream, StreamExt, TryStream, TryStreamExt};
use grpcio::{CallOption, ChannelBuilder, LbPolicy, MetadataBuilder};
use grpcio_streams::client::{self, Conversation, Responses};
use grpcio_streams::{keepalive, limit_metadata, Queues, Status, TooLong};

use super::config::{Balance, Config, ConfigError};
use crate::generated::greeter::{StreamReqData, StreamResData};
use crate::protocol::message::{encoded_bytes, request};
use crate::protocol::{Request, ALL_STREAM, GET_STREAM, PUT_STREAM};

/// The least [`Config::keepalive`]: 10 s. Shorter times are replaced by it.
pub(crate) const MIN_KEEPALIVE: Duration = Duration::from_secs(10);

/// How long a server may take to answer a ping.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// A longer timeout would overflow the C core's clock, and the call would end at once: 100 years.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(36_500 * 24 * 3600);

/// A client of `Greeter`. Its calls and its clones share one connection to each server. It connects
/// at the first call.
///
/// Its futures and streams can run on any thread. They run fastest inside [`run`](Self::run).
#[derive(Clone)]
pub struct Client {
    pub(super) client: grpcio::Client,
    config: Config,
}

impl Client {
    /// Makes a client of the servers in `config`, on one of `queues`. Blocks while the names of
    /// several servers are looked up.
    ///
    /// # Errors
    ///
    /// See [`ConfigError`]. A server that cannot be reached is not an error here: its calls end
    /// with UNAVAILABLE.
    pub fn new(queues: &Queues, config: Config) -> Result<Self, ConfigError> {
        config.check()?;
        let builder = ChannelBuilder::new(queues.env())
            .enable_http_proxy(config.may_use_proxy())
            // The core's retries may lose a message, or never end a call; see `grpcio_streams::client`.
            .enable_retry(false)
            // Otherwise clients of the same server would share a connection.
            .use_local_subchannel_pool(true)
            // Otherwise the client may notice a server that starts late only two minutes later.
            .initial_reconnect_backoff(Duration::from_millis(100))
            .max_reconnect_backoff(Duration::from_secs(1))
            // The adapters check the length of messages, and say how long they are.
            .max_receive_message_len(-1);
        let builder = limit_metadata(builder, config.metadata_bytes);
        let builder = match config.balance {
            Balance::PickFirst => builder.load_balancing_policy(LbPolicy::PickFirst),
            Balance::RoundRobin => builder.load_balancing_policy(LbPolicy::RoundRobin),
            Balance::Grpclb => builder
                .raw_cfg_string(c"grpc.lb_policy_name".into(), c"grpclb".into())
                .raw_cfg_int(c"grpc.dns_enable_srv_queries".into(), 1),
        };
        let builder = match config.keepalive {
            None => builder,
            Some(time) => keepalive(builder, time.max(MIN_KEEPALIVE), KEEPALIVE_TIMEOUT)
                // Otherwise a subscriber that sends nothing pings only twice.
                .http2_max_pings_without_data(0),
        };
        let builder = match &config.tls {
            None => builder,
            Some(tls) => tls.secure(builder),
        };
        Ok(Self {
            client: grpcio::Client::new(builder.connect(&config.target()?)),
            config,
        })
    }

    /// The configuration of the client.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Runs a future on the thread of the client's completion queue and waits for it; see
    /// [`grpcio_streams::client::run`].
    ///
    /// # Panics
    ///
    /// When the future panics.
    pub fn run<F>(&self, future: F) -> F::Output
    where
        F: Future + Send + 'static,
        F::Output: Send,
    {
        client::run(&self.client, future)
    }

    /// Starts a future on the thread of the client's completion queue.
    pub fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.client.spawn(future);
    }

    /// GetStream: sends `data` as the request, and streams the server's messages.
    ///
    /// # Errors
    ///
    /// The status of a call that cannot be started. The stream reports the status of a started call.
    pub fn get(
        &self,
        data: impl Into<String>,
    ) -> Result<impl Stream<Item = Result<String, Status>> + Send + Unpin, Status> {
        let responses = self.get_stream(&request(data.into()), None)?;
        Ok(responses.map_ok(|response| response.data))
    }

    /// PutStream: sends `messages`, half-closes, and resolves to the server's answer.
    ///
    /// # Errors
    ///
    /// The error of `messages`, which cancels the call, or the status of the call.
    pub async fn put<S>(&self, messages: S) -> Result<String, S::Error>
    where
        S: TryStream<Ok = String>,
        S::Error: From<Status>,
    {
        self.put_stream(messages.map_ok(request), None).await
    }

    /// AllStream: streams the server's messages. Sends `messages` while the returned stream is
    /// polled, and half-closes at their end.
    ///
    /// # Errors
    ///
    /// The status of a call that cannot be started. The stream reports the status of a started call,
    /// and the error of `messages`.
    pub fn all<S>(
        &self,
        messages: S,
    ) -> Result<impl Stream<Item = Result<String, S::Error>> + Send + Unpin, Status>
    where
        S: TryStream<Ok = String> + Send + 'static,
        S::Error: From<Status> + Send,
    {
        let responses = self.all_stream(messages.map_ok(request), None)?;
        Ok(responses.map(|item| item.map(|response| response.data)))
    }

    /// GetStream, on a topic if `topic` is given.
    pub(crate) fn get_stream(
        &self,
        request: &StreamReqData,
        topic: Option<&Request>,
    ) -> Result<Responses<StreamResData>, Status> {
        client::server_streaming(&self.client, GET_STREAM, request, self.options(topic)?)
    }

    /// PutStream, on a topic if `topic` is given. Resolves to the server's answer.
    pub(crate) async fn put_stream<S>(
        &self,
        requests: S,
        topic: Option<&Request>,
    ) -> Result<String, S::Error>
    where
        S: TryStream<Ok = StreamReqData>,
        S::Error: From<Status>,
    {
        let options = self.options(topic)?;
        let requests = requests.into_stream().map(self.check_length());
        let answer: StreamResData =
            client::client_streaming(&self.client, PUT_STREAM, requests, options).await?;
        Ok(answer.data)
    }

    /// AllStream, on a topic if `topic` is given.
    pub(crate) fn all_stream<S>(
        &self,
        requests: S,
        topic: Option<&Request>,
    ) -> Result<Conversation<StreamResData, S::Error>, Status>
    where
        S: TryStream<Ok = StreamReqData> + Send + 'static,
        S::Error: From<Status> + Send,
    {
        let requests = requests.into_stream().map(self.check_length());
        client::duplex(&self.client, ALL_STREAM, requests, self.options(topic)?)
    }

    /// Refuses a message that is longer than the limit.
    fn check_length<E: From<Status>>(
        &self,
    ) -> impl FnMut(Result<StreamReqData, E>) -> Result<StreamReqData, E> + Send + 'static {
        let limit = self.config.message_bytes;
        move |message| {
            let message = message?;
            let bytes = encoded_bytes(message.data.len());
            if bytes > limit {
                let why = format!(
                    "a message to send has {bytes} bytes, and this client sends at most {limit}"
                );
                let status = Status::resource_exhausted(why);
                return Err(status.with_too_long(TooLong { bytes, limit }).into());
            }
            Ok(message)
        }
    }

    fn options(&self, topic: Option<&Request>) -> Result<client::Options, Status> {
        let mut metadata = MetadataBuilder::new();
        if let Some(request) = topic {
            request.encode(&mut metadata)?;
        }
        if let Some(token) = &self.config.token {
            metadata.add_str("authorization", &token.credentials())?;
        }
        let options = CallOption::default()
            .headers(metadata.build())
            .wait_for_ready(self.config.wait);
        let options = match self.config.timeout {
            Some(timeout) => options.timeout(timeout.min(LONGEST_TIMEOUT)),
            None => options,
        };
        Ok(client::Options::from(options).max_message_bytes(self.config.message_bytes))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut s = f.debug_struct("Client");
        s.field("config", &self.config).finish_non_exhaustive()
    }
}
