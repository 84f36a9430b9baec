//! Messages that cost little to make and to check: each says its number, and nothing in it repeats
//! what was said shortly before, so that nobody makes them smaller.

use std::io;
use std::sync::LazyLock;

/// The digits of a number.
pub const DIGITS: usize = 16;

/// gRPC's prefix, and the tag and the length of the protobuf field.
const PREFIX: usize = 7;

/// What follows the numbers is cut from here. Each message begins so far behind the one before.
const STEP: usize = 128;
static FILLING: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut random = fastrand::Rng::with_seed(0);
    let characters = std::iter::repeat_with(|| random.alphanumeric() as u8);
    characters.take((1 << 20) + STEP).collect()
});

/// A message as it is on the wire.
#[derive(Clone)]
pub struct Numbered {
    pub number: u64,
    message: Vec<u8>,
}

impl Numbered {
    /// One whose text has so many bytes: from [`DIGITS`] to 127.
    pub fn new(number: u64, text_bytes: usize) -> Self {
        assert!((DIGITS..STEP).contains(&text_bytes), "{text_bytes} bytes");
        let mut message = vec![0, 0, 0, 0, text_bytes as u8 + 2, 0x0a, text_bytes as u8];
        message.extend(format!("{number:0DIGITS$}").bytes());
        message.resize(PREFIX + text_bytes, 0);
        let mut new = Self { number, message };
        new.fill();
        new
    }

    pub fn bytes(&self) -> &[u8] {
        &self.message
    }

    /// The next one.
    pub fn advance(&mut self) {
        self.number += 1;
        for digit in self.message[PREFIX..PREFIX + DIGITS].iter_mut().rev() {
            if *digit < b'9' {
                *digit += 1;
                break;
            }
            *digit = b'0';
        }
        self.fill();
    }

    fn fill(&mut self) {
        let filling = &mut self.message[PREFIX + DIGITS..];
        let from = self.number as usize * STEP % (1 << 20);
        filling.copy_from_slice(&FILLING[from..][..filling.len()]);
    }
}

/// What a subscriber sees, message by message.
pub struct Seen {
    next: Numbered,
    /// The beginning of a message whose end is still to come.
    partial: Vec<u8>,
}

impl Seen {
    pub fn new(first: Numbered) -> Self {
        Self {
            next: first,
            partial: Vec::new(),
        }
    }

    /// The number of the message that comes next.
    pub fn next(&self) -> u64 {
        self.next.number
    }

    /// Takes what has arrived. It fails when that is not what comes next.
    pub fn take(&mut self, mut data: &[u8]) -> io::Result<()> {
        let length = self.next.bytes().len();
        if !self.partial.is_empty() {
            let rest = (length - self.partial.len()).min(data.len());
            self.partial.extend(&data[..rest]);
            data = &data[rest..];
            if self.partial.len() < length {
                return Ok(());
            }
            let message = std::mem::take(&mut self.partial);
            self.check(&message)?;
        }
        let mut messages = data.chunks_exact(length);
        self.partial.extend(messages.remainder());
        messages.try_for_each(|message| self.check(message))
    }

    fn check(&mut self, message: &[u8]) -> io::Result<()> {
        if message != self.next.bytes() {
            let message = String::from_utf8_lossy(message);
            let why = format!("not message {}: {message:?}", self.next.number);
            return Err(io::Error::other(why));
        }
        self.next.advance();
        Ok(())
    }
}
