//! Lines of a file or of standard input as a stream of messages.

use std::error::Error;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::thread;

use futures::channel::mpsc::{channel, Receiver};
use futures::executor::block_on;
use futures::{stream, SinkExt, Stream, StreamExt};

use crate::protocol::message::longest_text;

/// Lines that are ready are passed on together, up to about this many bytes.
const BATCH_BYTES: usize = 64 * 1024;

/// Why the messages to send could not be read. Nothing after the error is sent.
#[derive(Debug)]
#[non_exhaustive]
pub enum InputError {
    /// A file, or standard input, could not be opened or read.
    Io {
        /// The file's path, or `standard input`.
        name: String,
        /// The error of the operating system.
        source: io::Error,
    },
    /// A line is not UTF-8, which a protobuf string must be.
    NotUtf8 {
        /// The file's path, or `standard input`.
        name: String,
        /// The number of the line, from 1.
        line: u64,
        /// How many bytes at the start of the line are UTF-8.
        valid_bytes: usize,
    },
    /// A line is longer than a message may be.
    TooLong {
        /// The file's path, or `standard input`.
        name: String,
        /// The number of the line, from 1.
        line: u64,
        /// The longest line that fits, in bytes.
        limit: u64,
    },
    /// The user typed Ctrl-C.
    Interrupted,
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { name, source } => write!(f, "cannot read {name}: {source}"),
            Self::NotUtf8 {
                name,
                line,
                valid_bytes,
            } => write!(
                f,
                "line {line} of {name} is not UTF-8 from its byte {} on; nothing from this line \
                 on was sent",
                valid_bytes + 1
            ),
            Self::TooLong { name, line, limit } => write!(
                f,
                "line {line} of {name} is longer than {limit} bytes, the most that fits \
                 a message; nothing from this line on was sent; --max-message-bytes allows longer \
                 messages, if the server does as well"
            ),
            Self::Interrupted => f.write_str("interrupted"),
        }
    }
}

impl Error for InputError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// A source of messages.
pub(super) struct Input {
    name: String,
    /// The length of a regular file.
    pub(super) bytes: Option<u64>,
    stdin: bool,
    /// The longest line, in bytes.
    limit: u64,
    reader: Box<dyn Read + Send>,
}

impl Input {
    /// Standard input. A line has to fit a message of `message_bytes` as encoded.
    pub(super) fn stdin(message_bytes: usize) -> Self {
        Self {
            name: "standard input".to_owned(),
            bytes: None,
            stdin: true,
            limit: longest_text(message_bytes) as u64,
            reader: Box::new(io::stdin()),
        }
    }

    /// A file. A line has to fit a message of `message_bytes` as encoded.
    pub(super) fn open(path: &Path, message_bytes: usize) -> Result<Self, InputError> {
        let name = PathBuf::from(path).display().to_string();
        let failed = |source| InputError::Io {
            name: name.clone(),
            source,
        };
        let file = File::open(path).map_err(failed)?;
        let about = file.metadata().map_err(failed)?;
        if about.is_dir() {
            return Err(failed(io::ErrorKind::IsADirectory.into()));
        }
        Ok(Self {
            bytes: about.is_file().then_some(about.len()),
            stdin: false,
            limit: longest_text(message_bytes) as u64,
            reader: Box::new(file),
            name,
        })
    }

    /// Reserves this many bytes of the longest line, for a prefix.
    pub(super) fn with_room(mut self, bytes: usize) -> Self {
        self.limit = self.limit.saturating_sub(bytes as u64);
        self
    }

    /// Whether the input is a terminal.
    pub(super) fn is_typed(&self) -> bool {
        self.stdin && io::stdin().is_terminal()
    }

    /// The lines, without their line feeds. A thread reads them and is only a few batches ahead, so
    /// the memory does not depend on the size of the input.
    pub(super) fn lines(self) -> impl Stream<Item = Result<String, InputError>> + Send {
        let (batches, receiver): (_, Receiver<Batch>) = channel(1);
        thread::spawn(move || self.read(batches));
        receiver.flat_map(stream::iter)
    }

