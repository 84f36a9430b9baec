//! Publishers that cost little. They write HTTP/2 themselves and keep to flow control as any client
//! does. Their receipts must count what they have sent.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use greeter_stream::generated::greeter::StreamResData;
use greeter_stream::protocol::PUT_STREAM;
use protobuf::Message;
use testkit::http2::{flag, frame, Connection, WINDOW};
use testkit::numbered::Numbered;

use super::{PATIENCE, TEXT_BYTES};

/// How many connections the publishers share at most.
const CONNECTIONS: usize = 10;

/// The setting that says how much a call may be sent at first (RFC 9113, section 6.5.2).
const INITIAL_WINDOW_SIZE: u16 = 4;

/// How many bytes come before a message of gRPC: the compression flag and the length.
const PREFIX_BYTES: usize = 5;

/// What the publishers did together.
pub struct Published {
    pub messages: u64,
    /// How long it took until each had its receipt.
    pub took: Duration,
}

impl Published {
    pub fn rate(&self) -> f64 {
        self.messages as f64 / self.took.as_secs_f64()
    }
}

/// Runs a publisher for each of these topics at the same time. The topics may be the same. Each
/// publisher sends `messages_each` messages.
pub fn publish(address: &str, topics: &[String], messages_each: u64) -> io::Result<Published> {
    let address = address.parse().map_err(io::Error::other)?;
    let connections = topics.len().min(CONNECTIONS);
    let ready = Arc::new(Barrier::new(connections + 1));
    let threads: Vec<_> = (0..connections)
        .map(|n| {
            let own: Vec<_> = topics
                .iter()
                .enumerate()
                .skip(n)
                .step_by(connections)
                .collect();
            let own: Vec<_> = own
                .into_iter()
                .map(|(n, topic)| (n, topic.clone()))
                .collect();
            let ready = ready.clone();
            thread::spawn(move || {
                let publishers = Publishers::open(address, &own);
                ready.wait();
                publishers?.publish(messages_each)
            })
        })
        .collect();
    ready.wait();
    let began = Instant::now();
    let mut messages = 0;
    for thread in threads {
        messages += thread.join().expect("a publisher panicked")?;
    }
    Ok(Published {
        messages,
        took: began.elapsed(),
    })
}

/// The publishers of one connection.
struct Publishers {
    connection: Connection,
    calls: Vec<Call>,
    /// How many bytes the server takes now of all calls together, and of a new call.
    window: i64,
    initial: i64,
}

struct Call {
    /// The next message, how many of its bytes have been sent, and the number of the first message.
    next: Numbered,
    begun: usize,
    first: u64,
    /// How many bytes the server takes now.
    window: i64,
    /// Whether everything has been sent.
    half_closed: bool,
    answer: Vec<u8>,
    /// The headers that have come last.
    trailer: Vec<u8>,
    ended: bool,
}

impl Publishers {
    /// Connects and begins a call for each number and topic.
    fn open(address: SocketAddr, topics: &[(usize, String)]) -> io::Result<Self> {
        let mut connection = Connection::open(address)?;
        connection.limit(PATIENCE)?;
        for (n, (_, topic)) in topics.iter().enumerate() {
            connection.headers(stream(n), PUT_STREAM, &[("topic", topic)]);
        }
        let window = i64::from(WINDOW);
        let mut publishers = Self {
            connection,
            calls: topics
                .iter()
                .map(|(n, _)| Call::new(*n as u64, window))
                .collect(),
            window,
            initial: window,
        };
        while publishers.hear()? != frame::SETTINGS {}
        Ok(publishers)
    }

    /// Sends everything and waits for the receipts; how many messages were accepted.
    fn publish(mut self, messages_each: u64) -> io::Result<u64> {
        let mut payload = Vec::with_capacity(frame::MAX_BYTES);
        while !self.calls.iter().all(|call| call.ended) {
            let mut said = false;
            for n in 0..self.calls.len() {
                said |= self.say(n, messages_each, &mut payload);
            }
            if said {
                self.connection.send()?;
            } else {
                self.hear()?;
            }
        }
        self.calls.iter().map(Call::accepted).sum()
    }

