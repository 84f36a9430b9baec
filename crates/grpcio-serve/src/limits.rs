//! The limits of what clients may use, and the channel arguments that set them in the C core.
//!
//! | limit | what happens beyond it |
//! |---|---|
//! | [`message_bytes`](Limits::message_bytes) | RESOURCE_EXHAUSTED; the adapter checks it once the message is in memory |
//! | [`metadata_bytes`](Limits::metadata_bytes) | RESOURCE_EXHAUSTED |
//! | [`memory_bytes`](Limits::memory_bytes) | the largest calls are reset with ENHANCE_YOUR_CALM, which clients show as RESOURCE_EXHAUSTED; new connections end at once |
//! | [`streams`](Limits::streams), [`calls`](Limits::calls) | RESOURCE_EXHAUSTED; a client that obeys HTTP/2 waits before it opens more streams |
//! | [`connections`](Limits::connections) | they wait in the operating system's queue until another connection ends |
//! | [`handshake`](Limits::handshake), [`keepalive`](Limits::keepalive) | the connection ends |
//! | [`ping_interval`](Limits::ping_interval) | GOAWAY with ENHANCE_YOUR_CALM, `too_many_pings` |
//! | [`connection_age`](Limits::connection_age) | GOAWAY; the calls end with UNAVAILABLE after the grace |
//!
//! A compressed message ends its call with UNIMPLEMENTED, as gRPC's [compression
//! document](https://github.com/grpc/grpc/blob/master/doc/compression.md) asks for: the core
//! decompresses gzip without a limit, so 256 KiB from a client can become 256 MiB of memory.

use std::ffi::CStr;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use grpcio::{ChannelBuilder, Environment, ResourceQuota};
use grpcio_streams::{
    keepalive, limit_metadata, MAX_MESSAGE_BYTES, MAX_METADATA_BYTES, METADATA_LIMITS,
};

/// The limits of what clients may use. Every time is from 1 ms to 24 days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest encoded message of a client, in bytes.
    pub message_bytes: usize,
    /// The size of a call's metadata in bytes, from 1 KiB to 16 MiB. Each entry counts as its name,
    /// its value and 32 bytes.
    pub metadata_bytes: u32,
    /// About how much memory the gRPC core may use for connections and for messages in transit, in
    /// bytes; at least 16 MiB. The memory of the services is not counted.
    ///
    /// Half of it, divided by the [`connections`](Self::connections), is what a stream may have on its way
    /// until its handler reads it, and at least 16 KiB and at most 1 MiB. Without a limit of connections
    /// it is divided by [16,000](Self::CONNECTIONS). This is the window of HTTP/2's flow control: a client
    /// that sends faster waits. A message that is longer than the window widens it. On C core 1.56 it is
    /// 64 KiB whatever the limits are.
    pub memory_bytes: usize,
    /// The number of calls that run at a time on a connection; at least 1.
    pub streams: u32,
    /// The number of calls that run at a time in all; at least 1. Health checks do not count. They
    /// have a limit of their own, which is 1,000.
    pub calls: usize,
    /// The number of connections that are open at a time; at least 1. With None only the process's
    /// limit of open files bounds it.
    ///
    /// The limit is set as the limit of open files of the whole process: the number of files that
    /// are open when the server starts, plus this number. A file that is [read
    /// again](crate::ServerTls) then needs one of these places for a moment.
    pub connections: Option<u64>,
    /// How long a connection may take until it speaks HTTP/2, including the TLS handshake.
    pub handshake: Duration,
    /// How long a client may be silent before it is pinged.
    pub keepalive: Duration,
    /// How long a client may take to answer a ping.
    pub keepalive_timeout: Duration,
    /// The least time between two pings of a client while the server sends nothing. At the third ping
    /// that comes too early the server sends GOAWAY, and ends the calls of the connection and then the
    /// connection.
    pub ping_interval: Duration,
    /// The age at which the server asks a client to leave a connection (GOAWAY), randomly up to a
    /// tenth earlier or later. None for no limit. A limit adds a filter of the C core to each call.
    pub connection_age: Option<Duration>,
    /// How long the calls of such a connection may still run.
    pub connection_age_grace: Duration,
}

