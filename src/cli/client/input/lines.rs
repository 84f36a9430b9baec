//! Reads one line after the other, and the message in it.

use std::io::{self, BufRead, Read};

use super::error::{InputError, LineError};
use crate::cli::client::form::{Form, BYTE_ORDER_MARK};

/// How lines are read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    /// The form of a line.
    pub(crate) form: Form,
    /// Whether U+FFFD replaces what is not UTF-8.
    pub(crate) lossy: bool,
    /// The longest text that fits a message, in bytes.
    pub(crate) limit: u64,
}

/// A line that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Its number, from 1.
    pub(crate) number: u64,
    /// How many bytes of the input were read since the line before it that was no error.
    pub(crate) bytes: u64,
    /// In how many places U+FFFD has replaced what is not UTF-8.
    pub(crate) replaced: u64,
    /// The message.
    pub(crate) message: String,
}

/// The lines of an input.
pub(super) struct Lines {
    name: String,
    reading: Reading,
    /// The number of the line that was read last, from 1.
    number: u64,
    /// How many bytes were read since the last line that was no error.
    bytes: u64,
    /// Whether the rest of a line that is too long comes next.
    within: bool,
    /// A terminal could be read again after its end, so the end is remembered.
    ended: bool,
}

impl Lines {
    pub(super) fn new(name: String, reading: Reading) -> Self {
        Self {
            name,
            reading,
            number: 0,
            bytes: 0,
            within: false,
            ended: false,
        }
    }

    /// The next line; None at the end, which is also after [`InputError::Io`]. There may be good
    /// lines after [`InputError::Line`].
    pub(super) fn next(&mut self, reader: &mut impl BufRead) -> Option<Result<Line, InputError>> {
        if self.ended {
            return None;
        }
        match self.raw(reader) {
            Ok(None) => None,
            Ok(Some(line)) => {
                Some(
                    line.and_then(|line| self.line(line))
                        .map_err(|why| InputError::Line {
                            name: self.name.clone(),
                            line: self.number,
                            why,
                        }),
                )
            }
            Err(source) => {
                self.ended = true;
                Some(Err(InputError::Io {
                    name: self.name.clone(),
                    source,
                }))
            }
        }
    }

    /// The bytes of the next line, without its line feed.
    fn raw(&mut self, reader: &mut impl BufRead) -> io::Result<Option<Result<Vec<u8>, LineError>>> {
        if std::mem::take(&mut self.within) {
            self.bytes += reader.skip_until(b'\n')? as u64;
        }
        self.number += 1;
        let limit = self.reading.form.longest_line(self.reading.limit);
        let mut line = Vec::new();
        // One byte more for the line feed, and one more to detect a line that is too long.
        let mut start = reader.take(limit.saturating_add(2));
        self.bytes += start.read_until(b'\n', &mut line)? as u64;
        if line.is_empty() {
            return Ok(None);
        }
        let is_whole = line.pop_if(|last| *last == b'\n').is_some();
        if line.len() as u64 > limit {
            self.within = !is_whole;
            return Ok(Some(Err(LineError::TooLong(limit))));
        }
        self.ended = !is_whole;
        Ok(Some(Ok(line)))
    }

    fn line(&mut self, line: Vec<u8>) -> Result<Line, LineError> {
        let Reading { form, lossy, limit } = self.reading;
        let (mut text, replaced) = match String::from_utf8(line) {
            Ok(text) => (text, 0),
            Err(e) if lossy => replace(e.as_bytes()),
            Err(e) => return Err(LineError::NotUtf8(e.utf8_error().valid_up_to())),
        };
        if self.number == 1 && form == Form::Json && text.starts_with(BYTE_ORDER_MARK) {
            // It cannot be part of a message, and RFC 8259, section 8.1, lets a reader ignore it.
            text.remove(0);
        }
        let message = form.decode(text)?;
        if message.len() as u64 > limit {
            return Err(LineError::MessageTooLong {
                bytes: message.len() as u64,
                limit,
            });
        }
        Ok(Line {
            number: self.number,
            bytes: std::mem::take(&mut self.bytes),
            replaced,
            message,
        })
    }
}

/// The text with U+FFFD in each place that is not UTF-8, and the number of these places.
fn replace(bytes: &[u8]) -> (String, u64) {
    let (mut text, mut replaced) = (String::with_capacity(bytes.len()), 0);
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            text.push(char::REPLACEMENT_CHARACTER);
            replaced += 1;
        }
    }
    (text, replaced)
}