    fn read(self, mut batches: futures::channel::mpsc::Sender<Batch>) {
        let mut reader = BufReader::with_capacity(BATCH_BYTES, self.reader);
        let mut lines = Lines {
            name: self.name,
            number: 0,
            limit: self.limit,
            ended: false,
        };
        let (mut batch, mut bytes) = (Vec::new(), 0);
        loop {
            let line = lines.next(&mut reader);
            let over = !matches!(line, Some(Ok(_)));
            if let Some(line) = line {
                bytes += line.as_ref().map_or(0, String::len);
                batch.push(line);
            }
            // Lines that are ready are sent before the next read, which may wait for the user.
            if over || bytes >= BATCH_BYTES || !reader.buffer().contains(&b'\n') {
                let full = std::mem::take(&mut batch);
                bytes = 0;
                // The receiver is gone when the call has ended.
                if block_on(batches.send(full)).is_err() || over {
                    return;
                }
            }
        }
    }
}

type Batch = Vec<Result<String, InputError>>;

struct Lines {
    name: String,
    /// The number of the line that was read last, from 1.
    number: u64,
    limit: u64,
    /// A terminal could be read again after its end, so the end is remembered.
    ended: bool,
}

impl Lines {
    fn next(&mut self, reader: &mut impl BufRead) -> Option<Result<String, InputError>> {
        if self.ended {
            return None;
        }
        self.number += 1;
        let mut line = Vec::new();
        // One byte more for the line feed, and one more to detect a line that is too long.
        if let Err(source) = reader.take(self.limit + 2).read_until(b'\n', &mut line) {
            return Some(Err(InputError::Io {
                name: self.name.clone(),
                source,
            }));
        }
        if line.is_empty() {
            return None;
        }
        match line.last() {
            Some(b'\n') => drop(line.pop()),
            _ => self.ended = true,
        }
        if line.len() as u64 > self.limit {
            return Some(Err(InputError::TooLong {
                name: self.name.clone(),
                line: self.number,
                limit: self.limit,
            }));
        }
        Some(String::from_utf8(line).map_err(|e| InputError::NotUtf8 {
            name: self.name.clone(),
            line: self.number,
            valid_bytes: e.utf8_error().valid_up_to(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use grpcio_streams::MAX_MESSAGE_BYTES;

    use super::*;

    fn read(bytes: Vec<u8>) -> Vec<Result<String, String>> {
        let input = Input {
            name: "test".to_owned(),
            bytes: None,
            stdin: false,
            limit: longest_text(MAX_MESSAGE_BYTES) as u64,
            reader: Box::new(io::Cursor::new(bytes)),
        };
        let lines = input.lines().map(|line| line.map_err(|e| e.to_string()));
        block_on(lines.collect())
    }

    fn ok(line: &str) -> Result<String, String> {
        Ok(line.to_owned())
    }

    #[test]
    fn a_line_is_what_is_between_line_feeds() {
        assert_eq!(read(b"".to_vec()), []);
        assert_eq!(read(b"a\n\nb\r\n".to_vec()), [ok("a"), ok(""), ok("b\r")]);
        assert_eq!(read(b"a\nb".to_vec()), [ok("a"), ok("b")]);
    }

    #[test]
    fn a_bad_line_is_named_and_is_the_last() {
        let lines = read(b"a\nb\xff\nc\n".to_vec());
        assert_eq!(lines[0], ok("a"));
        let why = lines[1].as_ref().unwrap_err();
        assert!(
            why.starts_with("line 2 of test is not UTF-8 from its byte 2 on"),
            "{why}"
        );
        assert_eq!(lines.len(), 2);
    }

    #[test]
    fn the_longest_line_fits_and_one_byte_more_does_not() {
        let longest = vec![b'x'; longest_text(MAX_MESSAGE_BYTES)];
        let mut lines = [&longest[..], b"\n", &longest, b"x\nafter\n"].concat();
        let read_back = read(lines.clone());
        assert_eq!(read_back[0].as_ref().map(String::len), Ok(longest.len()));
        let why = read_back[1].as_ref().unwrap_err();
        assert!(
            why.starts_with("line 2 of test is longer than 4194299 bytes"),
            "{why}"
        );
        assert_eq!(read_back.len(), 2);

        // The same at the end of the input, without a line feed.
        lines.truncate(longest.len() * 2 + 2);
        assert!(read(lines)[1].is_err());
    }
}
