//! The flags of a server's limits.

use std::time::Duration;

use clap::Args;
use grpcio_serve::Limits;

use crate::cli::metadata_bytes::metadata_bytes;
use crate::cli::time::time;

#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
pub(super) struct LimitFlags {
    /// The longest message of a client; a call with a longer one ends with RESOURCE_EXHAUSTED
    #[arg(long, value_name = "BYTES", default_value_t = Limits::default().message_bytes)]
    max_message_bytes: usize,

    /// The most metadata of a call, from 1024 to 16777216 bytes; each entry counts as its name, its
    /// value and 32 bytes. A call with more ends with RESOURCE_EXHAUSTED
    #[arg(long, value_name = "BYTES", default_value_t = Limits::default().metadata_bytes,
        value_parser = metadata_bytes())]
    max_metadata_bytes: u32,

    /// About how much memory the gRPC core may use for connections and for messages in transit; at
    /// least 16777216. Beyond it the largest calls are reset, and new connections end. Half of it,
    /// divided by --max-connections, is the flow-control window of a stream
    #[arg(long, value_name = "BYTES", default_value_t = Limits::default().memory_bytes)]
    max_memory_bytes: usize,

    /// How many calls of a connection run at a time; further calls wait at the client, or end with
    /// RESOURCE_EXHAUSTED
    #[arg(long, value_name = "N", default_value_t = Limits::default().streams,
        value_parser = clap::value_parser!(u32).range(1..=i32::MAX.into()))]
    max_streams: u32,

    /// How many calls run at a time in all; further calls end with RESOURCE_EXHAUSTED, except
    /// health checks
    #[arg(long, value_name = "N", default_value_t = Limits::default().calls)]
    max_calls: usize,

    /// How many connections are open at a time; further connections wait to be accepted. The hard
    /// limit of open files may allow fewer. A greater number makes the windows of streams smaller
    #[arg(long, value_name = "N", default_value_t = Limits::CONNECTIONS)]
    max_connections: u64,

    /// End connections that do not speak HTTP/2 within this time, which includes the TLS handshake
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    handshake_timeout: Duration,

    /// Ping clients that are silent for this time
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = time)]
    keepalive: Duration,

    /// End connections whose client does not answer a ping within this time
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = time)]
    keepalive_timeout: Duration,

    /// The least time between two pings of a client. At the third ping that comes too early the server
    /// ends the connection and its calls
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    min_ping_interval: Duration,

    /// Ask clients to connect again when their connection has this age, a tenth more or less
    /// [default: never]
    #[arg(long, value_name = "TIME", value_parser = time)]
    max_connection_age: Option<Duration>,

    /// How long the calls of such a connection may still run; then they end with UNAVAILABLE
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = time)]
    max_connection_age_grace: Duration,
}

impl LimitFlags {
    pub(super) fn limits(&self) -> Limits {
        Limits {
            message_bytes: self.max_message_bytes,
            metadata_bytes: self.max_metadata_bytes,
            memory_bytes: self.max_memory_bytes,
            streams: self.max_streams,
            calls: self.max_calls,
            connections: Some(self.max_connections),
            handshake: self.handshake_timeout,
            keepalive: self.keepalive,
            keepalive_timeout: self.keepalive_timeout,
            ping_interval: self.min_ping_interval,
            connection_age: self.max_connection_age,
            connection_age_grace: self.max_connection_age_grace,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        limits: LimitFlags,
    }

    #[test]
    fn without_flags_the_limits_are_the_default_ones() {
        let expected = Limits {
            connections: Some(Limits::CONNECTIONS),
            ..Limits::default()
        };
        assert_eq!(Flags::parse_from(["test"]).limits.limits(), expected);
    }
}
