//! What clients may ask of a server, and all that the C core is told about it.
//!
//! | limit | who is beyond it |
//! |---|---|
//! | [`message_bytes`](Limits::message_bytes) | RESOURCE_EXHAUSTED; the adapter looks, once the message is in memory |
//! | [`metadata_bytes`](Limits::metadata_bytes) | RESOURCE_EXHAUSTED |
//! | [`memory_bytes`](Limits::memory_bytes) | the largest calls are reset with ENHANCE_YOUR_CALM, which clients show as RESOURCE_EXHAUSTED; new connections end at once |
//! | [`streams`](Limits::streams), [`calls`](Limits::calls) | RESOURCE_EXHAUSTED; a client that keeps to HTTP/2 waits with its streams |
//! | [`connections`](Limits::connections) | waits in the operating system's queue until another connection ends |
//! | [`handshake`](Limits::handshake), [`keepalive`](Limits::keepalive) | its connection ends |
//! | [`ping_interval`](Limits::ping_interval) | GOAWAY with ENHANCE_YOUR_CALM, `too_many_pings` |
//! | [`connection_age`](Limits::connection_age) | GOAWAY; its calls end with UNAVAILABLE after the grace |
//!
//! A message that is compressed, in whatever way, ends its call with UNIMPLEMENTED, which is what
//! gRPC's [compression document](https://github.com/grpc/grpc/blob/master/doc/compression.md) asks
//! for: the core unpacks gzip without a bound, so that 256 KiB became 256 MiB.
//!
//! Where else the C core and its binding leave something to a server:
//!
//! | hazard | closed in |
//! |---|---|
//! | a client that vanishes is not noticed by an idle handler; a cut upload looks finished; a send after the end panics | [`stream`](grpcio_streams): `pump`, `requests`, `service` |
//! | a panic ends a completion queue | `stream`: `contain` |
//! | requests that never come hold slots that all clients share | `stream`: [`ServiceBuilder`](grpcio_streams::ServiceBuilder) |
//! | a busy completion queue looks at no connection | `stream`: `rest`, `turn` |
//! | a second server shares the port; keepalive after two hours; no end of a handshake; no bound on memory; no statuses for what is beyond a limit | here, and in `calls` |
//! | shutting down does not end live streams | `stream`: [`Drain`](grpcio_streams::Drain), and [`run_until`](super::Server::run_until) |

use std::error::Error;
use std::ffi::CStr;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use grpcio::{ChannelBuilder, Environment, ResourceQuota};

use grpcio_streams::MAX_MESSAGE_BYTES;

/// How much of everything clients may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest message, in bytes as encoded.
    pub message_bytes: usize,
    /// The metadata of a call, in bytes: names, values, and 32 for each. From 1 KiB to 16 MiB.
    pub metadata_bytes: u32,
    /// What the gRPC core may hold of connections and of messages that are on their way, in bytes,
    /// about; topics are not in it. At least 16 MiB.
    pub memory_bytes: usize,
    /// Calls that run at a time on a connection; at least 1.
    pub streams: u32,
    /// Calls that run at a time, at least 1. Health checks are not among them, and have a
    /// limit of their own: 1,000.
    pub calls: usize,
    /// Connections that are open at a time, at least 1; None for as many as the process may open
    /// files. It is set as a limit of the whole process: what it has open when the server starts,
    /// and so many more. With it a file that is [read again](super::Tls) needs one that is free.
    pub connections: Option<u64>,
    /// How long a connection may take to speak HTTP/2, TLS included; 1 ms to 24 days, as all times.
    pub handshake: Duration,
    /// How long a client may be silent before it is pinged.
    pub keepalive: Duration,
    /// How long it may take to answer.
    pub keepalive_timeout: Duration,
    /// How much time a client has to leave between two pings while the server sends nothing; the
    /// third that comes too early ends the connection.
    pub ping_interval: Duration,
    /// When a connection is told to end, a tenth earlier or later by chance; None for never. With
    /// it the C core has one more filter for each call.
    pub connection_age: Option<Duration>,
    /// How long the calls of such a connection may go on.
    pub connection_age_grace: Duration,
}

