//! Where a subscriber starts, and how that is written.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use thiserror::Error;

use crate::offset::{Epoch, Offset};

/// Where a subscriber starts.
///
/// Written `latest`, `earliest`, an offset, `-N` for the last N, or `@SECONDS` for a Unix time;
/// the epoch of an offset is written elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartAt {
    /// At what is appended from now on.
    Latest,
    /// At the oldest message that is kept.
    Earliest,
    /// At this offset; of this life of the topic, where one is given.
    Offset(Offset, Option<Epoch>),
    /// At the last so many messages that are kept.
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

/// A number of digits only: without the sign that `parse` would take.
pub fn decimal(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
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
