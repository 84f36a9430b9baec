//! A line that is typed, and the lines typed before it.

use std::collections::VecDeque;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use unicode_segmentation::UnicodeSegmentation;

/// How many lines are remembered.
const REMEMBERED: usize = 1000;

/// A line that is typed.
#[derive(Debug, Default)]
pub(super) struct Editor {
    line: String,
    /// Where the next character goes: an offset in `line`, in bytes, between two characters as
    /// people see them.
    cursor: usize,
    /// The lines typed before, the oldest first.
    history: VecDeque<String>,
    /// The line of `history` that is shown, and what was typed before it was called up.
    recalled: Option<(usize, String)>,
}

/// What a key means beyond editing.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Typed {
    /// A line was completed.
    Line(String),
    /// Ctrl-D on an empty line.
    End,
    /// Ctrl-C.
    Interrupt,
    /// Ctrl-L.
    ClearScreen,
}

impl Editor {
    /// The text before the cursor and the text from there on.
    pub(super) fn parts(&self) -> (&str, &str) {
        self.line.split_at(self.cursor)
    }

    /// Presses a key. Keys that have no meaning do nothing.
    pub(super) fn press(&mut self, key: KeyEvent) -> Option<Typed> {
        if key.kind == KeyEventKind::Release {
            return None;
        }
        let is_control = key.modifiers == KeyModifiers::CONTROL;
        match key.code {
            KeyCode::Char(c) if is_control => return self.press_control(c),
            KeyCode::Char(c) => self.insert(c),
            KeyCode::Tab => self.insert('\t'),
            KeyCode::Enter => return Some(Typed::Line(self.complete())),
            KeyCode::Backspace => self.remove(self.left(), self.cursor),
            KeyCode::Delete => self.remove(self.cursor, self.right()),
            KeyCode::Left if is_control => self.cursor = self.word_left(),
            KeyCode::Right if is_control => self.cursor = self.word_right(),
            KeyCode::Left => self.cursor = self.left(),
            KeyCode::Right => self.cursor = self.right(),
            KeyCode::Home => self.cursor = 0,
            KeyCode::End => self.cursor = self.line.len(),
            KeyCode::Up => self.recall_older(),
            KeyCode::Down => self.recall_newer(),
            _ => {}
        }
        None
    }

    fn press_control(&mut self, c: char) -> Option<Typed> {
        match c {
            'c' => return Some(Typed::Interrupt),
            'd' if self.line.is_empty() => return Some(Typed::End),
            'd' => self.remove(self.cursor, self.right()),
            // A line feed, which some terminals send for the end of a pasted line.
            'j' => return Some(Typed::Line(self.complete())),
            'l' => return Some(Typed::ClearScreen),
            'a' => self.cursor = 0,
            'e' => self.cursor = self.line.len(),
            'b' => self.cursor = self.left(),
            'f' => self.cursor = self.right(),
            'h' => self.remove(self.left(), self.cursor),
            'k' => self.line.truncate(self.cursor),
            'u' => self.remove(0, self.cursor),
            'w' => self.remove(self.word_left(), self.cursor),
            'p' => self.recall_older(),
            'n' => self.recall_newer(),
            _ => {}
        }
        None
    }

    fn insert(&mut self, c: char) {
        self.line.insert(self.cursor, c);
        self.cursor += c.len_utf8();
    }

    fn remove(&mut self, from: usize, to: usize) {
        self.line.drain(from..to);
        self.cursor = from;
    }

    fn complete(&mut self) -> String {
        let line = std::mem::take(&mut self.line);
        self.cursor = 0;
        self.recalled = None;
        if !line.is_empty() && self.history.back() != Some(&line) {
            self.history.push_back(line.clone());
            if self.history.len() > REMEMBERED {
                self.history.pop_front();
            }
        }
        line
    }

    fn recall_older(&mut self) {
        let (older, typed) = match self.recalled.take() {
            None => (self.history.len().checked_sub(1), self.line.clone()),
            Some((n, typed)) => (Some(n.saturating_sub(1)), typed),
        };
        if let Some(n) = older {
            self.recalled = Some((n, typed));
            self.show(self.history[n].clone());
        }
    }

