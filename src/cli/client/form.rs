//! The forms in which a message is a line of a file.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::error::Category;

/// How many bytes the other fields of a JSON object may take.
const OTHER_FIELDS: u64 = 64 * 1024;

/// What some programs write before the text of a file.
pub(super) const BYTE_ORDER_MARK: char = '\u{feff}';

/// The form in which a message is a line of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// The message as it is. A line feed in it ends the line.
    Plain,
    /// `\\`, `\n` and `\r` stand for a backslash, a line feed and a carriage return.
    Escaped,
    /// A JSON object whose field `data` is the message. Other fields are about the message.
    Json,
}

/// Why a line does not have the form of a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormError {
    /// A backslash does not begin an escape. The value is its position, in bytes from 0.
    #[error(
        "has a backslash at its byte {} that does not begin \\\\, \\n or \\r; write \\\\ for a \
         backslash, or leave out --escape",
        .0 + 1
    )]
    Escape(usize),
    /// The line is not JSON. The value is the position of the mistake, in bytes from 1.
    #[error("is not JSON from its byte {0} on; leave out --json to send lines as they are")]
    NotJson(usize),
    /// The line is JSON, but has no message.
    #[error("is not a JSON object with one text `data`; `get --json` writes such lines")]
    NoData,
}

impl Form {
    /// The form that these two flags ask for.
    pub(super) fn of(escape: bool, json: bool) -> Self {
        if json {
            Self::Json
        } else if escape {
            Self::Escaped
        } else {
            Self::Plain
        }
    }

    /// The longest line with a message of at most this many bytes, in bytes.
    pub(super) fn longest_line(self, message: u64) -> u64 {
        match self {
            Self::Plain => message,
            Self::Escaped => message.saturating_mul(2),
            // The longest that JSON has for a byte is `\u0000`.
            Self::Json => message.saturating_mul(6).saturating_add(OTHER_FIELDS),
        }
    }

    /// The message of a line.
    ///
    /// # Errors
    ///
    /// If the line does not have this form.
    pub(super) fn decode(self, line: String) -> Result<String, FormError> {
        match self {
            Self::Plain => Ok(line),
            Self::Escaped => unescape(line),
            Self::Json => data(&line),
        }
    }
}

/// The line of a message in [`Form::Escaped`].
pub(super) fn escape(message: &str) -> Cow<'_, str> {
    if !message.contains(['\\', '\n', '\r']) {
        return message.into();
    }
    let mut line = String::with_capacity(message.len() + 16);
    for c in message.chars() {
        match c {
            '\\' => line.push_str("\\\\"),
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            c => line.push(c),
        }
    }
    line.into()
}

fn unescape(line: String) -> Result<String, FormError> {
    if !line.contains('\\') {
        return Ok(line);
    }
    let mut message = String::with_capacity(line.len());
    let mut chars = line.char_indices();
    while let Some((at, c)) = chars.next() {
        message.push(match c {
            '\\' => match chars.next() {
                Some((_, '\\')) => '\\',
                Some((_, 'n')) => '\n',
                Some((_, 'r')) => '\r',
                _ => return Err(FormError::Escape(at)),
            },
            c => c,
        });
    }
    Ok(message)
}

/// What is read of a JSON object.
#[derive(Deserialize)]
struct Object {
    data: String,
}

fn data(line: &str) -> Result<String, FormError> {
    match serde_json::from_str::<Object>(line) {
        // An array of one text would be taken for the fields in their order.
        Ok(_) if line.trim_start().starts_with('[') => Err(FormError::NoData),
        Ok(object) => Ok(object.data),
        Err(e) if e.classify() == Category::Data => Err(FormError::NoData),
        Err(e) => Err(FormError::NotJson(e.column().max(1))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_is_one_escaped_line_and_comes_back() {
        for (message, line) in [
            ("", ""),
            ("a\nb\r\n", r"a\nb\r\n"),
            (r"\n", r"\\n"),
            (r"C:\new\", r"C:\\new\\"),
            ("\u{feff}\u{2028}\0\t\u{1b}ß", "\u{feff}\u{2028}\0\t\u{1b}ß"),
        ] {
            assert_eq!(escape(message), line);
            assert_eq!(
                Form::Escaped.decode(line.to_owned()).as_deref(),
                Ok(message)
            );
        }
    }

    #[test]
    fn what_is_no_escape_is_an_error() {
        for (line, at) in [(r"a\tb", 1), (r"\", 0), (r"\\\", 2), (r"ß\x41", 2)] {
            let decoded = Form::Escaped.decode(line.to_owned());
            assert_eq!(decoded, Err(FormError::Escape(at)), "{line}");
        }
    }

    #[test]
    fn json_is_an_object_with_a_text() {
        for (line, message) in [
            (r#"{"data":""}"#, ""),
            (
                r#" {"offset":1e999,"x":[{"data":1}],"data":"a\nb"}"#,
                "a\nb",
            ),
            ("{\"data\":\"\\ud83d\\ude00\\u0000\"}\r", "😀\0"),
        ] {
            assert_eq!(Form::Json.decode(line.to_owned()).as_deref(), Ok(message));
        }
        for line in [
            "7",
            r#"["a"]"#,
            r#" ["a"]"#,
            r#""a""#,
            "{}",
            r#"{"data":1}"#,
            r#"{"data":null}"#,
            r#"{"Data":"a"}"#,
            r#"{"data":"a","data":"b"}"#,
        ] {
            let decoded = Form::Json.decode(line.to_owned());
            assert_eq!(decoded, Err(FormError::NoData), "{line}");
        }
        for (line, at) in [
            ("", 1),
            ("aaa", 1),
            (r#"{"data":"a"} x"#, 14),
            (r#"{"data":"a"#, 10),
            (r#"{"data":"\ud83d"}"#, 16),
        ] {
            let decoded = Form::Json.decode(line.to_owned());
            assert_eq!(decoded, Err(FormError::NotJson(at)), "{line}");
        }
    }
}
