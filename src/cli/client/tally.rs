//! Counts what `put` changed or left out of its input.

use std::fmt;

use futures::{future, Stream, StreamExt};

use super::console::Console;
use super::failure::Failure;
use super::input::{InputError, Line, LineError};

/// How many lines a report names.
const NAMED: usize = 10;

/// Lines, of which the first are known by their numbers.
#[derive(Default)]
struct Numbers {
    count: u64,
    first: Vec<u64>,
}

impl Numbers {
    fn add(&mut self, line: u64) {
        self.count += 1;
        if self.first.len() < NAMED {
            self.first.push(line);
        }
    }
}

impl fmt::Display for Numbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first: Vec<_> = self.first.iter().map(u64::to_string).collect();
        f.write_str(&first.join(", "))?;
        match self.count - first.len() as u64 {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// A number of things, in words.
pub(super) fn counted(count: u64, thing: &str) -> String {
    match count {
        1 => format!("1 {thing}"),
        _ => format!("{count} {thing}s"),
    }
}

/// The lines in which U+FFFD has replaced what is not UTF-8.
#[derive(Default)]
pub(super) struct Replaced {
    lines: Numbers,
    places: u64,
}

impl Replaced {
    pub(super) fn count(&mut self, line: &Line) {
        if line.replaced > 0 {
            self.lines.add(line.number);
            self.places += line.replaced;
        }
    }

    /// Says what was replaced in the input of this name, if anything was.
    pub(super) fn report(&self, input: &str, console: &Console) {
        if self.places > 0 {
            console.say(&format!(
                "replaced what is not UTF-8 by U+FFFD at {}, in {} of {input}: {}",
                counted(self.places, "place"),
                counted(self.lines.count, "line"),
                self.lines
            ));
        }
    }
}

/// The lines that were left out.
#[derive(Default)]
pub(super) struct Skipped {
    lines: Numbers,
    /// What is wrong with the first of them.
    first: Option<LineError>,
}

impl Skipped {
    fn add(&mut self, line: u64, why: LineError) {
        self.lines.add(line);
        self.first.get_or_insert(why);
    }

    /// Says what was left out of the input of this name, if anything was.
    pub(super) fn report(&self, input: &str, console: &Console) {
        if let Some(why) = &self.first {
            console.say(&format!(
                "left out {} of {input}: {}; the first of them {why}",
                counted(self.lines.count, "line"),
                self.lines
            ));
        }
    }
}

/// The lines that can be sent. The first error ends them, unless the lines with errors are to be
/// `skipped`.
pub(super) fn sendable<'a, T: 'a>(
    lines: impl Stream<Item = Result<T, InputError>> + 'a,
    mut skipped: Option<&'a mut Skipped>,
) -> impl Stream<Item = Result<T, Failure>> + 'a {
    lines.filter_map(move |line| {
        future::ready(match (line, &mut skipped) {
            (Err(InputError::Line { line, why, .. }), Some(skipped)) => {
                skipped.add(line, why);
                None
            }
            (line, _) => Some(line.map_err(Failure::from)),
        })
    })
}
