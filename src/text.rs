//! Text for people: from elsewhere, made safe to show, and for their shells.

use std::fmt::{self, Display, Write as _};
use std::io::{self, Write as _};

use clap_complete::Shell;

/// Prints completions for a shell, and ends the process.
pub(crate) fn print_completions(shell: Shell, command: &mut clap::Command) -> ! {
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, command, &name, &mut script);
    let mut script = String::from_utf8_lossy(&script).into_owned();
    if let (Shell::Bash, Some((first, second))) = (shell, name.split_once('-')) {
        // A name with a hyphen is taken for a subcommand in the labels of its own subcommands,
        // which then complete nothing: https://github.com/clap-rs/clap/issues/6421.
        let wrong = format!("{first}__subcmd__{second}__");
        script = script.replace(&wrong, &format!("{first}__{second}__"));
    }
    // Nobody reads on where the pipe is closed.
    let written = io::stdout().write_all(script.as_bytes());
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

/// JSON in which these characters are escaped, too: the standard wants it only of some.
pub(crate) fn json(value: &serde_json::Value) -> String {
    let mut json = String::new();
    for c in value.to_string().chars() {
        match c.is_control() || is_direction(c) {
            // None of them is beyond the first 65,536.
            true => json.extend(format!("\\u{:04x}", u32::from(c)).chars()),
            false => json.push(c),
        }
    }
    json
}

fn is_direction(c: char) -> bool {
    matches!(
        c,
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    )
}

struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                c if is_direction(c) => write!(f, "{}", c.escape_unicode())?,
                c if c.is_control() => write!(f, "{}", c.escape_default())?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{escaped, json};

    #[test]
    fn control_characters_are_escaped_and_text_is_not() {
        let shown = escaped("a\n\u{1b}[31m\u{7f}\u{9b}\u{202e}ß 股票 \\n").to_string();
        assert_eq!(shown, "a\\n\\u{1b}[31m\\u{7f}\\u{9b}\\u{202e}ß 股票 \\n");
    }

    #[test]
    fn json_is_the_same_with_fewer_characters_in_it() {
        let value = serde_json::json!({ "a": "\u{1b}\u{7f}\u{9b}\u{202e}ß 股票\n" });
        let shown = json(&value);
        assert_eq!(shown, r#"{"a":"\u001b\u007f\u009b\u202eß 股票\n"}"#);
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&shown).ok(),
            Some(value)
        );
    }
}
