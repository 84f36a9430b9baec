//! Messages with their producer and number, so that each message is unique.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use fastrand::Rng;

/// The text of message `number` of `producer`, counted from 0. Most messages have up to 200
/// characters, one in 30 has about 1,000, and one in 1,000 about 100,000. They do not compress
/// well.
pub fn text(producer: &str, number: u64) -> String {
    let mut random = random(producer, number);
    let length = match random.u32(0..1_000) {
        0 => random.usize(50_000..300_000),
        1..=33 => random.usize(1_000..10_000),
        _ => random.usize(0..200),
    };
    fill(producer, number, length, random)
}

/// The text of a message with `length` random characters.
pub fn text_of(producer: &str, number: u64, length: usize) -> String {
    fill(producer, number, length, random(producer, number))
}

fn random(producer: &str, number: u64) -> Rng {
    let mut hasher = DefaultHasher::new();
    (producer, number).hash(&mut hasher);
    Rng::with_seed(hasher.finish())
}

fn fill(producer: &str, number: u64, length: usize, mut random: Rng) -> String {
    let mut text = format!("{producer}:{number}:\u{df}");
    text.extend((0..length).map(|_| random.alphanumeric()));
    text
}

/// The producer and the number of a message; None when it is not exactly what that producer sends.
pub fn parse(data: &str) -> Option<(&str, u64)> {
    let (producer, rest) = data.split_once(':')?;
    let number = rest.split_once(':')?.0.parse().ok()?;
    (text(producer, number) == data).then_some((producer, number))
}

#[test]
fn a_text_that_is_changed_anywhere_is_nobodys() {
    let whole = text("p", 7);
    assert_eq!(parse(&whole), Some(("p", 7)));
    for at in whole.char_indices().map(|(at, _)| at) {
        assert_eq!(parse(&whole[..at]), None);
        assert_eq!(parse(&format!("{}.{}", &whole[..at], &whole[at..])), None);
    }
}
