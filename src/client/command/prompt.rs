//! A prompt on the terminal, above which lines may be printed while one is typed.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use futures::channel::mpsc::{channel, Receiver, Sender};
use futures::executor::block_on;
use futures::{SinkExt, Stream};
use rustix::termios::{tcgetattr, tcsetattr, OptionalActions, Termios};
use rustyline::config::{BellStyle, Config};
use rustyline::error::ReadlineError;
use rustyline::history::MemHistory;
use rustyline::{Editor, ExternalPrinter};

use super::input::InputError;

/// Reads lines from the terminal, with editing and the history of this session.
pub(super) struct Prompt {
    editor: Editor<(), MemHistory>,
    text: String,
    above: Above,
}

/// Prints above the prompt what is written between two flushes, which should be whole lines.
#[derive(Clone)]
pub(super) struct Above {
    printer: Arc<Mutex<dyn ExternalPrinter + Send>>,
    text: Vec<u8>,
}

/// Leaves the terminal as it was found when it is dropped.
pub(super) struct Terminal {
    found: Termios,
    typing: Arc<AtomicBool>,
}

impl Prompt {
    /// None where input and output are not both a terminal, or one that can do nothing but print.
    pub(super) fn open(text: String) -> Option<Self> {
        if !(io::stdin().is_terminal() && io::stdout().is_terminal()) {
            return None;
        }
        let config = Config::builder()
            .auto_add_history(true)
            .bell_style(BellStyle::None)
            // It would stay switched on when the program ends while a line is typed.
            .bracketed_paste(false)
            .build();
        let history = MemHistory::with_config(&config);
        let mut editor = Editor::with_history(config, history).ok()?;
        let printer = editor.create_external_printer().ok()?;
        Some(Self {
            editor,
            text,
            above: Above {
                printer: Arc::new(Mutex::new(printer)),
                text: Vec::new(),
            },
        })
    }

    /// Where to print while lines are typed.
    pub(super) fn above(&self) -> Above {
        self.above.clone()
    }

    /// The lines as they are typed, read by a thread of their own. The guard must live until
    /// nothing more is printed.
    pub(super) fn lines(
        self,
    ) -> io::Result<(
        Terminal,
        impl Stream<Item = Result<String, InputError>> + Send,
    )> {
        let typing = Arc::new(AtomicBool::new(false));
        let terminal = Terminal {
            found: tcgetattr(io::stdin())?,
            typing: typing.clone(),
        };
        let (lines, receiver): (_, Receiver<_>) = channel(0);
        thread::spawn(move || self.read(lines, &typing));
        Ok((terminal, receiver))
    }

    fn read(mut self, mut lines: Sender<Result<String, InputError>>, typing: &AtomicBool) {
        loop {
            typing.store(true, Ordering::SeqCst);
            let line = self.editor.readline(&self.text);
            typing.store(false, Ordering::SeqCst);
            let line = match line {
                Ok(line) => Ok(line),
                Err(ReadlineError::Eof) => return,
                Err(ReadlineError::Interrupted) => Err(InputError::Interrupted),
                Err(e) => Err(InputError::Io {
                    name: "the terminal".to_owned(),
                    source: match e {
                        ReadlineError::Io(e) => e,
                        e => io::Error::other(e),
                    },
                }),
            };
            let over = line.is_err();
            // The conversation is over when nobody takes it.
            if block_on(lines.send(line)).is_err() || over {
                return;
            }
        }
    }
}

impl Write for Above {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.text.extend(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let text = String::from_utf8_lossy(&self.text).into_owned();
        self.text.clear();
        let mut printer = self.printer.lock().unwrap_or_else(PoisonError::into_inner);
        printer.print(text).map_err(io::Error::other)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if self.typing.load(Ordering::SeqCst) {
            // The thread that reads is left behind, and with it the half-typed line.
            let _ = tcsetattr(io::stdin(), OptionalActions::Drain, &self.found);
            let _ = writeln!(io::stdout());
        }
    }
}
