//! The flags of `put` with which a field of each message names its topic.

use std::num::NonZero;

use super::field::{field, FieldError};
use super::form::BYTE_ORDER_MARK;
use super::input::{InputError, Line};
use super::resume;
use topic_log::Name;

/// The flags. A flag that requires `topic_field` has to exclude `topic` itself: clap does not require
/// what another flag excludes.
#[derive(Debug, clap::Args)]
pub(super) struct TopicField {
    /// Publish each message to the topic that its field N names, from 1. The whole message is
    /// published. In the topic's name an underscore and two hexadecimal digits stand for each byte
    /// that a name cannot have, and for the underscore: ^GSPC becomes _5EGSPC
    #[arg(long, value_name = "N", group = "destination")]
    topic_field: Option<NonZero<usize>>,

    /// The character between two fields. A field that has it is in double quotes, as in CSV
    #[arg(
        long,
        value_name = "CHAR",
        default_value = ",",
        requires = "topic_field",
        conflicts_with = "topic",
        value_parser = separator
    )]
    separator: char,

    /// Begin the name of each topic with this text, such as stocks/
    #[arg(
        long,
        value_name = "PREFIX",
        requires = "topic_field",
        conflicts_with = "topic",
        value_parser = resume::topic
    )]
    topic_prefix: Option<Name>,
}

/// How the topic of a message is found.
pub(super) struct Addressing {
    number: usize,
    separator: char,
    prefix: Option<Name>,
}

impl TopicField {
    /// None if no field names topics.
    pub(super) fn addressing(self) -> Option<Addressing> {
        Some(Addressing {
            number: self.topic_field?.get(),
            separator: self.separator,
            prefix: self.topic_prefix,
        })
    }
}

impl Addressing {
    /// The message of a line of the input `input`, with its topic.
    pub(super) fn address(&self, input: &str, line: Line) -> Result<(Name, String), InputError> {
        match self.topic(&line) {
            Ok(topic) => Ok((topic, line.message)),
            Err(why) => Err(InputError::Line {
                name: input.to_owned(),
                line: line.number,
                why: why.into(),
            }),
        }
    }

    /// The carriage return of a Windows line end, and a byte order mark before the first line, are
    /// part of the message and not of a field.
    fn topic(&self, line: &Line) -> Result<Name, FieldError> {
        let record = &line.message;
        let record = record.strip_suffix('\r').unwrap_or(record);
        let record = match record.strip_prefix(BYTE_ORDER_MARK) {
            Some(record) if line.number == 1 => record,
            _ => record,
        };
        let text = field(record, self.separator, self.number)?;
        let name = Name::escaped(&text).and_then(|name| match &self.prefix {
            None => Ok(name),
            Some(prefix) => Name::new(&format!("{prefix}{name}")),
        });
        name.map_err(|why| FieldError::Name {
            number: self.number,
            why,
        })
    }
}

fn separator(text: &str) -> Result<char, &'static str> {
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some('"' | '\n' | '\r'), None) => Err("this character cannot separate fields"),
        (Some(c), None) => Ok(c),
        _ => Err("it has to be one character; a shell writes a tab as $'\\t'"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(number: usize, prefix: Option<&str>, line: (u64, &str)) -> Result<String, FieldError> {
        let addressing = Addressing {
            number,
            separator: ',',
            prefix: prefix.map(|prefix| Name::new(prefix).unwrap()),
        };
        let line = Line {
            number: line.0,
            bytes: 0,
            replaced: 0,
            message: line.1.to_owned(),
        };
        addressing.topic(&line).map(|name| name.to_string())
    }

    #[test]
    fn a_field_names_a_topic() {
        for (number, prefix, line, name) in [
            (1, None, (1, "AAPL,189.37"), "AAPL"),
            (1, Some("stocks/"), (1, "^GSPC,6602.99"), "stocks/_5EGSPC"),
            (2, None, (2, "1,\"a, b\"\r"), "a_2C_20b"),
            (1, None, (1, "\u{feff}AAPL\r"), "AAPL"),
            (1, None, (2, "\u{feff}AAPL"), "_EF_BB_BFAAPL"),
        ] {
            assert_eq!(topic(number, prefix, line).as_deref(), Ok(name));
        }
    }

    #[test]
    fn a_field_that_cannot_name_a_topic_is_an_error() {
        use topic_log::NameError;

        let long = "x".repeat(250);
        for (prefix, line, why) in [
            (None, ",1", NameError::Empty),
            (None, "\r", NameError::Empty),
            (Some("stocks/"), "", NameError::Empty),
            (Some("stocks/"), &*long, NameError::TooLong(257)),
        ] {
            let wrong = FieldError::Name { number: 1, why };
            assert_eq!(topic(1, prefix, (1, line)), Err(wrong));
        }
    }
}
