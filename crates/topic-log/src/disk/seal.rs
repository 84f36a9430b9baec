//! The checksum before everything that is stored: eight bytes, XXH3 of the key and the value.
//!
//! It is ours, so that nothing is told that was not published, whatever the engine below takes its
//! files for.

use xxhash_rust::xxh3::Xxh3;

/// The length of a seal.
pub(super) const SEAL: usize = 8;

/// Why something that is stored cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Damaged;

/// Seals a value that begins with [`SEAL`] bytes of room.
pub(super) fn seal(key: &[u8], mut value: Vec<u8>) -> Vec<u8> {
    let sum = checksum(key, &value[SEAL..]);
    value[..SEAL].copy_from_slice(&sum.to_be_bytes());
    value
}

/// What is behind the seal, if it is what was sealed under this key.
pub(super) fn unseal<'v>(key: &[u8], value: &'v [u8]) -> Result<&'v [u8], Damaged> {
    let (sum, rest) = value.split_first_chunk::<SEAL>().ok_or(Damaged)?;
    match u64::from_be_bytes(*sum) == checksum(key, rest) {
        true => Ok(rest),
        false => Err(Damaged),
    }
}

/// Takes a number from the front of what is left.
pub(super) fn number(rest: &mut &[u8]) -> Result<u64, Damaged> {
    let (number, after) = rest.split_first_chunk::<8>().ok_or(Damaged)?;
    *rest = after;
    Ok(u64::from_be_bytes(*number))
}

fn checksum(key: &[u8], rest: &[u8]) -> u64 {
    let mut sum = Xxh3::new();
    sum.update(key);
    sum.update(rest);
    sum.digest()
}
