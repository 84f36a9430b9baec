//! As much of HTTP/2 (RFC 9113) as a subscriber needs, and one who keeps to no rule.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use grpcio::RpcStatusCode;

/// A call may be sent so much before it is given more: HTTP/2's default.
pub const WINDOW: u32 = 65_535;

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The kinds of frames (section 6).
pub mod frame {
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const PRIORITY: u8 = 2;
    pub const RST_STREAM: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const PING: u8 = 6;
    pub const GOAWAY: u8 = 7;
    pub const WINDOW_UPDATE: u8 = 8;
    pub const CONTINUATION: u8 = 9;
    pub const HEADER_BYTES: usize = 9;
    /// The longest payload, unless the receiver's settings allow more.
    pub const MAX_BYTES: usize = 16_384;
}

/// Their flags; which of them a number is depends on the frame.
pub mod flag {
    pub const END_STREAM: u8 = 1;
    pub const ACK: u8 = 1;
    pub const END_HEADERS: u8 = 4;
    pub const PADDED: u8 = 8;
}

/// Why a stream or a connection ends (section 7).
pub mod code {
    pub const CANCEL: u32 = 8;
    pub const ENHANCE_YOUR_CALM: u32 = 11;
}

/// What the last ping carries.
const LAST_PING: [u8; 8] = *b"the last";

/// What has arrived of one frame: its kind, flags, stream and payload.
#[derive(Debug)]
pub struct Frame<'a> {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: &'a [u8],
}

/// What a peer has sent.
#[derive(Debug, Default)]
pub struct Answers {
    /// How many frames of each kind there were.
    pub counts: [u64; 10],
    /// Why it ended the connection, if it said so: a code, and what it has to say for debugging.
    pub goodbye: Option<(u32, String)>,
    /// Whether it answered the [last ping](Connection::finish).
    pub finished: bool,
}

impl Answers {
    pub fn of(&self, kind: u8) -> u64 {
        self.counts[usize::from(kind)]
    }
}

/// What has arrived, for one who keeps to the rules.
pub enum Event<'a> {
    /// Part of what a call sends.
    Data(usize, &'a [u8]),
    /// What was no call's data; it has been seen to.
    Other,
}

/// A client's connection. What is written leaves with the next [`send`](Self::send) or read; what
/// arrives waits until it is read, and is answered by nothing but [`next`](Self::next).
pub struct Connection {
    socket: TcpStream,
    /// What has been received; `input[done..]` has not been looked at.
    input: Vec<u8>,
    done: usize,
    /// What will be sent before the next wait.
    output: Vec<u8>,
}

