//! Subscribers that cost little. They check that every message arrives in order, and keep to flow
//! control as any client does.

use std::io;
use std::time::{Duration, Instant};

use greeter_stream::protocol::{ALL_STREAM, GET_STREAM};
use grpcio::RpcStatusCode;
use hdrhistogram::Histogram;
use testkit::http2::{Connection, Event, WINDOW};
use testkit::numbered::{Numbered, Seen};

use super::{PATIENCE, TEXT_BYTES};

/// How many bytes the server may send on a call before it is given more.
const READ_AHEAD: u32 = 1024 * 1024;

/// A subscriber that reads a topic from its earliest message, on a connection of its own.
pub struct Replay {
    connection: Connection,
    seen: Seen,
    /// How many bytes of the messages have not arrived.
    bytes_left: usize,
    /// How many bytes have arrived since the server was given more.
    bytes: u32,
}

impl Replay {
    /// Begins to read the first `messages` messages of the topic, which must be those of the first
    /// publisher of [`publish`](super::publisher::publish).
    pub fn start(address: &str, topic: &str, messages: u64) -> io::Result<Self> {
        let mut connection = open(address)?;
        let metadata = [("topic", topic), ("from", "earliest"), ("follow", "false")];
        connection.call(0, GET_STREAM, &metadata);
        connection.consumed(0, READ_AHEAD - WINDOW);
        let first = Numbered::new(0, TEXT_BYTES);
        Ok(Self {
            connection,
            bytes_left: messages as usize * first.bytes().len(),
            seen: Seen::new(first),
            bytes: 0,
        })
    }

    /// Reads on; how many messages have been seen.
    pub fn read(&mut self) -> io::Result<u64> {
        if let Event::Data(_, data) = self.connection.event()? {
            let wanted = data.len().min(self.bytes_left);
            self.seen.take(&data[..wanted])?;
            self.bytes_left -= wanted;
            self.bytes += data.len() as u32;
            if self.bytes >= READ_AHEAD / 2 {
                self.connection.consumed(0, std::mem::take(&mut self.bytes));
            }
        }
        Ok(self.seen.next())
    }

    /// Waits for the end of the call, which must be OK.
    pub fn end(mut self) -> io::Result<()> {
        match self.connection.status()? {
            (RpcStatusCode::OK, _) => Ok(()),
            (_, why) => Err(io::Error::other(format!(
                "the server ended a call: {why:?}"
            ))),
        }
    }
}

/// Sends messages to a topic with AllStream, each once the one before has come back; how long each
/// took, in microseconds.
pub fn converse(address: &str, topic: &str, duration: Duration) -> io::Result<Histogram<u64>> {
    let mut connection = open(address)?;
    connection.headers(1, ALL_STREAM, &[("topic", topic)]);
    let mut said = Numbered::new(0, TEXT_BYTES);
    let mut seen = Seen::new(said.clone());
    let mut latencies = Histogram::new(3).map_err(io::Error::other)?;
    let began = Instant::now();
    while began.elapsed() < duration {
        let message = said.bytes();
        let since = Instant::now();
        connection.write(0, 0, 1, message);
        said.advance();
        while seen.next() < said.number {
            if let Event::Data(call, data) = connection.event()? {
                seen.take(data)?;
                let bytes = data.len() as u32;
                connection.consumed(call, bytes);
            }
        }
        let latency = since.elapsed().as_micros() as u64;
        latencies.record(latency).map_err(io::Error::other)?;
    }
    Ok(latencies)
}

fn open(address: &str) -> io::Result<Connection> {
    let connection = Connection::open(address.parse().map_err(io::Error::other)?)?;
    connection.limit(PATIENCE)?;
    Ok(connection)
}
