//! Where a subscriber starts, and how that is written.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use thiserror::Error;

use crate::offset::{Epoch, Offset};

/// Where a subscriber starts.
///
/// As text it is `latest`, `earliest`, an offset, `-N` for the last N messages, or `@SECONDS` for a
/// Unix time. The text of an offset does not include its epoch.
///
/// ```
/// use topic_log::StartAt;
///
/// assert_eq!("-10".parse(), Ok(StartAt::Last(10)));
/// assert_eq!(StartAt::Offset(7, None).to_string(), "7");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartAt {
    /// At the next message that is appended.
    Latest,
    /// At the oldest message that is kept.
    Earliest,
    /// At this offset. With an epoch, only if the topic is in this epoch.
    Offset(Offset, Option<Epoch>),
    /// At the last messages, at most this number; fewer where fewer are kept.
    Last(u64),
    /// At the first message that was received at this time or later.
    Since(SystemTime),
}

/// The text does not say where to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("is not latest, earliest, an offset, -N or @SECONDS, with numbers below 2^64")]
pub struct StartAtError;

impl FromStr for StartAt {
    type Err = StartAtError;

    fn from_str(text: &str) -> Result<Self, StartAtError> {
        let number = |digits: &str| decimal(digits).ok_or(StartAtError);
        match text {
            "latest" => Ok(Self::Latest),
            "earliest" => Ok(Self::Earliest),
            _ => match (text.strip_prefix('-'), text.strip_prefix('@')) {
                (Some(count), _) => Ok(Self::Last(number(count)?)),
                (_, Some(seconds)) => {
                    let since = Duration::from_secs(number(seconds)?);
                    UNIX_EPOCH
                        .checked_add(since)
                        .map(Self::Since)
                        .ok_or(StartAtError)
                }
                _ => Ok(Self::Offset(number(text)?, None)),
            },
        }
    }
}

impl fmt::Display for StartAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => f.write_str("latest"),
            Self::Earliest => f.write_str("earliest"),
            Self::Offset(offset, _) => write!(f, "{offset}"),
            Self::Last(count) => write!(f, "-{count}"),
            Self::Since(time) => {
                let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
                write!(f, "@{}", since.as_secs())
            }
        }
    }
}

/// A number that consists of decimal digits only. `None` for anything else, such as a number with
/// the sign that `parse` accepts, and for numbers from 2^64 on.
///
/// ```
/// assert_eq!(topic_log::decimal("7"), Some(7));
/// assert_eq!(topic_log::decimal("+7"), None);
/// ```
pub fn decimal(text: &str) -> Option<u64> {
    if text.bytes().all(|b| b.is_ascii_digit()) {
        text.parse().ok()
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for text in [
            "latest",
            "earliest",
            "0",
            "18446744073709551615",
            "-0",
            "-10",
            "@1700000000",
        ] {
            let start: StartAt = text.parse().unwrap();
            assert_eq!(start.to_string(), text);
        }
        for text in [
            "",
            "soon",
            "+1",
            "-",
            "--1",
            "- 1",
            "@",
            "@-1",
            "18446744073709551616",
            "@18446744073709551615",
        ] {
            assert_eq!(text.parse::<StartAt>(), Err(StartAtError), "{text}");
        }
    }
}
