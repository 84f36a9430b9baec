//! The pings by which one side of a connection notices that the other has vanished.

use std::ffi::CStr;
use std::time::Duration;

use grpcio::ChannelBuilder;

/// How long any ping may take. C core 1.56 does not know it. 1.85 ends connections by it alone,
/// because it never starts the timer of `grpc.keepalive_timeout_ms` (`grpc_chttp2_end_write` starts
/// it only where it runs already).
const PING_TIMEOUT: &CStr = c"grpc.http2.ping_timeout_ms";

/// Has this side of a connection ping a peer that has been silent for `time`. The connection and its
/// calls end if no answer comes within `timeout`. Both are counted in milliseconds, up to 24 days.
///
/// gRPC's guide to [keepalive](https://grpc.io/docs/guides/keepalive/) tells which times servers
/// accept. Whether connections without calls are pinged is another setting of the channel.
#[must_use]
pub fn keepalive(builder: ChannelBuilder, time: Duration, timeout: Duration) -> ChannelBuilder {
    let milliseconds = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    builder
        .keepalive_time(time)
        .keepalive_timeout(timeout)
        .raw_cfg_int(PING_TIMEOUT.to_owned(), milliseconds)
}