impl Default for Limits {
    /// 4 MiB for a message, 16 KiB for metadata, 1 GiB for the core, 1,000 calls on a connection
    /// and 20,000 in all, no limit of connections, 10 s for the handshake, a ping after 30 s that
    /// has to be answered within 20 s, pings from clients at most every 10 s, and no limit of a
    /// connection's age.
    fn default() -> Self {
        Self {
            message_bytes: MAX_MESSAGE_BYTES,
            metadata_bytes: MAX_METADATA_BYTES,
            memory_bytes: 1024 * 1024 * 1024,
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

/// A limit is out of its range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{limit} {value} is out of range; the range is {range}")]
pub struct LimitError {
    limit: &'static str,
    value: String,
    range: String,
}

impl LimitError {
    /// The name of the field of [`Limits`].
    pub fn limit(&self) -> &'static str {
        self.limit
    }

    /// The value that it has.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The values that it can have, such as `1 to 2147483647`.
    pub fn range(&self) -> &str {
        &self.range
    }
}

/// The windows of streams, in bytes.
const WINDOWS: RangeInclusive<u64> = 16 * 1024..=1024 * 1024;

/// How much the core expects to read from a connection at once, in bytes. What it has read stays in memory
/// as a whole until the last of its messages is handled. C core 1.56 does not know this limit, and takes
/// 64 KiB where a client is fast.
const READ_BYTES: i32 = 8 * 1024;

const TIMES: RangeInclusive<Duration> =
    Duration::from_millis(1)..=Duration::from_secs(24 * 24 * 3600);

/// The C core's names of channel arguments that have no function in the binding.
mod key {
    use super::CStr;

    pub(super) const CHANNELZ: &CStr = c"grpc.enable_channelz";
    pub(super) const COMPRESSION: &CStr = c"grpc.compression_enabled_algorithms_bitset";
    pub(super) const HANDSHAKE: &CStr = c"grpc.server_handshake_timeout_ms";
    pub(super) const AGE: &CStr = c"grpc.max_connection_age_ms";
    pub(super) const AGE_GRACE: &CStr = c"grpc.max_connection_age_grace_ms";
    /// How many calls newer cores let wait until the binding takes them. From the first number on
    /// they refuse some with CANCELLED, from the second on all: 1,000 and 3,000 unless set.
    pub(super) const PENDING: [&CStr; 2] = [
        c"grpc.server.max_pending_requests",
        c"grpc.server.max_pending_requests_hard_limit",
    ];
    pub(super) const READ_BYTES: &CStr = c"grpc.experimental.tcp_max_read_buffer_size";
    /// The binding has a function for this argument, but with a name that the core does not know.
    pub(super) const PING_INTERVAL: &CStr = c"grpc.http2.min_ping_interval_without_data_ms";
}

/// The value of [`key::COMPRESSION`] that allows uncompressed messages only.
const IDENTITY_ONLY: i32 = 1;

impl Limits {
    /// How many [`connections`](Self::connections) share the memory where their number has no limit.
    pub const CONNECTIONS: u64 = 16_000;

    /// Checks that each limit is in its range.
    ///
    /// # Errors
    ///
    /// The first limit that is out of its range.
    pub fn check(&self) -> Result<(), LimitError> {
        let most = |value: u64| value.min(i32::MAX as u64);
        within("metadata_bytes", self.metadata_bytes, METADATA_LIMITS)?;
        within(
            "memory_bytes",
            self.memory_bytes,
            16 * 1024 * 1024..=usize::MAX,
        )?;
        within("streams", self.streams, 1..=i32::MAX as u32)?;
        within("calls", self.calls, 1..=usize::MAX)?;
        within(
            "connections",
            most(self.connections.unwrap_or(1)),
            1..=most(u64::MAX),
        )?;
        for (limit, time) in [
            ("handshake", Some(self.handshake)),
            ("keepalive", Some(self.keepalive)),
            ("keepalive_timeout", Some(self.keepalive_timeout)),
            ("ping_interval", Some(self.ping_interval)),
            ("connection_age", self.connection_age),
            ("connection_age_grace", Some(self.connection_age_grace)),
        ] {
            if time.is_some_and(|time| !TIMES.contains(&time)) {
                return Err(LimitError {
                    limit,
                    value: format!("{}s", time.unwrap_or_default().as_secs_f64()),
                    range: "1ms to 24days".to_owned(),
                });
            }
        }
        Ok(())
    }

    /// How many bytes a stream may have on its way, so that each connection can have as much. The other half
    /// of the memory is for the connections and calls themselves.
    fn stream_window(&self) -> i32 {
        let shares = self.connections.unwrap_or(Self::CONNECTIONS).max(1);
        let share = self.memory_bytes as u64 / 2 / shares;
        share.clamp(*WINDOWS.start(), *WINDOWS.end()) as i32
    }

    /// The limits as channel arguments of the C core.
    pub(crate) fn channel_args(&self, env: Arc<Environment>, channelz: bool) -> ChannelBuilder {
        let quota = ResourceQuota::new(None).resize_memory(self.memory_bytes);
        let builder = ChannelBuilder::new(env)
            // Otherwise a second server could share the port, and each connection would reach one
            // of the two at random.
            .reuse_port(false)
            // The adapters check the length of messages, which costs less.
            .max_receive_message_len(-1)
            .raw_cfg_int(key::COMPRESSION.to_owned(), IDENTITY_ONLY)
            .set_resource_quota(quota)
            // The core's own windows grow to 4 MiB and more for each stream while there is memory. With
            // many clients that are faster than the handlers there is none soon, and the core then resets
            // streams and connections of clients that have done nothing wrong.
            .http2_bdp_probe(false)
            .stream_initial_window_size(self.stream_window())
            .raw_cfg_int(key::READ_BYTES.to_owned(), READ_BYTES)
            // Clients that obey HTTP/2 wait. `call_limits` refuses the calls of clients that do
            // not.
            .max_concurrent_stream(i32::try_from(self.streams).unwrap_or(i32::MAX))
            // Connections without calls are pinged, too.
            .keepalive_permit_without_calls(true)
            .raw_cfg_int(
                key::PING_INTERVAL.to_owned(),
                milliseconds(self.ping_interval),
            )
            .raw_cfg_int(key::HANDSHAKE.to_owned(), milliseconds(self.handshake))
            // Channelz counters cost time for each message and memory for each connection.
            .raw_cfg_int(key::CHANNELZ.to_owned(), channelz.into());
        let builder = key::PENDING.into_iter().fold(builder, |builder, name| {
            builder.raw_cfg_int(
                name.to_owned(),
                i32::try_from(self.calls).unwrap_or(i32::MAX),
            )
        });
        let builder = limit_metadata(builder, self.metadata_bytes);
        let builder = keepalive(builder, self.keepalive, self.keepalive_timeout);
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
    limit: &'static str,
    value: T,
    range: RangeInclusive<T>,
) -> Result<(), LimitError> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(LimitError {
        limit,
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
    fn the_memory_is_shared_by_the_connections() {
        let window = |memory_bytes, connections| {
            let limits = Limits {
                memory_bytes,
                connections,
                ..Limits::default()
            };
            limits.stream_window()
        };
        assert_eq!(window(1 << 30, None), (512 << 20) / 16_000);
        assert_eq!(window(1 << 30, Some(1_000)), (512 << 20) / 1_000);
        assert_eq!(window(1 << 30, Some(1)), 1 << 20);
        assert_eq!(window(16 << 20, Some(u64::MAX)), 16 << 10);
    }

    #[test]
    fn a_limit_out_of_range_is_named_with_its_range() {
        let good = Limits::default();
        assert_eq!(good.check(), Ok(()));
        let day = Duration::from_secs(24 * 3600);
        for (limits, why) in [
            (
                Limits { metadata_bytes: 1023, ..good.clone() },
                "metadata_bytes 1023 is out of range; the range is 1024 to 16777216",
            ),
            (
                Limits { memory_bytes: 1 << 20, ..good.clone() },
                "memory_bytes 1048576 is out of range; the range is 16777216 to 18446744073709551615",
            ),
            (
                Limits { streams: 0, ..good.clone() },
                "streams 0 is out of range; the range is 1 to 2147483647",
            ),
            (
                Limits { calls: 0, ..good.clone() },
                "calls 0 is out of range; the range is 1 to 18446744073709551615",
            ),
            (
                Limits { connections: Some(0), ..good.clone() },
                "connections 0 is out of range; the range is 1 to 2147483647",
            ),
            (
                Limits { keepalive: Duration::ZERO, ..good.clone() },
                "keepalive 0s is out of range; the range is 1ms to 24days",
            ),
            (
                Limits { connection_age: Some(25 * day), ..good.clone() },
                "connection_age 2160000s is out of range; the range is 1ms to 24days",
            ),
        ] {
            let said = limits.check().map_err(|e| e.to_string());
            assert_eq!(said, Err(why.to_owned()));
        }
    }
}