impl Connection {
    /// Opens a connection with the preface, and with windows of which only the calls' own bind.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let mut connection = Self::silent(address)?;
        connection.output.extend(PREFACE);
        connection.write(frame::SETTINGS, 0, 0, &[]);
        connection.window_update(0, i32::MAX as u32 - WINDOW);
        Ok(connection)
    }

    /// Opens a connection and says nothing.
    pub fn silent(address: SocketAddr) -> io::Result<Self> {
        let socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        Ok(Self {
            socket,
            input: Vec::new(),
            done: 0,
            output: Vec::new(),
        })
    }

    /// Writes anything: a frame of any kind, well made or not.
    pub fn write(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = (payload.len() as u32).to_be_bytes();
        self.output.extend(&length[1..]);
        self.output.extend([kind, flags]);
        self.output.extend(stream.to_be_bytes());
        self.output.extend(payload);
    }

    /// Writes bytes that are no frame.
    pub fn write_bytes(&mut self, bytes: &[u8]) {
        self.output.extend(bytes);
    }

    /// Starts a call of `path` on `stream`: all of its headers.
    pub fn headers(&mut self, stream: u32, path: &str, metadata: &[(&str, &str)]) {
        self.header_block(stream, &block(path, metadata));
    }

    /// The same from a block of any length and content, in as many frames as it needs.
    pub fn header_block(&mut self, stream: u32, block: &[u8]) {
        let mut kind = frame::HEADERS;
        let mut parts = block.chunks(frame::MAX_BYTES).peekable();
        while let Some(part) = parts.next() {
            let flags = parts.peek().map_or(flag::END_HEADERS, |_| 0);
            self.write(kind, flags, stream, part);
            kind = frame::CONTINUATION;
        }
    }

    /// A message of gRPC, uncompressed, in one frame.
    pub fn message(&mut self, stream: u32, flags: u8, message: &[u8]) {
        let mut data = vec![0];
        data.extend((message.len() as u32).to_be_bytes());
        data.extend(message);
        self.write(frame::DATA, flags, stream, &data);
    }

    pub fn reset(&mut self, stream: u32) {
        let cancel = code::CANCEL.to_be_bytes();
        self.write(frame::RST_STREAM, 0, stream, &cancel);
    }

    /// Lets a stream, or with 0 the connection, send so many more bytes.
    pub fn window_update(&mut self, stream: u32, bytes: u32) {
        self.write(frame::WINDOW_UPDATE, 0, stream, &bytes.to_be_bytes());
    }

    /// Says that the peer's settings are heeded.
    pub fn acknowledge_settings(&mut self) {
        self.write(frame::SETTINGS, flag::ACK, 0, &[]);
    }

    /// Sends what has been written.
    pub fn send(&mut self) -> io::Result<()> {
        self.socket.write_all(&self.output)?;
        self.output.clear();
        Ok(())
    }

    /// How long a single read or write may take from now on, else it fails; they wait for ever
    /// until this is called.
    pub fn limit(&self, limit: Duration) -> io::Result<()> {
        self.socket.set_read_timeout(Some(limit))?;
        self.socket.set_write_timeout(Some(limit))
    }

    /// The next frame, after what has been written is sent. Nothing is answered.
    pub fn read(&mut self) -> io::Result<Frame<'_>> {
        let (kind, flags, stream, payload) = self.frame()?;
        Ok(Frame {
            kind,
            flags,
            stream,
            payload: &self.input[payload],
        })
    }

    /// Reads until `wanted` likes a frame, and says how long that took.
    pub fn read_until(
        &mut self,
        limit: Duration,
        mut wanted: impl FnMut(&Frame<'_>) -> bool,
    ) -> io::Result<Duration> {
        let started = Instant::now();
        loop {
            let left = limit.saturating_sub(started.elapsed());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.socket.set_read_timeout(Some(left))?;
            if wanted(&self.read()?) {
                return Ok(started.elapsed());
            }
        }
    }

    /// The status with which the first call of the connection ends, and all of the headers that say
    /// so.
    pub fn status(&mut self) -> io::Result<(RpcStatusCode, String)> {
        const NAME: &[u8] = b"grpc-status";
        loop {
            let Frame { kind, payload, .. } = self.read()?;
            let found = payload.windows(NAME.len()).position(|w| w == NAME);
            if let (frame::HEADERS, Some(at)) = (kind, found) {
                // A literal, as long as the core's table does not have it; so is the text.
                let value = &payload[at + NAME.len()..];
                let digits = value[1..].iter().take(value[0].into());
                let code = digits.fold(0, |code, digit| code * 10 + i32::from(digit - b'0'));
                return Ok((code.into(), String::from_utf8_lossy(payload).into_owned()));
            }
        }
    }

    /// Reads on a thread of its own what arrives from now on until [the last ping](Self::finish) is
    /// answered or the connection ends. What is written meanwhile must be [sent](Self::send).
    pub fn count(&self) -> io::Result<JoinHandle<Answers>> {
        let mut reader = Self {
            socket: self.socket.try_clone()?,
            input: Vec::new(),
            done: 0,
            output: Vec::new(),
        };
        Ok(thread::spawn(move || {
            let mut answers = Answers::default();
            while let Ok(frame) = reader.read() {
                if let Some(count) = answers.counts.get_mut(usize::from(frame.kind)) {
                    *count += 1;
                }
                if frame.kind == frame::GOAWAY && frame.payload.len() >= 8 {
                    let (code, why) = frame.payload[4..].split_at(4);
                    let code = u32::from_be_bytes([code[0], code[1], code[2], code[3]]);
                    answers.goodbye = Some((code, String::from_utf8_lossy(why).into_owned()));
                }
                if frame.kind == frame::PING && frame.payload == LAST_PING {
                    answers.finished = true;
                    break;
                }
            }
            answers
        }))
    }

    /// Sends what has been written, and a ping whose answer says that the server has seen it all.
    pub fn finish(&mut self) -> io::Result<()> {
        self.write(frame::PING, 0, 0, &LAST_PING);
        self.send()
    }

    /// Starts GetStream with this metadata; the calls of a connection are numbered from 0.
    pub fn call(&mut self, call: usize, metadata: &[(&str, &str)]) {
        let stream = call as u32 * 2 + 1;
        self.headers(stream, "/Greeter/GetStream", metadata);
        // A request without fields.
        self.message(stream, flag::END_STREAM, &[]);
    }

    /// Lets a call send so many more bytes.
    pub fn consumed(&mut self, call: usize, bytes: u32) {
        self.window_update(call as u32 * 2 + 1, bytes);
    }

    /// The next thing that arrives, answered as it should be. It fails when the server ends a call
    /// or the connection.
    pub fn next(&mut self) -> io::Result<Event<'_>> {
        let (kind, flags, stream, payload) = self.frame()?;
        if kind <= frame::HEADERS && flags & flag::END_STREAM != 0 {
            let why = String::from_utf8_lossy(&self.input[payload]);
            return Err(io::Error::other(format!(
                "the server ended a call: {why:?}"
            )));
        }
        match kind {
            frame::DATA => Ok(Event::Data((stream as usize - 1) / 2, &self.input[payload])),
            frame::RST_STREAM | frame::GOAWAY => {
                let why = format!("{kind}: {:?}", &self.input[payload]);
                Err(io::Error::other(why))
            }
            frame::SETTINGS if flags & flag::ACK == 0 => {
                self.acknowledge_settings();
                Ok(Event::Other)
            }
            frame::PING if flags & flag::ACK == 0 => {
                let echo = self.input[payload].to_vec();
                self.write(frame::PING, flag::ACK, 0, &echo);
                Ok(Event::Other)
            }
            _ => Ok(Event::Other),
        }
    }

    /// Kind, flags, stream and where the payload is.
    fn frame(&mut self) -> io::Result<(u8, u8, u32, Range<usize>)> {
        self.need(frame::HEADER_BYTES)?;
        let header = &self.input[self.done..][..frame::HEADER_BYTES];
        let length = u32::from_be_bytes([0, header[0], header[1], header[2]]) as usize;
        let (kind, flags) = (header[3], header[4]);
        let stream = u32::from_be_bytes([header[5], header[6], header[7], header[8]]);
        self.need(frame::HEADER_BYTES + length)?;
        let payload = self.done + frame::HEADER_BYTES;
        self.done = payload + length;
        Ok((kind, flags, stream, payload..self.done))
    }

    /// Waits until so much is there that has not been looked at.
    fn need(&mut self, bytes: usize) -> io::Result<()> {
        while self.input.len() - self.done < bytes {
            self.send()?;
            self.input.drain(..self.done);
            self.done = 0;
            let old = self.input.len();
            self.input.resize(old + 256 * 1024, 0);
            let read = self.socket.read(&mut self.input[old..]);
            self.input.truncate(old + *read.as_ref().unwrap_or(&0));
            if read? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }
}