impl Default for Limits {
    /// 4 MiB a message, 16 KiB of metadata, 512 MiB for the core, 1,000 calls a connection and
    /// 20,000 in all, no limit of connections, 10 s to begin, pings after 30 s that are answered
    /// within 20 s, and from clients every 10 s, connections of any age.
    fn default() -> Self {
        Self {
            message_bytes: MAX_MESSAGE_BYTES,
            metadata_bytes: 16 * 1024,
            memory_bytes: 512 * 1024 * 1024,
            streams: 1_000,
            calls: 20_000,
            connections: None,
            handshake: Duration::from_secs(10),
            keepalive: Duration::from_secs(30),
            keepalive_timeout: Duration::from_secs(20),
            ping_interval: Duration::from_secs(10),
            connection_age: None,
            connection_age_grace: Duration::from_secs(30),
        }
    }
}

/// A limit that cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitError {
    flag: &'static str,
    value: String,
    range: String,
}

impl fmt::Display for LimitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { flag, value, range } = self;
        write!(f, "{flag} {value} is not possible; it goes from {range}")
    }
}

impl Error for LimitError {}

const TIMES: RangeInclusive<Duration> =
    Duration::from_millis(1)..=Duration::from_secs(24 * 24 * 3600);

/// Of the C core: its names for what has no function in the binding.
mod key {
    use super::CStr;

    pub(super) const CHANNELZ: &CStr = c"grpc.enable_channelz";
    pub(super) const COMPRESSION: &CStr = c"grpc.compression_enabled_algorithms_bitset";
    pub(super) const METADATA: [&CStr; 2] = [
        c"grpc.max_metadata_size",
        c"grpc.absolute_max_metadata_size",
    ];
    pub(super) const HANDSHAKE: &CStr = c"grpc.server_handshake_timeout_ms";
    pub(super) const AGE: &CStr = c"grpc.max_connection_age_ms";
    pub(super) const AGE_GRACE: &CStr = c"grpc.max_connection_age_grace_ms";
    /// The binding's own name for this one is not the core's.
    pub(super) const PING_INTERVAL: &CStr = c"grpc.http2.min_ping_interval_without_data_ms";
}

/// Of [`key::COMPRESSION`]: messages as they are.
const IDENTITY_ONLY: i32 = 1;

impl Limits {
    /// Checks that each is in its range.
    ///
    /// # Errors
    ///
    /// For the first that is not.
    pub fn check(&self) -> Result<(), LimitError> {
        let most = |value: u64| value.min(i32::MAX as u64);
        within(
            "--max-metadata-bytes",
            self.metadata_bytes,
            1024..=16 * 1024 * 1024,
        )?;
        within(
            "--max-memory-bytes",
            self.memory_bytes,
            16 * 1024 * 1024..=usize::MAX,
        )?;
        within("--max-streams", self.streams, 1..=i32::MAX as u32)?;
        within("--max-calls", self.calls, 1..=usize::MAX)?;
        within(
            "--max-connections",
            most(self.connections.unwrap_or(1)),
            1..=most(u64::MAX),
        )?;
        for (flag, time) in [
            ("--handshake-timeout", Some(self.handshake)),
            ("--keepalive", Some(self.keepalive)),
            ("--keepalive-timeout", Some(self.keepalive_timeout)),
            ("--min-ping-interval", Some(self.ping_interval)),
            ("--max-connection-age", self.connection_age),
            (
                "--max-connection-age-grace",
                Some(self.connection_age_grace),
            ),
        ] {
            if time.is_some_and(|time| !TIMES.contains(&time)) {
                return Err(LimitError {
                    flag,
                    value: format!("{:?}", time.unwrap_or_default()),
                    range: "1ms to 24days".to_owned(),
                });
            }
        }
        Ok(())
    }

