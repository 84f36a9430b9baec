//! A prompt on the terminal. Lines can be printed above it while the user types.

use std::io::{self, IsTerminal, Write};

use futures::channel::mpsc::{unbounded, UnboundedReceiver, UnboundedSender};
use futures::future::{self, Either};
use futures::{Future, StreamExt};
use rustyline_async::{Readline, ReadlineError, ReadlineEvent, SharedWriter};

use super::failure::Failure;
use super::input::InputError;

/// A prompt that reads lines, with editing and the history of this session. Dropping it restores
/// the terminal.
pub(super) struct Prompt {
    readline: Readline,
    writer: SharedWriter,
    /// The text to print above the prompt.
    printed: UnboundedReceiver<Vec<u8>>,
    above: Above,
}

/// A writer that prints above the prompt. The text between two flushes should be complete lines.
#[derive(Clone)]
pub(super) struct Above {
    text: Vec<u8>,
    printed: UnboundedSender<Vec<u8>>,
}

impl Prompt {
    /// Opens a prompt. Returns None unless both standard input and standard output are terminals.
    pub(super) fn open(text: String) -> Result<Option<Self>, InputError> {
        if !(io::stdin().is_terminal() && io::stdout().is_terminal()) {
            return Ok(None);
        }
        let (mut readline, writer) = Readline::new(text).map_err(failed)?;
        // A typed line is not left on the screen. It appears as a message, in its place among the
        // others.
        readline.should_print_line_on(false, false);
        let (sender, printed) = unbounded();
        Ok(Some(Self {
            readline,
            writer,
            printed,
            above: Above {
                text: Vec::new(),
                printed: sender,
            },
        }))
    }

    /// A writer that prints while lines are typed.
    pub(super) fn above(&self) -> Above {
        self.above.clone()
    }

    /// Runs `work` while the user types. The typed lines go to `lines`.
    pub(super) async fn during<W>(mut self, work: W, lines: Lines) -> Result<(), Failure>
    where
        W: Future<Output = Result<(), Failure>>,
    {
        let done = {
            let typing = self.read(lines);
            futures::pin_mut!(work, typing);
            match future::select(work, typing).await {
                Either::Left((done, _)) => done,
                Either::Right((failed, _)) => Err(failed.into()),
            }
        };
        while let Ok(text) = self.printed.try_recv() {
            self.writer.write_all(&text)?;
            self.readline.flush().map_err(failed)?;
        }
        self.readline.flush().map_err(failed)?;
        done
    }

    /// Reads and prints until it is dropped. It continues after the end of the input, because it
    /// still has to print.
    async fn read(&mut self, lines: Lines) -> InputError {
        let mut lines = Some(lines);
        loop {
            let event = {
                // This is polled first, so that printed text does not fill the writer's buffer.
                let reading = self.readline.readline();
                futures::pin_mut!(reading);
                match future::select(reading, self.printed.next()).await {
                    Either::Left((event, _)) => event,
                    Either::Right((text, _)) => {
                        if let Err(source) = self.writer.write_all(&text.unwrap_or_default()) {
                            return failed(source.into());
                        }
                        continue;
                    }
                }
            };
            match event {
                Ok(ReadlineEvent::Line(line)) if line.is_empty() => {}
                Ok(ReadlineEvent::Line(line)) => {
                    self.readline.add_history_entry(line.clone());
                    if let Some(lines) = &lines {
                        // The receiver is gone when `work` has ended.
                        let _ = lines.unbounded_send(Ok(line));
                    }
                }
                Ok(ReadlineEvent::Eof) => lines = None,
                Ok(ReadlineEvent::Interrupted) => return InputError::Interrupted,
                Err(e) => return failed(e),
            }
        }
    }
}

/// Where typed lines are sent.
pub(super) type Lines = UnboundedSender<Result<String, InputError>>;

fn failed(error: ReadlineError) -> InputError {
    InputError::Io {
        name: "the terminal".to_owned(),
        source: match error {
            ReadlineError::IO(e) => e,
            e => io::Error::other(e),
        },
    }
}

impl Write for Above {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.text.extend(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let text = std::mem::take(&mut self.text);
        // The receiver exists as long as the prompt.
        let _ = self.printed.unbounded_send(text);
        Ok(())
    }
}