/// The headers of a call, compressed as little as HPACK (RFC 7541) allows.
pub fn block(path: &str, metadata: &[(&str, &str)]) -> Vec<u8> {
    // POST and http are known by number; so are the names `:path` and `:authority`.
    let mut block = vec![0x83, 0x86];
    literal(&mut block, Name::Known(4), path);
    literal(&mut block, Name::Known(1), "localhost");
    let grpc = [("content-type", "application/grpc"), ("te", "trailers")];
    block.extend(fields(&grpc));
    block.extend(fields(metadata));
    block
}

/// These headers and no others.
pub fn fields(headers: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in headers {
        literal(&mut block, Name::Text(name), value);
    }
    block
}

enum Name<'a> {
    Known(u8),
    Text(&'a str),
}

/// A literal that is not indexed (section 6.2.2), without Huffman coding.
fn literal(block: &mut Vec<u8>, name: Name<'_>, value: &str) {
    match name {
        Name::Known(number) => block.push(number),
        Name::Text(name) => {
            block.push(0);
            text(block, name);
        }
    }
    text(block, value);
}

/// A string: its length as an integer with a prefix of 7 bits (sections 5.1 and 5.2), its bytes.
fn text(block: &mut Vec<u8>, text: &str) {
    match text.len().checked_sub(127) {
        None => block.push(text.len() as u8),
        Some(mut rest) => {
            block.push(127);
            while rest >= 128 {
                block.push(rest as u8 | 128);
                rest >>= 7;
            }
            block.push(rest as u8);
        }
    }
    block.extend(text.as_bytes());
}
