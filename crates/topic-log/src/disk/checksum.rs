//! The checksum in front of everything that is stored: eight bytes, XXH3 of the key and the value.
//!
//! It belongs to this crate and not to the engine. Data that was not published is never delivered,
//! even where the engine accepts a damaged file.

use xxhash_rust::xxh3::Xxh3;

/// The length of a checksum in bytes.
pub(super) const LENGTH: usize = 8;

/// The stored bytes are not the bytes that were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Damaged;

/// Fills in the checksum of a value whose first [`LENGTH`] bytes are room for it.
pub(super) fn write(key: &[u8], mut value: Vec<u8>) -> Vec<u8> {
    let sum = compute(key, &value[LENGTH..]);
    value[..LENGTH].copy_from_slice(&sum.to_be_bytes());
    value
}

/// The bytes behind the checksum, if they were written under this key.
pub(super) fn verify<'v>(key: &[u8], value: &'v [u8]) -> Result<&'v [u8], Damaged> {
    let (sum, rest) = value.split_first_chunk::<LENGTH>().ok_or(Damaged)?;
    if u64::from_be_bytes(*sum) == compute(key, rest) {
        Ok(rest)
    } else {
        Err(Damaged)
    }
}

fn compute(key: &[u8], rest: &[u8]) -> u64 {
    let mut sum = Xxh3::new();
    sum.update(key);
    sum.update(rest);
    sum.digest()
}

/// Takes a number of eight bytes, big-endian, from the front of `rest`.
pub(super) fn number(rest: &mut &[u8]) -> Result<u64, Damaged> {
    let (number, after) = rest.split_first_chunk::<8>().ok_or(Damaged)?;
    *rest = after;
    Ok(u64::from_be_bytes(*number))
}
