//! Completions for shells, and JSON that is safe on terminals.

use std::io::{self, Write};

use clap_complete::Shell;
use grpcio_streams::is_escaped;

/// Prints completions for a shell, and ends the process.
pub(crate) fn print_completions(shell: Shell, command: &mut clap::Command) -> ! {
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, command, &name, &mut script);
    let mut script = String::from_utf8_lossy(&script).into_owned();
    if let (Shell::Bash, Some((first, second))) = (shell, name.split_once('-')) {
        // clap_complete writes wrong labels for the subcommands of a program whose name has a
        // hyphen, so that nothing is completed: https://github.com/clap-rs/clap/issues/6421.
        let wrong = format!("{first}__subcmd__{second}__");
        script = script.replace(&wrong, &format!("{first}__{second}__"));
    }
    // The pipe may be closed.
    let written = io::stdout().write_all(script.as_bytes());
    std::process::exit(i32::from(written.is_err()))
}

/// JSON in which all characters that can disturb a terminal are escaped. The standard of JSON
/// requires this only for some of them.
pub(crate) fn json(value: &serde_json::Value) -> String {
    let mut json = String::new();
    for c in value.to_string().chars() {
        if is_escaped(c) {
            // All these characters are below U+10000, so four digits are enough.
            json.extend(format!("\\u{:04x}", u32::from(c)).chars());
        } else {
            json.push(c);
        }
    }
    json
}

#[cfg(test)]
mod tests {
    use super::json;

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
