//! Standard output, for people and for programs.

use std::io::{self, BufWriter, IsTerminal, Stdout, Write};

use futures::{Stream, StreamExt};
use serde_json::json;

use super::Failure;
use crate::text::escaped;

/// Messages, one a line: as they are for a program, with control characters escaped on a
/// terminal, or as JSON.
pub(super) struct Output {
    out: BufWriter<Stdout>,
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
            out: BufWriter::new(out),
            form,
        }
    }

    /// Writes a message, and does not keep any of it back.
    pub(super) fn message(&mut self, data: &str) -> io::Result<()> {
        match self.form {
            Form::Raw => writeln!(self.out, "{data}"),
            Form::Escaped => writeln!(self.out, "{}", escaped(data)),
            Form::Json => writeln!(self.out, "{}", json!({ "data": data })),
        }?;
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
