//! The flag `--max-metadata-bytes` of both programs.

use clap::builder::RangedI64ValueParser;
use grpcio_streams::METADATA_LIMITS;

/// Takes the limits that there are.
pub(super) fn metadata_bytes() -> RangedI64ValueParser<u32> {
    let (least, most) = METADATA_LIMITS.into_inner();
    clap::value_parser!(u32).range(i64::from(least)..=i64::from(most))
}
