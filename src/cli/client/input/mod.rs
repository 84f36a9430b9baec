//! Lines of a file or of standard input as a stream of messages.

mod error;
mod lines;

use std::fs::File;
use std::io::{self, BufReader, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::thread;

use futures::channel::mpsc::{channel, Receiver};
use futures::executor::block_on;
use futures::{stream, SinkExt, Stream, StreamExt, TryStreamExt};

use self::lines::Lines;
pub use error::{InputError, LineError};
pub(super) use lines::{Line, Reading};

/// Lines that are ready are passed on together, up to about this many bytes.
const BATCH_BYTES: usize = 64 * 1024;

/// A source of messages.
pub(super) struct Input {
    /// The file's path, or `standard input`.
    name: String,
    /// The length of a regular file.
    pub(super) bytes: Option<u64>,
    stdin: bool,
    reader: Box<dyn Read + Send>,
}

impl Input {
    pub(super) fn stdin() -> Self {
        Self {
            name: "standard input".to_owned(),
            bytes: None,
            stdin: true,
            reader: Box::new(io::stdin()),
        }
    }

    pub(super) fn open(path: &Path) -> Result<Self, InputError> {
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
            reader: Box::new(file),
            name,
        })
    }

    /// The file's path, or `standard input`.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether the input is a terminal.
    pub(super) fn is_typed(&self) -> bool {
        self.stdin && io::stdin().is_terminal()
    }

    /// The lines. A thread reads them and is only a few batches ahead, so the memory does not depend
    /// on the size of the input. A line that cannot be sent is an error, and the lines after it
    /// follow.
    pub(super) fn lines(
        self,
        reading: Reading,
    ) -> impl Stream<Item = Result<Line, InputError>> + Send {
        let (batches, receiver): (_, Receiver<Batch>) = channel(1);
        thread::spawn(move || self.read(reading, batches));
        receiver.flat_map(stream::iter)
    }

    /// The messages of the [lines](Self::lines).
    pub(super) fn messages(
        self,
        reading: Reading,
    ) -> impl Stream<Item = Result<String, InputError>> + Send {
        self.lines(reading).map_ok(|line| line.message)
    }

    fn read(self, reading: Reading, mut batches: futures::channel::mpsc::Sender<Batch>) {
        let mut reader = BufReader::with_capacity(BATCH_BYTES, self.reader);
        let mut lines = Lines::new(self.name, reading);
        let (mut batch, mut bytes) = (Vec::new(), 0);
        loop {
            let line = lines.next(&mut reader);
            let over = line.is_none();
            if let Some(line) = line {
                bytes += line.as_ref().map_or(0, |line| line.message.len());
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

type Batch = Vec<Result<Line, InputError>>;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::client::form::Form;

    /// The longest text of a message of 4 MiB.
    const MAX_LINE_BYTES: u64 = 4 * 1024 * 1024 - 5;

    const PLAIN: Reading = Reading {
        form: Form::Plain,
        lossy: false,
        limit: MAX_LINE_BYTES,
    };

    fn lines(bytes: Vec<u8>, reading: Reading) -> Vec<Result<Line, InputError>> {
        let input = Input {
            name: "test".to_owned(),
            bytes: None,
            stdin: false,
            reader: Box::new(io::Cursor::new(bytes)),
        };
        block_on(input.lines(reading).collect())
    }

    fn read(bytes: &[u8], reading: Reading) -> Vec<Result<String, String>> {
        let lines = lines(bytes.to_vec(), reading).into_iter();
        let messages = lines.map(|line| line.map(|line| line.message));
        messages
            .map(|message| message.map_err(|e| e.to_string()))
            .collect()
    }

    fn ok(line: &str) -> Result<String, String> {
        Ok(line.to_owned())
    }

    /// Checks that a line is an error whose text begins so.
    fn assert_wrong(line: &Result<String, String>, why: &str) {
        let said = line.as_ref().unwrap_err();
        assert!(said.starts_with(why), "{said}");
    }

    #[test]
    fn a_line_is_what_is_between_line_feeds() {
        assert_eq!(read(b"", PLAIN), []);
        let messages = [ok("a"), ok(""), ok("b\r")];
        assert_eq!(read(b"a\n\nb\r\n", PLAIN), messages);
        assert_eq!(read(b"a\nb", PLAIN), [ok("a"), ok("b")]);
    }

    #[test]
    fn a_bad_line_is_named_and_the_next_lines_follow() {
        let messages = read(b"a\nb\xff\nc\n", PLAIN);
        assert_eq!((&messages[0], &messages[2]), (&ok("a"), &ok("c")));
        assert_wrong(
            &messages[1],
            "line 2 of test is not UTF-8 from its byte 2 on; nothing from this line on was sent",
        );
    }

    #[test]
    fn the_bytes_of_lines_are_those_of_the_input() {
        let bytes = b"a\nb\xff\n\n{}\nlonger than 5\nc";
        let short = Reading { limit: 5, ..PLAIN };
        let read = lines(bytes.to_vec(), short).into_iter().flatten();
        let counted: Vec<_> = read.map(|line| (line.number, line.bytes)).collect();
        assert_eq!(counted, [(1, 2), (3, 4), (4, 3), (6, 15)]);
    }

    #[test]
    fn the_longest_line_fits_and_one_byte_more_does_not() {
        let longest = vec![b'x'; MAX_LINE_BYTES as usize];
        let too_long = [&longest[..], b"x"].concat();
        let twice_too_long = [&longest[..], &longest].concat();
        for long in [too_long, twice_too_long] {
            let messages = read(&[&longest[..], b"\n", &long, b"\nafter\n"].concat(), PLAIN);
            assert_eq!(messages[0].as_ref().map(String::len), Ok(longest.len()));
            assert_wrong(
                &messages[1],
                "line 2 of test is longer than 4194299 bytes, the most that fits a message",
            );
            assert_eq!(messages[2..], [ok("after")]);

            // The same at the end of the input, without a line feed.
            let messages = read(&long, PLAIN);
            assert!(messages.len() == 1 && messages[0].is_err());
        }
    }

    #[test]
    fn a_message_may_have_the_same_length_in_every_form() {
        let json = Reading {
            form: Form::Json,
            ..PLAIN
        };
        let escaped = Reading {
            form: Form::Escaped,
            ..PLAIN
        };
        let longest = MAX_LINE_BYTES as usize;
        let object = |length| format!(r#"{{"data":"{}"}}"#, "\\u0000".repeat(length));
        for (reading, line, one_more) in [
            (json, object(longest), object(longest + 1)),
            (escaped, "\\n".repeat(longest), "x".repeat(longest + 1)),
        ] {
            let messages = read(line.as_bytes(), reading);
            assert_eq!(messages[0].as_ref().map(String::len), Ok(longest));
            let messages = read(one_more.as_bytes(), reading);
            assert_wrong(
                &messages[0],
                "line 1 of test has a message of 4194300 bytes, and the most that fits is 4194299",
            );
        }
        // The other fields of an object have a limit, too.
        let other = format!(r#"{{"other":"{}","data":""}}"#, "x".repeat(7 * longest));
        assert_wrong(
            &read(other.as_bytes(), json)[0],
            "line 1 of test is longer than 25231330 bytes",
        );
    }

    #[test]
    fn what_is_not_utf_8_is_replaced_if_that_is_asked_for() {
        let lossy = Reading {
            lossy: true,
            ..PLAIN
        };
        let read_lossily = lines(b"a\xffb\xe2\x82\n\xff\xfe\nc\n".to_vec(), lossy);
        let replaced: Vec<_> = read_lossily
            .into_iter()
            .map(|line| line.map(|line| (line.message, line.replaced)).unwrap())
            .collect();
        let expected = [("a\u{fffd}b\u{fffd}", 2), ("\u{fffd}\u{fffd}", 2), ("c", 0)];
        assert_eq!(replaced, expected.map(|(text, n)| (text.to_owned(), n)));

        // U+FFFD has three bytes, so the message may become too long.
        let long = vec![0xff; MAX_LINE_BYTES as usize];
        assert_wrong(
            &read(&long, lossy)[0],
            "line 1 of test has a message of 12582897 bytes",
        );
        let json = Reading {
            form: Form::Json,
            ..lossy
        };
        assert_eq!(read(b"{\"data\":\"\xff\"}", json), [ok("\u{fffd}")]);
    }

    #[test]
    fn a_byte_order_mark_is_part_of_a_message_and_not_of_json() {
        let json = Reading {
            form: Form::Json,
            ..PLAIN
        };
        assert_eq!(read("\u{feff}a".as_bytes(), PLAIN), [ok("\u{feff}a")]);
        let object = "\u{feff}{\"data\":\"\u{feff}\"}\n";
        let messages = read((object.to_owned() + object).as_bytes(), json);
        assert_eq!(messages[0], ok("\u{feff}"));
        assert_wrong(
            &messages[1],
            "line 2 of test is not JSON from its byte 1 on",
        );
    }
}
