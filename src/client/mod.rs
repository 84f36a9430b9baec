//! The typed client of `Greeter`, and the command line made of it.

mod address;
mod backoff;
pub mod command;
mod join;
mod publish;
mod subscribe;
mod tls;
mod token;

use std::fmt;
use std::future::Future;
use std::time::Duration;

use futures::{Stream, StreamExt, TryStream, TryStreamExt};
use grpcio::{CallOption, ChannelBuilder, LbPolicy, MetadataBuilder, RpcStatusCode};

use crate::generated::greeter::{StreamReqData, StreamResData};
use crate::service::{ALL_STREAM, GET_STREAM, PUT_STREAM};
use grpcio_streams::{client, Queues, Status};

pub use join::{Conversation, JoinOptions};
pub use publish::{PublishError, PublishOptions, Published, Publisher};
pub use subscribe::{Loss, Notice, Received, SubscribeError, SubscribeOptions, Subscription};
pub use tls::Tls;
pub use token::{Token, TokenError};

pub use crate::file::FileError;

/// What [`Config::keepalive`] is at least.
const MIN_KEEPALIVE: Duration = Duration::from_secs(10);

/// How long a server may take to give a sign of life.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Which server to call, and how patiently.
#[derive(Clone, Debug)]
pub struct Config {
    /// The servers' addresses: `host:port`, or a single URI as the C core takes it, such as
    /// `dns:///host:port` or `unix:/path`.
    ///
    /// Names among several are looked up once, and those that are not found are left out; that of
    /// a single one is looked up again whenever connecting fails. Several are called directly,
    /// whatever proxy the environment names.
    pub servers: Vec<String>,
    /// Which of the servers a call goes to.
    pub balance: Balance,
    /// How long each call may take in all; None for no limit. Then it ends DEADLINE_EXCEEDED.
    pub timeout: Option<Duration>,
    /// Whether a call waits for a server that does not answer; otherwise it ends UNAVAILABLE.
    pub wait: bool,
    /// How long a connection with running calls may be silent before it is asked for a sign of life,
    /// which has to come within 10 s, or the calls end UNAVAILABLE; None never to ask. At least
    /// 10 s: servers end connections that ask too often. Ours allow every 10 s, Go's every 5 min
    /// unless they are told.
    pub keepalive: Option<Duration>,
    /// How TLS is spoken; None for plaintext.
    pub tls: Option<Tls>,
    /// Says who calls, in the metadata `authorization` of each call. In plaintext it is sent to
    /// this machine only.
    pub token: Option<Token>,
}

impl Default for Config {
    /// The original's server, on this machine, in plaintext; no timeout, no waiting, no token, a
    /// keepalive of 30 s.
    fn default() -> Self {
        Self {
            servers: vec!["127.0.0.1:50052".to_owned()],
            balance: Balance::PickFirst,
            timeout: None,
            wait: false,
            keepalive: Some(Duration::from_secs(30)),
            tls: None,
            token: None,
        }
    }
}

/// Which of several servers, or of a name's several addresses, a call goes to.
///
/// Topics in memory live on one server each: what is published through one is not seen through
/// another. So calls with topics that are not shared between the servers want the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Balance {
    /// The first that can be reached, in the order that is given, until its connection is lost.
    PickFirst,
    /// Each in turn, as long as it can be reached.
    RoundRobin,
    /// Those that a balancer names. A single server must be given, `dns:///NAME:PORT`: the DNS
    /// records `SRV _grpclb._tcp.NAME` name the balancers, which speak the protocol
    /// [`grpc.lb.v1`](https://github.com/grpc/grpc/blob/master/doc/load-balancing.md). Where there
    /// are none, or none answers within 10 s, it is as [`RoundRobin`](Self::RoundRobin) among the
    /// name's own addresses.
    Grpclb,
}

/// A client of `Greeter`, with a connection that its calls and clones share and that is made when
/// the first call needs it.
///
/// Its futures and streams run anywhere, and best inside [`run`](Self::run).
#[derive(Clone)]
pub struct Client {
    client: grpcio::Client,
    config: Config,
}

impl Client {
    /// A client of the servers that `config` names, on one of `queues`. Blocks while the names of
    /// several are looked up.
    ///
    /// # Errors
    ///
    /// INVALID_ARGUMENT for an address of neither form, for a URI among several, for TLS with
    /// several but without a name, and for a token without TLS and a server elsewhere; UNAVAILABLE
    /// when none of several is found. An address that does not lead to a server makes the calls
    /// fail, with UNAVAILABLE.
    pub fn new(queues: &Queues, config: Config) -> Result<Self, Status> {
        let servers = &config.servers;
        check(&config).map_err(|why| Status::new(RpcStatusCode::INVALID_ARGUMENT, why))?;
        let target =
            address::target(servers).map_err(|why| Status::new(RpcStatusCode::UNAVAILABLE, why))?;
        let one_elsewhere = matches!(&servers[..], [server] if !address::is_loopback(server));
        let builder = ChannelBuilder::new(queues.env())
            // A proxy that the environment names is not for this machine's own programs, and the C
            // core would ask it for all of several servers at once.
            .enable_http_proxy(one_elsewhere)
            // Else clients of the same server would share a connection.
            .use_local_subchannel_pool(true)
            // Else a server that comes up late is noticed up to two minutes later.
            .initial_reconnect_backoff(Duration::from_millis(100))
            .max_reconnect_backoff(Duration::from_secs(1));
        let builder = match config.balance {
            Balance::PickFirst => builder.load_balancing_policy(LbPolicy::PickFirst),
            Balance::RoundRobin => builder.load_balancing_policy(LbPolicy::RoundRobin),
            Balance::Grpclb => builder
                .raw_cfg_string(c"grpc.lb_policy_name".into(), c"grpclb".into())
                .raw_cfg_int(c"grpc.dns_enable_srv_queries".into(), 1),
        };
        let builder = match config.keepalive {
            None => builder,
            Some(time) => builder
                .keepalive_time(time.max(MIN_KEEPALIVE))
                .keepalive_timeout(KEEPALIVE_TIMEOUT)
                // Else a subscriber that only listens asks twice and never again.
                .http2_max_pings_without_data(0),
        };
        let builder = match &config.tls {
            None => builder,
            Some(tls) => tls.secure(builder),
        };
        Ok(Self {
            client: grpcio::Client::new(builder.connect(&target)),
            config,
        })
    }

