//! A connection of a client.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::ops::Range;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use grpcio::RpcStatusCode;

use super::{block, code, flag, frame, PREFACE, WINDOW};
use crate::wait::PATIENCE;

/// The payload of the last ping.
const LAST_PING: [u8; 8] = *b"the last";

/// A frame that has arrived.
#[derive(Debug)]
pub struct Frame<'a> {
    /// Its kind, as [`frame`] has it.
    pub kind: u8,
    /// Its flags, as [`flag`] has them.
    pub flags: u8,
    /// The number of its stream; 0 for the connection.
    pub stream: u32,
    /// Its payload.
    pub payload: &'a [u8],
}

/// What a peer has sent.
#[derive(Debug, Default)]
pub struct Answers {
    /// How many frames of each kind there were.
    pub counts: [u64; 10],
    /// The code and the debug data of its GOAWAY, if it sent one.
    pub goodbye: Option<(u32, String)>,
    /// Whether it answered the [last ping](Connection::finish).
    pub finished: bool,
    /// Whether it ended the connection.
    pub ended: bool,
}

impl Answers {
    /// How many frames of this kind there were.
    pub fn of(&self, kind: u8) -> u64 {
        self.counts[usize::from(kind)]
    }

    fn add(&mut self, frame: &Frame<'_>) {
        if let Some(count) = self.counts.get_mut(usize::from(frame.kind)) {
            *count += 1;
        }
        if frame.kind == frame::GOAWAY && frame.payload.len() >= 8 {
            let (code, why) = frame.payload[4..].split_at(4);
            let code = u32::from_be_bytes([code[0], code[1], code[2], code[3]]);
            self.goodbye = Some((code, String::from_utf8_lossy(why).into_owned()));
        }
        self.finished |= frame.kind == frame::PING && frame.payload == LAST_PING;
    }
}

/// What has arrived, for a client that obeys the protocol.
pub enum Event<'a> {
    /// Part of the messages of a call: the number of the call and the bytes.
    Data(usize, &'a [u8]),
    /// Anything else. It has been answered if it needs an answer.
    Other,
}

/// A client's connection. What is written leaves with the next [`send`](Self::send) or read. What
/// arrives waits until it is read. Only [`event`](Self::event) answers it.
pub struct Connection {
    socket: TcpStream,
    /// The received bytes. Those from `done` on have not been processed.
    input: Vec<u8>,
    done: usize,
    /// What is sent before the next wait.
    output: Vec<u8>,
}

