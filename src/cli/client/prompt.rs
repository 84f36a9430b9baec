//! A prompt on the terminal. Lines can be printed above it while the user types.

use std::io::{self, IsTerminal, Write};
use std::thread;

use crossterm::cursor::Show;
use crossterm::event::{self, Event};
use crossterm::{terminal, ExecutableCommand};
use futures::channel::mpsc::{unbounded, UnboundedReceiver, UnboundedSender};
use futures::future::{self, Either};
use futures::{Future, StreamExt};
use grpcio_streams::escaped;

use super::editor::{Editor, Typed};
use super::failure::Failure;
use super::input::InputError;
use super::screen::Screen;

/// How many events are taken before the line is shown again. A paste has one for each character.
const EVENTS_AT_ONCE: usize = 1000;

/// A prompt that reads lines, with editing and the history of this session. Dropping it restores
/// the terminal.
pub(super) struct Prompt {
    text: String,
    editor: Editor,
    screen: Screen,
    events: UnboundedReceiver<io::Result<Event>>,
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
        let (sender, printed) = unbounded();
        let screen = Screen::new(terminal::size().map_err(failed)?);
        terminal::enable_raw_mode().map_err(failed)?;
        let mut prompt = Self {
            text,
            editor: Editor::default(),
            screen,
            events: events(),
            printed,
            above: Above {
                text: Vec::new(),
                printed: sender,
            },
        };
        prompt.show(b"").map_err(failed)?;
        Ok(Some(prompt))
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
        let printed = self.take_printed();
        self.show(&printed)?;
        done
    }

    /// Reads and prints until it is dropped. It continues after the end of the input, because it
    /// still has to print.
    async fn read(&mut self, lines: Lines) -> InputError {
        let mut lines = Some(lines);
        loop {
            let handled = match future::select(self.events.next(), self.printed.next()).await {
                Either::Left((event, _)) => self.handle(event, &mut lines),
                Either::Right((text, _)) => {
                    let text = [text.unwrap_or_default(), self.take_printed()].concat();
                    self.show(&text).map_err(failed)
                }
            };
            if let Err(e) = handled {
                return e;
            }
        }
    }

    /// Handles an event, and those that are ready behind it.
    fn handle(
        &mut self,
        event: Option<io::Result<Event>>,
        lines: &mut Option<Lines>,
    ) -> Result<(), InputError> {
        self.handle_one(event, lines)?;
        for _ in 1..EVENTS_AT_ONCE {
            match self.events.try_recv() {
                Ok(event) => self.handle_one(Some(event), lines)?,
                Err(_) => break,
            }
        }
        self.show(b"").map_err(failed)
    }

    fn handle_one(
        &mut self,
        event: Option<io::Result<Event>>,
        lines: &mut Option<Lines>,
    ) -> Result<(), InputError> {
        let event = event.unwrap_or_else(|| Err(io::ErrorKind::UnexpectedEof.into()));
        let typed = match event.map_err(failed)? {
            Event::Key(key) => self.editor.press(key),
            Event::Resize(columns, rows) => {
                self.screen.resize((columns, rows));
                None
            }
            _ => None,
        };
        match typed {
            None => {}
            Some(Typed::Line(line)) => {
                if let (false, Some(lines)) = (line.is_empty(), lines) {
                    // The receiver is gone when `work` has ended.
                    let _ = lines.unbounded_send(Ok(line));
                }
            }
            Some(Typed::End) => *lines = None,
            Some(Typed::Interrupt) => return Err(InputError::Interrupted),
            Some(Typed::ClearScreen) => {
                self.screen.clear_all(&mut io::stdout()).map_err(failed)?;
            }
        }
        Ok(())
    }

    /// All text that waits to be printed.
    fn take_printed(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        while let Ok(text) = self.printed.try_recv() {
            all.extend(text);
        }
        all
    }

    /// Prints lines, and shows the prompt and the typed line below them. A typed line is not left on
    /// the screen. It appears as a message, in its place among the others.
    fn show(&mut self, lines: &[u8]) -> io::Result<()> {
        let mut drawn = Vec::new();
        if !lines.is_empty() {
            self.screen.clear(&mut drawn)?;
        }
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            drawn.extend(line);
            // A raw terminal goes down without going to the left.
            drawn.push(b'\r');
        }
        let (before, after) = self.editor.parts();
        let before = format!("{}{}", self.text, escaped(before));
        let after = escaped(after).to_string();
        self.screen.show(&before, &after, &mut drawn)?;
        let mut out = io::stdout();
        out.write_all(&drawn)?;
        out.flush()
    }
}

impl Drop for Prompt {
    fn drop(&mut self) {
        // The terminal may be closed.
        let _ = self.screen.clear(&mut io::stdout());
        let _ = io::stdout().flush();
        restore_terminal();
    }
}

/// The events of the terminal, which a thread waits for until the end of the process. The stream of
/// `crossterm` has one event at a time, so a paste would be drawn after each of its characters.
fn events() -> UnboundedReceiver<io::Result<Event>> {
    let (sender, events) = unbounded();
    thread::spawn(move || loop {
        let event = event::read();
        let is_last = event.is_err();
        if sender.unbounded_send(event).is_err() || is_last {
            return;
        }
    });
    events
}

/// Makes the terminal what it was before a prompt was opened. Does nothing without a prompt.
pub(super) fn restore_terminal() {
    // The terminal may be closed.
    if terminal::is_raw_mode_enabled().unwrap_or(false) {
        let _ = terminal::disable_raw_mode();
        let _ = io::stdout().execute(Show);
    }
}

/// Where typed lines are sent.
pub(super) type Lines = UnboundedSender<Result<String, InputError>>;

fn failed(source: io::Error) -> InputError {
    InputError::Io {
        name: "the terminal".to_owned(),
        source,
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
