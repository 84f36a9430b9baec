//! A text with a cursor at the bottom of a terminal, over as many rows as it needs.

use std::io::{self, Write};

use crossterm::cursor::{MoveDown, MoveTo, MoveToColumn, MoveUp};
use crossterm::terminal::{Clear, ClearType};
use crossterm::QueueableCommand;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// The size of a terminal that does not say how large it is.
const USUAL: (u16, u16) = (80, 24);

/// What of a text is on the screen. All of it is written below what was there before.
#[derive(Debug, Default)]
pub(super) struct Screen {
    columns: usize,
    rows: usize,
    /// The text that is shown and the cursor's offset in it.
    shown: (String, usize),
}

impl Screen {
    /// A terminal of this size on which nothing is shown.
    pub(super) fn new(size: (u16, u16)) -> Self {
        let mut screen = Self::default();
        screen.resize(size);
        screen
    }

    /// Sets the number of columns and rows. A terminal of 0 columns or rows does not know its size.
    pub(super) fn resize(&mut self, (columns, rows): (u16, u16)) {
        let known = |n: u16, usual: u16| usize::from(if n == 0 { usual } else { n });
        self.columns = known(columns, USUAL.0);
        self.rows = known(rows, USUAL.1);
    }

    /// Removes the text from the screen. The cursor is where the text began.
    pub(super) fn clear(&mut self, out: &mut impl Write) -> io::Result<()> {
        let rows = row_starts(&self.shown.0, self.columns).len();
        self.go_to_begin(out)?;
        // Row by row: tmux keeps what is cleared at once from the top of the screen on.
        out.queue(Clear(ClearType::CurrentLine))?;
        for _ in 1..rows {
            out.queue(MoveDown(1))?
                .queue(Clear(ClearType::CurrentLine))?;
        }
        up(out, rows - 1)
    }

    fn go_to_begin(&mut self, out: &mut impl Write) -> io::Result<()> {
        let (text, cursor) = std::mem::take(&mut self.shown);
        let (row, _) = place(&text, &row_starts(&text, self.columns), cursor);
        out.queue(MoveToColumn(0))?;
        up(out, row)
    }

    /// Clears the whole screen.
    pub(super) fn clear_all(&mut self, out: &mut impl Write) -> io::Result<()> {
        self.shown = Default::default();
        out.queue(Clear(ClearType::All))?.queue(MoveTo(0, 0))?;
        Ok(())
    }

    /// Shows `before`, the cursor, and `after`. If the screen has not enough rows it shows those around
    /// the cursor.
    pub(super) fn show(
        &mut self,
        before: &str,
        after: &str,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let text = format!("{before}{after}");
        let starts = row_starts(&text, self.columns);
        let (row, column) = place(&text, &starts, before.len());
        // One row is kept for the cursor behind a full row.
        let room = self.rows.saturating_sub(1).max(1);
        let first = row.min(starts.len().saturating_sub(room));
        let last = starts.len().min(first + room) - 1;
        let start_of = |row: usize| starts.get(row).copied().unwrap_or(text.len());

        // The text replaces the one before it, so that nothing flickers.
        self.go_to_begin(out)?;
        let mut below = last;
        for n in first..=last {
            let end = start_of(n + 1);
            let shown = &text[start_of(n)..end];
            write!(out, "{shown}")?;
            if shown.width() < self.columns {
                out.queue(Clear(ClearType::UntilNewLine))?;
            } else if n == last || end == text.len() {
                // Terminals go to the next row only before the next character.
                write!(out, "\r\n")?;
                below = last.max(n + 1);
            }
        }
        out.queue(Clear(ClearType::FromCursorDown))?;
        up(out, below - row)?;
        out.queue(MoveToColumn(u16::try_from(column).unwrap_or(u16::MAX)))?;
        let (begin, end) = (start_of(first), start_of(last + 1));
        self.shown = (text[begin..end].to_owned(), before.len() - begin);
        Ok(())
    }
}

fn up(out: &mut impl Write, rows: usize) -> io::Result<()> {
    match u16::try_from(rows).unwrap_or(u16::MAX) {
        // Terminals take 0 for 1.
        0 => {}
        rows => {
            out.queue(MoveUp(rows))?;
        }
    }
    Ok(())
}

/// The offsets at which the rows of a text begin. A row that is full is followed by another.
fn row_starts(text: &str, columns: usize) -> Vec<usize> {
    let mut starts = vec![0];
    let mut column = 0;
    for (at, character) in text.grapheme_indices(true) {
        let width = character.width().min(columns);
        if column + width > columns {
            starts.push(at);
            column = 0;
        }
        column += width;
    }
    if column == columns {
        starts.push(text.len());
    }
    starts
}

/// The row and the column of an offset in a text, counted from 0.
fn place(text: &str, row_starts: &[usize], offset: usize) -> (usize, usize) {
    let rows = row_starts.partition_point(|start| *start <= offset);
    // The first row begins at 0.
    let row = rows.saturating_sub(1);
    (row, text[row_starts[row]..offset].width())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_as_wide_as_the_terminal() {
        for (text, columns, starts) in [
            ("", 3, &[0][..]),
            ("ab", 3, &[0]),
            ("abc", 3, &[0, 3]),
            ("abcd", 3, &[0, 3]),
            // A wide character that does not fit begins the next row.
            ("ab股", 3, &[0, 2]),
            ("股股", 3, &[0, 3]),
            // A terminal that is narrower than a character.
            ("股a", 1, &[0, 3, 4]),
            ("abc", 1, &[0, 1, 2, 3]),
            ("e\u{301}x", 1, &[0, 3, 4]),
        ] {
            assert_eq!(row_starts(text, columns), starts, "{text} {columns}");
        }
        for (text, offset, at) in [
            ("abcd", 3, (1, 0)),
            ("abc", 3, (1, 0)),
            ("ab股c", 2, (1, 0)),
            ("ab股c", 5, (1, 2)),
        ] {
            assert_eq!(place(text, &row_starts(text, 3), offset), at, "{text}");
        }
    }

    #[test]
    fn every_size_shows_the_cursor() {
        let text = "ann> half a 股票 line e\u{301}\u{200b}";
        for columns in (0..=8).chain([80, u16::MAX]) {
            for rows in (0..=3).chain([24, u16::MAX]) {
                let mut screen = Screen::new((columns, rows));
                let ends = text.grapheme_indices(true).map(|(at, _)| at);
                for cursor in ends.chain([text.len()]) {
                    let (before, after) = text.split_at(cursor);
                    screen.show(before, after, &mut Vec::new()).expect("shown");
                    let (shown, at) = &screen.shown;
                    let is_complete = shown == text && *at == cursor;
                    assert!(is_complete || columns < 80, "{columns}x{rows}");
                    assert!(before.ends_with(&shown[..*at]) && after.starts_with(&shown[*at..]));
                    screen.resize((columns / 2, rows / 2));
                    screen.clear(&mut Vec::new()).expect("cleared");
                    screen.resize((columns, rows));
                }
            }
        }
    }
}
