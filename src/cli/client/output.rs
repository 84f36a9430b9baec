//! Standard output, for people and for programs.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::time::UNIX_EPOCH;

use futures::{Stream, StreamExt};
use serde_json::{json, Value};

use super::console::Console;
use super::failure::Failure;
use super::form::{escape, Form};
use super::prompt::Above;
use crate::cli::text;
use crate::client::Received;
use grpcio_streams::escaped;
use topic_log::Name;

/// Writes messages in their form, one per line. Control characters are escaped on a terminal.
pub(super) struct Output {
    out: BufWriter<Box<dyn Write + Send>>,
    form: Form,
    /// Whether control characters are escaped, so that they change nothing on a terminal.
    escapes: bool,
    /// Where to tell that a message is more than one line.
    warn: Option<Console>,
}

impl Output {
    pub(super) fn new(form: Form) -> Self {
        let out = io::stdout();
        Self {
            form,
            escapes: out.is_terminal(),
            out: BufWriter::new(Box::new(out)),
            warn: None,
        }
    }

    /// Escapes control characters for programs as well, so that no message looks like several.
    pub(super) fn one_line_each(mut self) -> Self {
        self.escapes |= self.form == Form::Plain;
        self
    }

    /// Writes above a prompt on the same terminal.
    pub(super) fn above(prompt: Above, form: Form) -> Self {
        Self {
            out: BufWriter::new(Box::new(prompt)),
            ..Self::new(form)
        }
    }

    /// Warns once when a message becomes more than one line of a file or a pipe.
    pub(super) fn warning_on(mut self, console: &Console) -> Self {
        let may_be_more = self.form == Form::Plain && !self.escapes;
        self.warn = may_be_more.then(|| console.clone());
        self
    }

    /// Writes a message and flushes it.
    pub(super) fn message(&mut self, data: &str) -> io::Result<()> {
        let object = || json!({ "data": data });
        self.write(data, object, || "a message".to_owned())
    }

    /// Writes a message of a topic.
    pub(super) fn received(&mut self, topic: &Name, message: &Received) -> io::Result<()> {
        let time = message.time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let object = || {
            json!({
                "topic": topic.as_str(),
                "epoch": message.epoch.to_string(),
                "offset": message.offset,
                // The Unix time in seconds, with a precision of 1 ms.
                "time": time.as_millis() as f64 / 1000.0,
                "data": message.data,
            })
        };
        let what = || format!("the message at offset {} of topic {topic}", message.offset);
        self.write(&message.data, object, what)
    }

    /// Writes a line. `object` is the message in JSON, and `what` names it to people.
    fn write(
        &mut self,
        data: &str,
        object: impl FnOnce() -> Value,
        what: impl FnOnce() -> String,
    ) -> io::Result<()> {
        let line = match self.form {
            Form::Plain => data.into(),
            Form::Escaped => escape(data),
            Form::Json => text::json(&object()).into(),
        };
        if self.escapes {
            writeln!(self.out, "{}", escaped(&line))?;
        } else {
            writeln!(self.out, "{line}")?;
        }
        self.out.flush()?;
        if let Some(console) = self.warn.take_if(|_| data.contains('\n')) {
            console.say(&format!(
                "{} has a line feed, so it is more than one line here; --escape or --json makes \
                 every message one line, which `put` reads back with the same flag",
                what()
            ));
        }
        Ok(())
    }

    /// Writes messages as they arrive.
    pub(super) async fn print<E: Into<Failure>>(
        mut self,
        mut messages: impl Stream<Item = Result<String, E>> + Unpin,
    ) -> Result<(), Failure> {
        while let Some(message) = messages.next().await {
            self.message(&message.map_err(E::into)?)?;
        }
        Ok(())
    }
}