    /// Writes a frame with as many messages, or bytes of one, as the windows allow; whether there was
    /// anything to write.
    fn say(&mut self, n: usize, messages: u64, payload: &mut Vec<u8>) -> bool {
        let call = &mut self.calls[n];
        let window = self.window.min(call.window);
        let mut room = window.clamp(0, frame::MAX_BYTES as i64) as usize;
        payload.clear();
        while room > 0 && call.sent() < messages {
            let rest = &call.next.bytes()[call.begun..];
            let part = rest.len().min(room);
            payload.extend(&rest[..part]);
            room -= part;
            call.begun += part;
            if call.begun == call.next.bytes().len() {
                call.next.advance();
                call.begun = 0;
            }
        }
        let half_closes = call.sent() == messages && !call.half_closed;
        if payload.is_empty() && !half_closes {
            return false;
        }
        call.half_closed |= half_closes;
        call.window -= payload.len() as i64;
        self.window -= payload.len() as i64;
        let flags = if half_closes { flag::END_STREAM } else { 0 };
        self.connection
            .write(frame::DATA, flags, stream(n), payload);
        true
    }

    /// Reads a frame and does what it asks for; its kind.
    fn hear(&mut self) -> io::Result<u8> {
        let heard = self.connection.read()?;
        let (kind, flags, payload) = (heard.kind, heard.flags, heard.payload.to_vec());
        let call = self
            .calls
            .get_mut((heard.stream as usize).wrapping_sub(1) / 2);
        match (kind, call) {
            (frame::SETTINGS, _) if flags & flag::ACK == 0 => {
                self.set(&payload);
                self.connection.acknowledge_settings();
            }
            (frame::PING, _) if flags & flag::ACK == 0 => {
                self.connection.write(frame::PING, flag::ACK, 0, &payload);
            }
            (frame::WINDOW_UPDATE, None) => self.window += i64::from(number(&payload)),
            (frame::WINDOW_UPDATE, Some(call)) => call.window += i64::from(number(&payload)),
            (frame::DATA, Some(call)) => call.answer.extend(payload),
            (frame::HEADERS, Some(call)) => {
                call.ended = flags & flag::END_STREAM != 0;
                call.trailer = payload;
            }
            (frame::RST_STREAM | frame::GOAWAY, call) => {
                let said = call.map_or(&payload, |call| &call.trailer);
                let said = String::from_utf8_lossy(said);
                let why =
                    format!("the server ended a call or the connection: {payload:?} {said:?}");
                return Err(io::Error::other(why));
            }
            _ => {}
        }
        Ok(kind)
    }

    /// Applies the one of the server's settings that matters here.
    fn set(&mut self, settings: &[u8]) {
        for setting in settings.chunks_exact(6) {
            if setting[..2] == INITIAL_WINDOW_SIZE.to_be_bytes() {
                let initial = i64::from(number(&setting[2..]));
                for call in &mut self.calls {
                    call.window += initial - self.initial;
                }
                self.initial = initial;
            }
        }
    }
}

impl Call {
    fn new(publisher: u64, window: i64) -> Self {
        // The first numbers of publishers are far apart, so that their texts differ.
        let first = publisher * 1_000_000_007;
        Self {
            next: Numbered::new(first, TEXT_BYTES),
            begun: 0,
            first,
            window,
            half_closed: false,
            answer: Vec::new(),
            trailer: Vec::new(),
            ended: false,
        }
    }

    fn sent(&self) -> u64 {
        self.next.number - self.first
    }

    /// How many messages the receipt counts. It is an error when that is not what was sent.
    fn accepted(&self) -> io::Result<u64> {
        let receipt = self.answer.get(PREFIX_BYTES..);
        let receipt = receipt.and_then(|receipt| StreamResData::parse_from_bytes(receipt).ok());
        let accepted = receipt.and_then(|receipt| {
            let receipt: serde_json::Value = serde_json::from_str(&receipt.data).ok()?;
            receipt.get("accepted")?.as_u64()
        });
        match accepted {
            Some(accepted) if accepted == self.sent() => Ok(accepted),
            _ => {
                let (sent, answer) = (self.sent(), String::from_utf8_lossy(&self.answer));
                let trailer = String::from_utf8_lossy(&self.trailer);
                let why = format!("{sent} messages were sent, but: {answer:?} {trailer:?}");
                Err(io::Error::other(why))
            }
        }
    }
}

fn stream(call: usize) -> u32 {
    call as u32 * 2 + 1
}

/// The first four bytes as a number.
fn number(payload: &[u8]) -> u32 {
    payload
        .iter()
        .take(4)
        .fold(0, |n, byte| n << 8 | u32::from(*byte))
}
