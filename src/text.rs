//! Text for people: from elsewhere, made safe to show, and for their shells.

use std::fmt::{self, Display, Write as _};
use std::io::{self, Write as _};

use clap_complete::Shell;

/// Prints completions for a shell, and ends the process.
pub(crate) fn print_completions(shell: Shell, command: &mut clap::Command) -> ! {
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, command, name, &mut script);
    // Nobody reads on where the pipe is closed.
    let written = io::stdout().write_all(&script);
    std::process::exit(i32::from(written.is_err()))
}

/// Shows `text` with its control characters escaped, so that what a peer sent cannot move the
/// cursor of a terminal or forge a line of a log.
///
/// Escaped are the characters of Unicode's category Cc (line feed and ESC among them) and the
/// marks that change the direction of what follows.
pub(crate) fn escaped(text: &str) -> impl Display + '_ {
    Escaped(text)
}

struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                    write!(f, "{}", c.escape_unicode())?;
                }
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
    fn control_characters_are_escaped_and_text_is_not() {
        let shown = escaped("a\n\u{1b}[31m\u{7f}\u{9b}\u{202e}ß 股票 \\n").to_string();
        assert_eq!(shown, "a\\n\\u{1b}[31m\\u{7f}\\u{9b}\\u{202e}ß 股票 \\n");
    }
}
