//! Subscribers that cost little, check that every message arrives in order, and keep to flow
//! control as any client does.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex};

use super::http2::{Connection, Event, WINDOW};
use super::TOPIC;

/// The text of a message, 16 bytes.
pub fn text(number: u64) -> String {
    format!("{number:016}")
}

const MESSAGE_BYTES: usize = 23;

/// A message on the wire: gRPC's prefix, the protobuf field, the text.
fn encoded(number: u64) -> [u8; MESSAGE_BYTES] {
    let mut message = [0; MESSAGE_BYTES];
    message[..7].copy_from_slice(&[0, 0, 0, 0, 18, 0x0a, 16]);
    message[7..].copy_from_slice(text(number).as_bytes());
    message
}

/// Counts the subscribers that have not seen their first message, and will.
#[derive(Clone)]
pub struct Started(Arc<(Mutex<usize>, Condvar)>);

impl Started {
    pub fn new(subscribers: usize) -> Self {
        Self(Arc::new((Mutex::new(subscribers), Condvar::new())))
    }

    pub fn wait(&self) {
        let (missing, changed) = &*self.0;
        let missing = missing.lock().expect("no panic");
        let _none = changed.wait_while(missing, |missing| *missing > 0);
    }

    fn arrive(&self, subscribers: usize) {
        let (missing, changed) = &*self.0;
        *missing.lock().expect("no panic") -= subscribers;
        changed.notify_all();
    }
}

/// Subscribes `calls` times on one connection, and reads until all have seen `messages` messages.
pub fn subscribe(
    address: SocketAddr,
    calls: usize,
    messages: u64,
    started: &Started,
) -> io::Result<()> {
    let mut seen: Vec<_> = (0..calls).map(|_| Seen::default()).collect();
    let read = read(address, &mut seen, messages, started);
    // Nobody waits for those who fail.
    started.arrive(seen.iter().filter(|seen| seen.messages == 0).count());
    read
}

fn read(
    address: SocketAddr,
    seen: &mut [Seen],
    messages: u64,
    started: &Started,
) -> io::Result<()> {
    let mut connection = Connection::open(address)?;
    for call in 0..seen.len() {
        connection.call(call, &[("topic", TOPIC), ("from", "earliest")]);
    }
    let mut complete = 0;
    while complete < seen.len() {
        let Event::Data(call, data) = connection.next()? else {
            continue;
        };
        let seen = &mut seen[call];
        let before = seen.messages;
        seen.take(data)?;
        seen.bytes += data.len() as u32;
        if seen.bytes >= WINDOW / 2 {
            connection.consumed(call, std::mem::take(&mut seen.bytes));
        }
        if before == 0 && seen.messages > 0 {
            started.arrive(1);
        }
        if before < messages && seen.messages == messages {
            complete += 1;
        }
    }
    Ok(())
}

/// What one subscriber has seen.
#[derive(Default)]
struct Seen {
    messages: u64,
    /// The beginning of a message whose end is still to come.
    partial: Vec<u8>,
    /// Since the window was opened last.
    bytes: u32,
}

impl Seen {
    fn take(&mut self, mut data: &[u8]) -> io::Result<()> {
        if !self.partial.is_empty() {
            let rest = (MESSAGE_BYTES - self.partial.len()).min(data.len());
            self.partial.extend(&data[..rest]);
            data = &data[rest..];
            if self.partial.len() < MESSAGE_BYTES {
                return Ok(());
            }
            let message = std::mem::take(&mut self.partial);
            self.check(&message)?;
        }
        let mut messages = data.chunks_exact(MESSAGE_BYTES);
        self.partial.extend(messages.remainder());
        messages.try_for_each(|message| self.check(message))
    }

    fn check(&mut self, message: &[u8]) -> io::Result<()> {
        if message != encoded(self.messages) {
            let why = format!("not message {}: {message:?}", self.messages);
            return Err(io::Error::other(why));
        }
        self.messages += 1;
        Ok(())
    }
}