    fn recall_newer(&mut self) {
        match self.recalled.take() {
            None => {}
            Some((n, typed)) => match self.history.get(n + 1).cloned() {
                Some(newer) => {
                    self.recalled = Some((n + 1, typed));
                    self.show(newer);
                }
                None => self.show(typed),
            },
        }
    }

    fn show(&mut self, line: String) {
        self.cursor = line.len();
        self.line = line;
    }

    fn left(&self) -> usize {
        let mut before = self.parts().0.grapheme_indices(true);
        before.next_back().map_or(0, |(at, _)| at)
    }

    fn right(&self) -> usize {
        let next = self.parts().1.graphemes(true).next();
        self.cursor + next.map_or(0, str::len)
    }

    /// The begin of the word before the cursor.
    fn word_left(&self) -> usize {
        let before = self.parts().0.trim_end();
        let mut spaces = before
            .char_indices()
            .rev()
            .filter(|(_, c)| c.is_whitespace());
        spaces.next().map_or(0, |(at, c)| at + c.len_utf8())
    }

    /// The end of the word after the cursor.
    fn word_right(&self) -> usize {
        let after = self.parts().1;
        let word = after.trim_start();
        let end = word.find(char::is_whitespace).unwrap_or(word.len());
        self.cursor + after.len() - word.len() + end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(code: KeyCode) -> KeyEvent {
        KeyEvent::new(code, KeyModifiers::NONE)
    }

    fn control(c: char) -> KeyEvent {
        KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL)
    }

    fn type_text(editor: &mut Editor, text: &str) {
        for c in text.chars() {
            assert_eq!(editor.press(key(KeyCode::Char(c))), None);
        }
    }

    #[test]
    fn keys_edit_characters_as_people_see_them() {
        let mut editor = Editor::default();
        type_text(&mut editor, "股票 e\u{301}x");
        assert_eq!(editor.press(key(KeyCode::Left)), None);
        assert_eq!(editor.press(key(KeyCode::Backspace)), None);
        assert_eq!(editor.parts(), ("股票 ", "x"));
        assert_eq!(editor.press(control('w')), None);
        assert_eq!(editor.parts(), ("", "x"));
        type_text(&mut editor, "ä b ");
        assert_eq!(editor.press(control('w')), None);
        assert_eq!(editor.parts(), ("ä ", "x"));
        let word = KeyEvent::new(KeyCode::Left, KeyModifiers::CONTROL);
        assert_eq!(editor.press(word), None);
        assert_eq!(editor.parts(), ("", "ä x"));
        let word = KeyEvent::new(KeyCode::Right, KeyModifiers::CONTROL);
        assert_eq!(editor.press(word), None);
        assert_eq!(editor.parts(), ("ä", " x"));
        assert_eq!(editor.press(key(KeyCode::Delete)), None);
        assert_eq!(editor.press(control('d')), None);
        assert_eq!(editor.parts(), ("ä", ""));
        for at_an_end in [key(KeyCode::Right), key(KeyCode::Delete), control('d')] {
            assert_eq!(editor.press(at_an_end), None);
            assert_eq!(editor.parts(), ("ä", ""));
        }
        assert_eq!(editor.press(control('u')), None);
        for at_an_end in [key(KeyCode::Left), key(KeyCode::Backspace), control('w')] {
            assert_eq!(editor.press(at_an_end), None);
            assert_eq!(editor.parts(), ("", ""));
        }
        assert_eq!(editor.press(control('d')), Some(Typed::End));
        assert_eq!(editor.press(control('c')), Some(Typed::Interrupt));
    }

    #[test]
    fn lines_before_are_recalled_and_what_was_typed_comes_back() {
        let mut editor = Editor::default();
        assert_eq!(editor.press(key(KeyCode::Up)), None);
        for line in ["a", "b", "b", ""] {
            type_text(&mut editor, line);
            let completed = editor.press(key(KeyCode::Enter));
            assert_eq!(completed, Some(Typed::Line(line.to_owned())));
        }
        type_text(&mut editor, "half");
        for (code, shown) in [
            (KeyCode::Up, "b"),
            (KeyCode::Up, "a"),
            (KeyCode::Up, "a"),
            (KeyCode::Down, "b"),
            (KeyCode::Down, "half"),
            (KeyCode::Down, "half"),
        ] {
            assert_eq!(editor.press(key(code)), None);
            assert_eq!(editor.parts(), (shown, ""));
        }
    }
}