    /// What the C core is told about each connection.
    pub(super) fn channel_args(&self, env: Arc<Environment>, channelz: bool) -> ChannelBuilder {
        let quota = ResourceQuota::new(None).resize_memory(self.memory_bytes);
        let builder = ChannelBuilder::new(env)
            // Else a second server shares the port, and each client gets one of them by chance.
            .reuse_port(false)
            // The adapters look at that, for less.
            .max_receive_message_len(-1)
            .raw_cfg_int(key::COMPRESSION.to_owned(), IDENTITY_ONLY)
            .set_resource_quota(quota)
            // Of those that obey; `calls` refuses what others have beyond it.
            .max_concurrent_stream(i32::try_from(self.streams).unwrap_or(i32::MAX))
            .keepalive_time(self.keepalive)
            .keepalive_timeout(self.keepalive_timeout)
            // Connections without calls die, too.
            .keepalive_permit_without_calls(true)
            .raw_cfg_int(
                key::PING_INTERVAL.to_owned(),
                milliseconds(self.ping_interval),
            )
            .raw_cfg_int(key::HANDSHAKE.to_owned(), milliseconds(self.handshake))
            // Its counters cost time for each message and memory for each connection.
            .raw_cfg_int(key::CHANNELZ.to_owned(), channelz.into());
        // From the first to the second the core refuses calls by chance; so they are the same.
        let bytes = i32::try_from(self.metadata_bytes).unwrap_or(i32::MAX);
        let set =
            |builder: ChannelBuilder, name: &CStr| builder.raw_cfg_int(name.to_owned(), bytes);
        let builder = key::METADATA.into_iter().fold(builder, set);
        match self.connection_age {
            None => builder,
            Some(age) => {
                let grace = milliseconds(self.connection_age_grace);
                builder
                    .raw_cfg_int(key::AGE.to_owned(), milliseconds(age))
                    .raw_cfg_int(key::AGE_GRACE.to_owned(), grace)
            }
        }
    }
}

fn within<T: PartialOrd + fmt::Display>(
    flag: &'static str,
    value: T,
    range: RangeInclusive<T>,
) -> Result<(), LimitError> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(LimitError {
        flag,
        value: value.to_string(),
        range: format!("{} to {}", range.start(), range.end()),
    })
}

fn milliseconds(time: Duration) -> i32 {
    i32::try_from(time.as_millis()).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_is_named_with_its_range() {
        let good = Limits::default();
        assert_eq!(good.check(), Ok(()));
        let day = Duration::from_secs(24 * 3600);
        for (limits, why) in [
            (
                Limits { metadata_bytes: 1023, ..good.clone() },
                "--max-metadata-bytes 1023 is not possible; it goes from 1024 to 16777216",
            ),
            (
                Limits { memory_bytes: 1 << 20, ..good.clone() },
                "--max-memory-bytes 1048576 is not possible; it goes from 16777216 to 18446744073709551615",
            ),
            (
                Limits { streams: 0, ..good.clone() },
                "--max-streams 0 is not possible; it goes from 1 to 2147483647",
            ),
            (
                Limits { calls: 0, ..good.clone() },
                "--max-calls 0 is not possible; it goes from 1 to 18446744073709551615",
            ),
            (
                Limits { connections: Some(0), ..good.clone() },
                "--max-connections 0 is not possible; it goes from 1 to 2147483647",
            ),
            (
                Limits { keepalive: Duration::ZERO, ..good.clone() },
                "--keepalive 0ns is not possible; it goes from 1ms to 24days",
            ),
            (
                Limits { connection_age: Some(25 * day), ..good.clone() },
                "--max-connection-age 2160000s is not possible; it goes from 1ms to 24days",
            ),
        ] {
            let said = limits.check().map_err(|e| e.to_string());
            assert_eq!(said, Err(why.to_owned()));
        }
    }
}
