//! Subscribers that cost little. They check that every message arrives in order, and keep to flow
//! control as any client does.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use greeter_stream::protocol::GET_STREAM;
use parking_lot::{Condvar, Mutex};
use testkit::http2::{Connection, Event, WINDOW};
use testkit::numbered::{Numbered, Seen, DIGITS};

use super::TOPIC;

/// Counts the subscribers that have not yet seen their first message.
#[derive(Clone)]
pub struct Started(Arc<(Mutex<usize>, Condvar)>);

impl Started {
    pub fn new(subscribers: usize) -> Self {
        Self(Arc::new((Mutex::new(subscribers), Condvar::new())))
    }

    pub fn wait(&self) {
        let (missing, changed) = &*self.0;
        changed.wait_while(&mut missing.lock(), |missing| *missing > 0);
    }

    fn arrive(&self, subscribers: usize) {
        let (missing, changed) = &*self.0;
        *missing.lock() -= subscribers;
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
    let mut seen: Vec<_> = (0..calls)
        .map(|_| Seen::new(Numbered::new(0, DIGITS)))
        .collect();
    let read = read(address, &mut seen, messages, started);
    // Subscribers that have failed are not waited for.
    started.arrive(seen.iter().filter(|seen| seen.next() == 0).count());
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
        connection.call(call, GET_STREAM, &[("topic", TOPIC), ("from", "earliest")]);
    }
    // How many bytes have arrived on each call since the server was given more.
    let mut bytes = vec![0; seen.len()];
    let mut complete = 0;
    while complete < seen.len() {
        let Event::Data(call, data) = connection.event()? else {
            continue;
        };
        let (seen, bytes) = (&mut seen[call], &mut bytes[call]);
        let before = seen.next();
        seen.take(data)?;
        *bytes += data.len() as u32;
        if *bytes >= WINDOW / 2 {
            connection.consumed(call, std::mem::take(bytes));
        }
        if before == 0 && seen.next() > 0 {
            started.arrive(1);
        }
        if before < messages && seen.next() == messages {
            complete += 1;
        }
    }
    Ok(())
}
