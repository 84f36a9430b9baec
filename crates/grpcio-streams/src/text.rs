//! Makes text from a peer safe to show.

use std::fmt::{self, Display, Write};

/// Shows `text` with its control characters escaped, so that text from a peer can neither move the
/// cursor of a terminal nor forge a line of a log.
///
/// It escapes the characters of Unicode's category Cc, such as line feed and ESC, the separators of
/// lines and paragraphs, and the marks that change the direction of the text after them.
pub fn escaped(text: &str) -> impl Display + '_ {
    Escaped(text)
}

/// Whether [`escaped`] escapes this character.
pub fn is_escaped(c: char) -> bool {
    c.is_control() || is_layout(c)
}

/// Whether it separates lines or changes the direction of text.
fn is_layout(c: char) -> bool {
    matches!(
        c,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    )
}

/// Whether a character shows nothing, or changes how the characters around it are shown. It has no
/// place in a name: two names that differ in it look the same.
///
/// These are the characters that [`escaped`] escapes, and of Unicode's other format characters the
/// soft hyphen, the zero-width spaces and joiners, the byte order mark and the tags.
pub fn is_invisible(c: char) -> bool {
    is_escaped(c)
        || matches!(
            c,
            '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2064}' | '\u{feff}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                c if is_layout(c) => write!(f, "{}", c.escape_unicode())?,
                c if c.is_control() => write!(f, "{}", c.escape_default())?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn control_characters_are_escaped_and_other_text_is_not() {
        let shown = escaped("a\n\u{1b}[31m\u{7f}\u{9b}\u{2028}\u{202e}ß 股票 \\n").to_string();
        let expected = "a\\n\\u{1b}[31m\\u{7f}\\u{9b}\\u{2028}\\u{202e}ß 股票 \\n";
        assert_eq!(shown, expected);
    }
}