impl Connection {
    /// Opens a connection and writes the preface. The window of the connection is as large as can be,
    /// so that only the windows of the calls limit the server.
    ///
    /// # Errors
    ///
    /// When nothing listens there.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let mut connection = Self::silent(address)?;
        connection.output.extend(PREFACE);
        connection.write(frame::SETTINGS, 0, 0, &[]);
        connection.window_update(0, i32::MAX as u32 - WINDOW);
        Ok(connection)
    }

    /// Opens a connection and writes nothing.
    ///
    /// # Errors
    ///
    /// When nothing listens there.
    pub fn silent(address: SocketAddr) -> io::Result<Self> {
        Self::on(TcpStream::connect(address)?)
    }

    /// Waits for a client, reads its preface and writes the settings of a server, which are the
    /// defaults. The rest of this type works the same on the side of a server.
    ///
    /// # Errors
    ///
    /// When the client ends the connection before.
    pub fn accept(listener: &TcpListener) -> io::Result<Self> {
        let mut connection = Self::on(listener.accept()?.0)?;
        connection.write(frame::SETTINGS, 0, 0, &[]);
        connection.need(PREFACE.len())?;
        connection.done += PREFACE.len();
        Ok(connection)
    }

    fn on(socket: TcpStream) -> io::Result<Self> {
        socket.set_nodelay(true)?;
        Ok(Self {
            socket,
            input: Vec::new(),
            done: 0,
            output: Vec::new(),
        })
    }

    /// Writes a frame of any kind, valid or not.
    pub fn write(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        frame::write(&mut self.output, kind, flags, stream, payload);
    }

    /// Writes arbitrary bytes.
    pub fn write_bytes(&mut self, bytes: &[u8]) {
        self.output.extend(bytes);
    }

    /// Writes the headers of a call of `path` on `stream`.
    pub fn headers(&mut self, stream: u32, path: &str, metadata: &[(&str, &str)]) {
        self.header_block(stream, &block(path, metadata));
    }

    /// Writes headers from a block of any length and content, in as many frames as it needs.
    pub fn header_block(&mut self, stream: u32, block: &[u8]) {
        let mut kind = frame::HEADERS;
        let mut parts = block.chunks(frame::MAX_BYTES).peekable();
        while let Some(part) = parts.next() {
            let flags = parts.peek().map_or(flag::END_HEADERS, |_| 0);
            self.write(kind, flags, stream, part);
            kind = frame::CONTINUATION;
        }
    }

    /// Writes an uncompressed gRPC message in one DATA frame.
    pub fn message(&mut self, stream: u32, flags: u8, message: &[u8]) {
        let mut data = vec![0];
        data.extend((message.len() as u32).to_be_bytes());
        data.extend(message);
        self.write(frame::DATA, flags, stream, &data);
    }

    /// Writes that a stream is cancelled.
    pub fn reset(&mut self, stream: u32) {
        let cancel = code::CANCEL.to_be_bytes();
        self.write(frame::RST_STREAM, 0, stream, &cancel);
    }

    /// Writes that the server may send `bytes` more on a stream, or with stream 0 on the connection.
    pub fn window_update(&mut self, stream: u32, bytes: u32) {
        self.write(frame::WINDOW_UPDATE, 0, stream, &bytes.to_be_bytes());
    }

    /// Writes that the server's settings are in force.
    pub fn acknowledge_settings(&mut self) {
        self.write(frame::SETTINGS, flag::ACK, 0, &[]);
    }

    /// Sends what has been written.
    ///
    /// # Errors
    ///
    /// When the connection has ended, or the server does not read within the [limit](Self::limit).
    pub fn send(&mut self) -> io::Result<()> {
        self.socket.write_all(&self.output)?;
        self.output.clear();
        Ok(())
    }

    /// Sets how long a single read or write may take before it fails. There is no limit before.
    ///
    /// # Errors
    ///
    /// When the limit is zero.
    pub fn limit(&self, limit: Duration) -> io::Result<()> {
        self.socket.set_read_timeout(Some(limit))?;
        self.socket.set_write_timeout(Some(limit))
    }

    /// Waits until something has arrived, and does not read it.
    ///
    /// # Errors
    ///
    /// When the connection has failed, or nothing arrives within the [limit](Self::limit).
    pub fn wait(&self) -> io::Result<()> {
        self.socket.peek(&mut [0]).map(drop)
    }

    /// Sends what has been written and reads the next frame. It is not answered.
    ///
    /// # Errors
    ///
    /// When the connection has ended, or nothing arrives within the [limit](Self::limit).
    pub fn read(&mut self) -> io::Result<Frame<'_>> {
        let (kind, flags, stream, payload) = self.frame()?;
        Ok(Frame {
            kind,
            flags,
            stream,
            payload: &self.input[payload],
        })
    }

    /// Reads until `wanted` returns true for a frame. Returns how long that took.
    ///
    /// # Errors
    ///
    /// When the connection ends before, or no such frame arrives within `limit`.
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

    /// Reads the status of the first call that ends, and the headers that have it.
    ///
    /// # Errors
    ///
    /// When the connection ends before, or nothing arrives within the [limit](Self::limit).
    pub fn status(&mut self) -> io::Result<(RpcStatusCode, String)> {
        const NAME: &[u8] = b"grpc-status";
        loop {
            let Frame { kind, payload, .. } = self.read()?;
            let found = payload.windows(NAME.len()).position(|w| w == NAME);
            if let (frame::HEADERS, Some(at)) = (kind, found) {
                // The value is a literal, because the core's table does not have it.
                let value = &payload[at + NAME.len()..];
                let digits = value[1..].iter().take(value[0].into());
                let code = digits.fold(0, |code, digit| code * 10 + i32::from(digit - b'0'));
                return Ok((code.into(), String::from_utf8_lossy(payload).into_owned()));
            }
        }
    }

    /// Counts what arrives from now on until [the last ping](Self::finish) is answered, as
    /// [`count_until`](Self::count_until) does.
    ///
    /// # Errors
    ///
    /// Those of [`count_until`](Self::count_until).
    pub fn count(&self) -> io::Result<JoinHandle<Answers>> {
        self.count_until(|answers| answers.finished)
    }

    /// Counts what arrives from now on, on a thread of its own, until that is `enough`, the connection
    /// ends, or nothing arrives within the [limit](Self::limit). What is written meanwhile must be
    /// [sent](Self::send).
    ///
    /// # Errors
    ///
    /// When the system has no more descriptors.
    pub fn count_until(
        &self,
        enough: impl Fn(&Answers) -> bool + Send + 'static,
    ) -> io::Result<JoinHandle<Answers>> {
        let mut reader = Self {
            socket: self.socket.try_clone()?,
            input: Vec::new(),
            done: 0,
            output: Vec::new(),
        };
        Ok(thread::spawn(move || {
            let mut answers = Answers::default();
            while !enough(&answers) {
                match reader.read() {
                    Ok(frame) => answers.add(&frame),
                    Err(e) => {
                        let late = [io::ErrorKind::WouldBlock, io::ErrorKind::TimedOut];
                        answers.ended = !late.contains(&e.kind());
                        break;
                    }
                }
            }
            answers
        }))
    }

    /// Sends what has been written, and a ping. The answer shows that the server has processed
    /// everything before it.
    ///
    /// # Errors
    ///
    /// Those of [`send`](Self::send).
    pub fn finish(&mut self) -> io::Result<()> {
        self.write(frame::PING, 0, 0, &LAST_PING);
        self.send()
    }

    /// Writes a whole call of `path` whose only request has no fields. The calls of a connection are
    /// numbered from 0.
    pub fn call(&mut self, call: usize, path: &str, metadata: &[(&str, &str)]) {
        let stream = call as u32 * 2 + 1;
        self.headers(stream, path, metadata);
        self.message(stream, flag::END_STREAM, &[]);
    }

    /// Writes that the server may send `bytes` more on a call.
    pub fn consumed(&mut self, call: usize, bytes: u32) {
        self.window_update(call as u32 * 2 + 1, bytes);
    }

    /// Reads the next frame and answers it as the protocol requires.
    ///
    /// # Errors
    ///
    /// When the server ends a call or the connection, or nothing arrives within the
    /// [limit](Self::limit).
    pub fn event(&mut self) -> io::Result<Event<'_>> {
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

    /// Reads a frame: its kind, flags and stream, and where its payload is in the input.
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

    /// Reads until the input has at least this many bytes that have not been processed.
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

/// [Opens](Connection::open) a connection whose [limit](Connection::limit) is [`PATIENCE`]. Panics
/// when nothing listens there.
pub fn connect(address: impl ToSocketAddrs) -> Connection {
    let mut addresses = address.to_socket_addrs().expect("an address");
    let address = addresses.next().expect("an address");
    let connection = Connection::open(address).expect("a server that listens");
    connection.limit(PATIENCE).expect("a limit");
    connection
}