    /// Runs a future on the thread of the client's completion queue and waits for it; see
    /// [`stream::client::run`](client::run).
    pub fn run<F>(&self, future: F) -> F::Output
    where
        F: Future + Send + 'static,
        F::Output: Send,
    {
        client::run(&self.client, future)
    }

    /// GetStream: asks with `data`, and streams what the server sends.
    ///
    /// # Errors
    ///
    /// Where the call cannot be started. The status of the call comes through the stream.
    pub fn get(
        &self,
        data: impl Into<String>,
    ) -> Result<impl Stream<Item = Result<String, Status>> + Send + Unpin, Status> {
        let responses = client::server_streaming::<_, StreamResData>(
            &self.client,
            GET_STREAM,
            &request(data.into()),
            self.options_with(&[])?,
        )?;
        Ok(responses.map_ok(|response| response.data))
    }

    /// PutStream: sends all of `messages`, and resolves to the server's answer.
    ///
    /// # Errors
    ///
    /// The error of `messages`, which cancels the call, or the status of the call.
    pub async fn put<S>(&self, messages: S) -> Result<String, S::Error>
    where
        S: TryStream<Ok = String>,
        S::Error: From<Status>,
    {
        let requests = messages.map_ok(request);
        let options = self.options_with(&[])?;
        let answer: StreamResData =
            client::client_streaming(&self.client, PUT_STREAM, requests, options).await?;
        Ok(answer.data)
    }

    /// AllStream: sends `messages` while the stream that it returns is read, and half-closes at
    /// their end.
    ///
    /// # Errors
    ///
    /// Where the call cannot be started. The status of the call, and the error of `messages`,
    /// come through the stream.
    pub fn all<S>(
        &self,
        messages: S,
    ) -> Result<impl Stream<Item = Result<String, S::Error>> + Send + Unpin, Status>
    where
        S: TryStream<Ok = String> + Send + 'static,
        S::Error: From<Status> + Send,
    {
        let requests = messages.map_ok(request);
        let options = self.options_with(&[])?;
        let responses = client::duplex(&self.client, ALL_STREAM, requests, options)?;
        Ok(responses.map(|item| item.map(|response: StreamResData| response.data)))
    }

    /// Connects, where that is needed, and waits for it; says whether it is done within `limit`.
    pub async fn connected(&self, limit: Duration) -> bool {
        self.client.channel().wait_for_connected(limit).await
    }

    /// The options of a call with this metadata.
    fn options_with(&self, metadata: &[(&str, &str)]) -> Result<CallOption, Status> {
        let mut headers = MetadataBuilder::with_capacity(metadata.len() + 1);
        for (key, value) in metadata {
            headers.add_str(key, value)?;
        }
        if let Some(token) = &self.config.token {
            headers.add_str("authorization", &token.credentials())?;
        }
        let options = CallOption::default()
            .headers(headers.build())
            .wait_for_ready(self.config.wait);
        Ok(match self.config.timeout {
            Some(timeout) => options.timeout(timeout),
            None => options,
        })
    }
}

/// Whether a call that ended so may do better at another time.
///
/// CANCELLED is no server's word here: its C core says so to calls that arrive in the moment in which
/// it begins to shut down, and to those that have not ended when its grace is over. Whoever gives a
/// call up on this side is not told.
fn is_unavailable(status: &Status) -> bool {
    let codes = [RpcStatusCode::UNAVAILABLE, RpcStatusCode::CANCELLED];
    codes.contains(&status.code())
}

/// Checks what can be checked before a connection.
fn check(config: &Config) -> Result<(), String> {
    let servers = &config.servers;
    address::check_all(servers)?;
    match (&config.tls, &config.token) {
        (Some(tls), _) => tls.check(servers),
        (None, None) => Ok(()),
        (None, Some(_)) => match servers.iter().find(|server| !address::is_local(server)) {
            None => Ok(()),
            Some(server) => Err(format!(
                "without TLS everyone on the way to {server} could read the token, so it is not \
                 sent; use --tls"
            )),
        },
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut s = f.debug_struct("Client");
        s.field("config", &self.config).finish_non_exhaustive()
    }
}

fn request(data: String) -> StreamReqData {
    StreamReqData {
        data,
        ..StreamReqData::default()
    }
}
