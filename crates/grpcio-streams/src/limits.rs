//! The limits of what one side of a connection receives from the other.

use std::ffi::CStr;
use std::ops::RangeInclusive;

use grpcio::ChannelBuilder;

use crate::status::{Status, TooLong};

/// The longest message that a service accepts unless set otherwise: 4 MiB as encoded, gRPC's own
/// default.
pub const MAX_MESSAGE_BYTES: usize = 4 * 1024 * 1024;

/// The limit of the metadata of a call that the programs of this project have unless set otherwise,
/// in bytes: 16 KiB.
pub const MAX_METADATA_BYTES: u32 = 16 * 1024;

/// The limits that [`limit_metadata`] takes, in bytes: 1 KiB to 16 MiB.
pub const METADATA_LIMITS: RangeInclusive<u32> = 1024..=16 * 1024 * 1024;

/// The C core's soft and hard limit of metadata.
const METADATA: [&CStr; 2] = [
    c"grpc.max_metadata_size",
    c"grpc.absolute_max_metadata_size",
];

/// Limits the metadata that this side of a connection receives in one block, in bytes: a client's
/// request metadata, or a server's response metadata, or its status. Each entry counts as its name,
/// its value and 32. A call with more ends with RESOURCE_EXHAUSTED.
///
/// Between the core's two limits it refuses calls at random, so they are made equal. The values that
/// make sense are [`METADATA_LIMITS`].
#[must_use]
pub fn limit_metadata(builder: ChannelBuilder, bytes: u32) -> ChannelBuilder {
    let bytes = i32::try_from(bytes).unwrap_or(i32::MAX);
    let set = |builder: ChannelBuilder, name: &CStr| builder.raw_cfg_int(name.to_owned(), bytes);
    METADATA.into_iter().fold(builder, set)
}

/// Checks the length of a message that `side`, a server or a client, has received. `number` is the
/// message's number in the call, from 1.
///
/// # Errors
///
/// RESOURCE_EXHAUSTED with [`Status::too_long`], for a message that is longer than `limit`.
pub(crate) fn check_length(
    side: &str,
    number: u64,
    bytes: usize,
    limit: usize,
) -> Result<(), Status> {
    if bytes <= limit {
        return Ok(());
    }
    let why = format!(
        "message {number} of the call has {bytes} bytes, and this {side} accepts at most {limit}"
    );
    Err(Status::resource_exhausted(why).with_too_long(TooLong { bytes, limit }))
}
