//! Numbered messages, which are cheap to make and to check. The rest of a message does not repeat
//! the messages shortly before it, so compression does not make it smaller.

use std::io;
use std::sync::LazyLock;

/// How many digits a number has.
pub const DIGITS: usize = 16;

/// The bytes of gRPC's prefix and of the tag and the length of the protobuf field.
const PREFIX: usize = 7;

/// The distance in [`FILLING`] between the fillings of two successive messages, in bytes.
const STEP: usize = 128;
/// The fillings of messages are parts of this text.
static FILLING: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut random = fastrand::Rng::with_seed(0);
    let characters = std::iter::repeat_with(|| random.alphanumeric() as u8);
    characters.take((1 << 20) + STEP).collect()
});

/// A message as it is on the wire: gRPC's prefix and a protobuf message whose field 1 is a text.
#[derive(Clone)]
pub struct Numbered {
    /// Its number.
    pub number: u64,
    message: Vec<u8>,
}

impl Numbered {
    /// The message with this number, whose text has `text_bytes` bytes: from [`DIGITS`] to 127.
    pub fn new(number: u64, text_bytes: usize) -> Self {
        assert!((DIGITS..STEP).contains(&text_bytes), "{text_bytes} bytes");
        let mut message = vec![0, 0, 0, 0, text_bytes as u8 + 2, 0x0a, text_bytes as u8];
        message.extend(format!("{number:0DIGITS$}").bytes());
        message.resize(PREFIX + text_bytes, 0);
        let mut new = Self { number, message };
        new.fill();
        new
    }

    /// Its bytes on the wire.
    pub fn bytes(&self) -> &[u8] {
        &self.message
    }

    /// Turns it into the next message.
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

/// Checks that a subscriber receives numbered messages in order.
pub struct Seen {
    next: Numbered,
    /// The beginning of a message that has not arrived completely.
    partial: Vec<u8>,
}

impl Seen {
    /// Expects this message first.
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

    /// Takes the bytes that have arrived.
    ///
    /// # Errors
    ///
    /// When they are not the bytes of the next messages.
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
