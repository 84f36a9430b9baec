//! As much of HTTP/2 (RFC 9113) as a subscriber needs.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

/// A call may be sent so much before it is given more: HTTP/2's default.
pub const WINDOW: u32 = 65_535;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

mod frame {
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const RST_STREAM: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const PING: u8 = 6;
    pub const GOAWAY: u8 = 7;
    pub const WINDOW_UPDATE: u8 = 8;
    pub const HEADER_BYTES: usize = 9;
}

mod flag {
    pub const END_STREAM: u8 = 1;
    pub const ACK: u8 = 1;
    pub const END_HEADERS: u8 = 4;
}

/// What has arrived.
pub enum Event<'a> {
    /// Part of what a call sends.
    Data(usize, &'a [u8]),
    /// What was no call's data; it has been seen to.
    Other,
}

pub struct Connection {
    socket: TcpStream,
    /// What has been received; `input[done..]` has not been looked at.
    input: Vec<u8>,
    done: usize,
    /// What will be sent before the next wait.
    output: Vec<u8>,
}

impl Connection {
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        let mut connection = Self {
            socket,
            input: Vec::new(),
            done: 0,
            output: PREFACE.to_vec(),
        };
        connection.write(frame::SETTINGS, 0, 0, &[]);
        // Only the calls' own windows shall bind.
        let all = i32::MAX as u32 - WINDOW;
        connection.write(frame::WINDOW_UPDATE, 0, 0, &all.to_be_bytes());
        Ok(connection)
    }

    /// Starts GetStream with this metadata; the calls of a connection are numbered from 0.
    pub fn call(&mut self, call: usize, metadata: &[(&str, &str)]) {
        // Literals without Huffman coding (RFC 7541, 6.2.2), after POST and http; `:path` and
        // `:authority` are known by number.
        let mut block = vec![0x83, 0x86];
        let mut literal = |name: &[&str], number, value: &str| {
            block.push(number);
            for text in name.iter().chain([&value]) {
                block.push(text.len() as u8);
                block.extend(text.as_bytes());
            }
        };
        literal(&[], 4, "/Greeter/GetStream");
        literal(&[], 1, "localhost");
        literal(&["content-type"], 0, "application/grpc");
        literal(&["te"], 0, "trailers");
        for (key, value) in metadata {
            literal(&[key], 0, value);
        }
        let stream = call as u32 * 2 + 1;
        self.write(frame::HEADERS, flag::END_HEADERS, stream, &block);
        // A request without fields.
        self.write(frame::DATA, flag::END_STREAM, stream, &[0; 5]);
    }

    /// Lets a call send so many more bytes.
    pub fn consumed(&mut self, call: usize, bytes: u32) {
        let stream = call as u32 * 2 + 1;
        self.write(frame::WINDOW_UPDATE, 0, stream, &bytes.to_be_bytes());
    }

    /// The next thing that arrives. It fails when the server ends a call or the connection.
    pub fn next(&mut self) -> io::Result<Event<'_>> {
        let (kind, flags, stream, payload) = self.frame()?;
        if kind <= frame::HEADERS && flags & flag::END_STREAM != 0 {
            return Err(io::Error::other("the server ended a call"));
        }
        match kind {
            frame::DATA => Ok(Event::Data((stream as usize - 1) / 2, &self.input[payload])),
            frame::RST_STREAM | frame::GOAWAY => {
                let why = format!("{kind}: {:?}", &self.input[payload]);
                Err(io::Error::other(why))
            }
            frame::SETTINGS | frame::PING if flags & flag::ACK == 0 => {
                let echo = match kind {
                    frame::PING => self.input[payload].to_vec(),
                    _ => Vec::new(),
                };
                self.write(kind, flag::ACK, 0, &echo);
                Ok(Event::Other)
            }
            _ => Ok(Event::Other),
        }
    }

    /// Kind, flags, stream and where the payload is.
    fn frame(&mut self) -> io::Result<(u8, u8, u32, std::ops::Range<usize>)> {
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
            self.socket.write_all(&self.output)?;
            self.output.clear();
            self.input.drain(..self.done);
            self.done = 0;
            let old = self.input.len();
            self.input.resize(old + 256 * 1024, 0);
            let read = self.socket.read(&mut self.input[old..])?;
            self.input.truncate(old + read);
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }

    fn write(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = (payload.len() as u32).to_be_bytes();
        self.output.extend(&length[1..]);
        self.output.extend([kind, flags]);
        self.output.extend(stream.to_be_bytes());
        self.output.extend(payload);
    }
}
