//! Standard output, for people and for programs.

use std::io::{self, BufWriter, IsTerminal, Stdout, Write};

use futures::{Stream, StreamExt};
use serde_json::json;

use super::Failure;
use crate::text::escaped;

/// At most this many messages are written together.
const BATCH: usize = 256;

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

    /// Writes a message; it is on its way once flushed.
    pub(super) fn message(&mut self, data: &str) -> io::Result<()> {
        match self.form {
            Form::Raw => writeln!(self.out, "{data}"),
            Form::Escaped => writeln!(self.out, "{}", escaped(data)),
            Form::Json => writeln!(self.out, "{}", json!({ "data": data })),
        }
    }

    /// Writes messages as they arrive, those that arrived together together.
    pub(super) async fn print<E: Into<Failure>>(
        mut self,
        messages: impl Stream<Item = Result<String, E>> + Unpin,
    ) -> Result<(), Failure> {
        let mut batches = messages.ready_chunks(BATCH);
        while let Some(batch) = batches.next().await {
            let written: Result<(), Failure> = batch.into_iter().try_for_each(|message| {
                let message = message.map_err(E::into)?;
                Ok(self.message(&message)?)
            });
            // What came before a failure was received.
            self.flush()?;
            written?;
        }
        Ok(())
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
