//! Standard output, for people and for programs.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::time::UNIX_EPOCH;

use futures::{Stream, StreamExt};
use serde_json::json;

use super::failure::Failure;
use super::prompt::Above;
use crate::cli::text;
use crate::client::Received;
use grpcio_streams::escaped;
use topic_log::Name;

/// Writes messages, one per line: unchanged for a program, with escaped control characters on a
/// terminal, or as JSON.
pub(super) struct Output {
    out: BufWriter<Box<dyn Write + Send>>,
    form: Form,
}

enum Form {
    Raw,
    Escaped,
    Json,
}

impl Output {
    pub(super) fn new(json: bool) -> Self {
        let out = io::stdout();
        let form = match (json, out.is_terminal()) {
            (true, _) => Form::Json,
            (false, true) => Form::Escaped,
            (false, false) => Form::Raw,
        };
        Self {
            out: BufWriter::new(Box::new(out)),
            form,
        }
    }

    /// Escapes control characters for programs as well, so that no message looks like several.
    pub(super) fn one_line_each(json: bool) -> Self {
        let mut output = Self::new(json);
        if let Form::Raw = output.form {
            output.form = Form::Escaped;
        }
        output
    }

    /// Writes above a prompt on the same terminal.
    pub(super) fn above(prompt: Above, json: bool) -> Self {
        Self {
            out: BufWriter::new(Box::new(prompt)),
            ..Self::new(json)
        }
    }

    /// Writes a message and flushes it.
    pub(super) fn message(&mut self, data: &str) -> io::Result<()> {
        match self.form {
            Form::Raw => writeln!(self.out, "{data}"),
            Form::Escaped => writeln!(self.out, "{}", escaped(data)),
            Form::Json => writeln!(self.out, "{}", text::json(&json!({ "data": data }))),
        }?;
        self.out.flush()
    }

    /// Writes a message of a topic.
    pub(super) fn received(&mut self, topic: &Name, message: &Received) -> io::Result<()> {
        let Form::Json = self.form else {
            return self.message(&message.data);
        };
        let time = message.time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let object = json!({
            "topic": topic.as_str(),
            "epoch": message.epoch.to_string(),
            "offset": message.offset,
            // The Unix time in seconds, with a precision of 1 ms.
            "time": time.as_millis() as f64 / 1000.0,
            "data": message.data,
        });
        writeln!(self.out, "{}", text::json(&object))?;
        self.out.flush()
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
