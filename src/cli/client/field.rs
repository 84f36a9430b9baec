//! Finds a field of a record: CSV, or anything with a separator.

use std::borrow::Cow;

use topic_log::NameError;

/// Why a message does not name its topic.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FieldError {
    /// It has fewer fields.
    #[error(
        "has no field {number}: the number of its fields is {has}, with the separator {separator:?}"
    )]
    Missing {
        /// How many fields it has.
        has: usize,
        /// What separates them.
        separator: char,
        /// The field that names the topic.
        number: usize,
    },
    /// A field begins with a quotation mark and does not end with one. The value is its number.
    #[error(
        "has a quotation mark at the start of field {0}, and none at its end; a field that has \
         quotation marks is written as \"a \"\"quoted\"\" word\""
    )]
    Quotes(usize),
    /// The field cannot name a topic.
    #[error("names no topic: its field {number} {why}")]
    Name {
        /// The field that names the topic.
        number: usize,
        /// What is wrong with the name.
        why: NameError,
    },
}

/// A field of a record, from 1. A field in double quotes is as in RFC 4180: it may have separators,
/// and two double quotes in it stand for one.
pub(super) fn field(
    record: &str,
    separator: char,
    number: usize,
) -> Result<Cow<'_, str>, FieldError> {
    let (mut rest, mut at) = (record, 1);
    loop {
        let (field, behind) = match rest.strip_prefix('"') {
            Some(quoted) => {
                let (field, behind) = unquoted(quoted).ok_or(FieldError::Quotes(at))?;
                let behind = match behind.strip_prefix(separator) {
                    None if !behind.is_empty() => return Err(FieldError::Quotes(at)),
                    behind => behind,
                };
                (field.into(), behind)
            }
            None => match rest.split_once(separator) {
                Some((field, behind)) => (field.into(), Some(behind)),
                None => (rest.into(), None),
            },
        };
        match behind {
            _ if at == number => return Ok(field),
            Some(behind) => (rest, at) = (behind, at + 1),
            None => {
                return Err(FieldError::Missing {
                    has: at,
                    separator,
                    number,
                })
            }
        }
    }
}

/// The text up to the quotation mark that ends it, and what is behind that. `quoted` begins behind
/// the first quotation mark.
fn unquoted(quoted: &str) -> Option<(String, &str)> {
    let (mut text, mut rest) = (String::new(), quoted);
    loop {
        let (part, behind) = rest.split_once('"')?;
        text.push_str(part);
        match behind.strip_prefix('"') {
            None => return Some((text, behind)),
            Some(behind) => {
                text.push('"');
                rest = behind;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_in_plain_and_quoted_records() {
        let record = "a,\"b,\"\"c\"\"\",,d \"e\"";
        for (number, text) in [(1, "a"), (2, "b,\"c\""), (3, ""), (4, "d \"e\"")] {
            assert_eq!(field(record, ',', number).as_deref(), Ok(text));
        }
        assert_eq!(field("", ',', 1).as_deref(), Ok(""));
        assert_eq!(field("\"\"", ',', 1).as_deref(), Ok(""));
        assert_eq!(field("a\tb", '\t', 2).as_deref(), Ok("b"));
        assert_eq!(field("a·b·", '·', 3).as_deref(), Ok(""));
    }

    #[test]
    fn what_is_not_a_field_is_an_error() {
        let missing = FieldError::Missing {
            has: 2,
            separator: ',',
            number: 3,
        };
        assert_eq!(field("a,\"b\"", ',', 3), Err(missing));
        for record in ["\"a", "\"a\"b", "\"a\"\"", "\""] {
            assert_eq!(field(record, ',', 1), Err(FieldError::Quotes(1)));
        }
        // What is behind the field does not matter.
        assert_eq!(field("a,\"b", ',', 1).as_deref(), Ok("a"));
        assert_eq!(field("a,\"b", ',', 2), Err(FieldError::Quotes(2)));
    }
}
