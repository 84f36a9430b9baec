//! The request metadata that turns a call to a topic.
//!
//! | key | on | value |
//! |---|---|---|
//! | `topic` | all | 1 to 255 of `A-Z a-z 0-9 . _ / -` |
//! | `from` | GetStream, AllStream | `latest` (the default), `earliest`, an offset, `-N` (the last N), `@SECONDS` (received at that Unix time or later) |
//! | `epoch` | with `from` an offset | the topic's life that the offset belongs to |
//! | `follow` | GetStream | `true` (the default), or `false`: end with OK at the end of the log |
//! | `producer`, `sequence` | PutStream, AllStream, together | who sends, and the number of the call's first message |
//!
//! Each key at most once. Without `topic` the others mean nothing and are ignored.

use grpcio::{Metadata, RpcStatusCode};

use grpcio_streams::escaped;
use grpcio_streams::Status;
use topic_log::{decimal, Epoch, From, FromError, Name, ProducerName, Sequence};

/// What a call wants of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) topic: Name,
    pub(super) from: From,
    pub(super) follow: bool,
    pub(super) sequence: Option<Sequence>,
}

/// Which keys a call may have beside `topic`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keys {
    Get,
    Put,
    All,
}

impl Keys {
    fn allow(self, key: &str) -> bool {
        match key {
            "from" | "epoch" => self != Self::Put,
            "follow" => self == Self::Get,
            _ => self != Self::Get,
        }
    }
}

/// The longest value that is worth showing.
const SHOWN: usize = 80;

/// What the call's metadata asks for; None where it names no topic.
///
/// # Errors
///
/// INVALID_ARGUMENT, with the key, the value and what it may be.
pub(super) fn request(metadata: &Metadata, keys: Keys) -> Result<Option<Request>, Status> {
    let Some(topic) = value(metadata, "topic")? else {
        return Ok(None);
    };
    let topic = Name::new(topic).map_err(|e| refuse("topic", topic, &e.to_string()))?;
    for key in ["from", "epoch", "follow", "producer", "sequence"] {
        if let (Some(given), false) = (value(metadata, key)?, keys.allow(key)) {
            return Err(refuse(key, given, "has no meaning in this call"));
        }
    }
    Ok(Some(Request {
        topic,
        from: from(metadata)?,
        follow: match value(metadata, "follow")? {
            None | Some("true") => true,
            Some("false") => false,
            Some(other) => return Err(refuse("follow", other, "is neither true nor false")),
        },
        sequence: sequence(metadata)?,
    }))
}

fn from(metadata: &Metadata) -> Result<From, Status> {
    let text = value(metadata, "from")?.unwrap_or("latest");
    let from: From = text
        .parse()
        .map_err(|e: FromError| refuse("from", text, &e.to_string()))?;
    let Some(epoch) = value(metadata, "epoch")? else {
        return Ok(from);
    };
    match from {
        From::Offset(offset, _) => match epoch.parse::<Epoch>() {
            Ok(parsed) if parsed.to_string() == epoch => Ok(From::Offset(offset, Some(parsed))),
            _ => Err(refuse("epoch", epoch, "is not 16 hexadecimal digits")),
        },
        _ => Err(refuse("epoch", epoch, "goes with `from` an offset only")),
    }
}

fn sequence(metadata: &Metadata) -> Result<Option<Sequence>, Status> {
    match (value(metadata, "producer")?, value(metadata, "sequence")?) {
        (None, None) => Ok(None),
        (Some(producer), Some(first)) => Ok(Some(Sequence {
            producer: ProducerName::new(producer)
                .map_err(|e| refuse("producer", producer, &e.to_string()))?,
            first: decimal(first)
                .ok_or_else(|| refuse("sequence", first, "is not a number below 2^64"))?,
        })),
        (Some(producer), None) => Err(refuse("producer", producer, "needs `sequence` with it")),
        (None, Some(first)) => Err(refuse("sequence", first, "needs `producer` with it")),
    }
}

/// The one value of a key.
fn value<'a>(metadata: &'a Metadata, key: &str) -> Result<Option<&'a str>, Status> {
    let mut values = metadata.iter().filter(|(k, _)| *k == key).map(|(_, v)| v);
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(value);
    if values.next().is_some() {
        return Err(refuse(key, &text, "is given more than once"));
    }
    std::str::from_utf8(value)
        .map(Some)
        .map_err(|_| refuse(key, &text, "is not ASCII"))
}

fn refuse(key: &str, value: &str, why: &str) -> Status {
    let end = value
        .char_indices()
        .nth(SHOWN)
        .map_or(value.len(), |(at, _)| at);
    let cut = if end < value.len() { "…" } else { "" };
    let shown = escaped(&value[..end]);
    let message = format!("metadata `{key}`: `{shown}{cut}` {why}");
    Status::new(RpcStatusCode::INVALID_ARGUMENT, message)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use grpcio::MetadataBuilder;

    use super::*;

    fn parse(pairs: &[(&str, &str)], keys: Keys) -> Result<Option<Request>, String> {
        let mut metadata = MetadataBuilder::new();
        for (key, value) in pairs {
            metadata.add_str(key, value).unwrap();
        }
        request(&metadata.build(), keys).map_err(|status| {
            assert_eq!(status.code(), RpcStatusCode::INVALID_ARGUMENT);
            status.message().to_owned()
        })
    }

    #[test]
    fn a_call_without_a_topic_is_the_original_one() {
        let others = [("from", "nonsense"), ("from", "twice"), ("user-agent", "x")];
        assert_eq!(parse(&others, Keys::Put), Ok(None));
    }

    #[test]
    fn every_form_is_understood() {
        let topic = Name::new("stocks/aaa").unwrap();
        let plain = Request {
            topic,
            from: From::Latest,
            follow: true,
            sequence: None,
        };
        let from = |text| parse(&[("topic", "stocks/aaa"), ("from", text)], Keys::Get);
        for (text, from_text) in [
            ("latest", From::Latest),
            ("earliest", From::Earliest),
            ("0", From::Offset(0, None)),
            ("18446744073709551615", From::Offset(u64::MAX, None)),
            ("-0", From::Last(0)),
            ("-10", From::Last(10)),
            (
                "@1700000000",
                From::Since(UNIX_EPOCH + Duration::from_secs(1_700_000_000)),
            ),
        ] {
            assert_eq!(
                from(text),
                Ok(Some(Request {
                    from: from_text,
                    ..plain.clone()
                })),
                "{text}"
            );
        }
        let epoch = [
            ("topic", "stocks/aaa"),
            ("from", "7"),
            ("epoch", "00000000000000ff"),
        ];
        let expected = Request {
            from: From::Offset(7, Some(Epoch(255))),
            ..plain.clone()
        };
        assert_eq!(parse(&epoch, Keys::All), Ok(Some(expected)));
        let once = [
            ("topic", "stocks/aaa"),
            ("producer", "sensor-1"),
            ("sequence", "3"),
        ];
        let producer = ProducerName::new("sensor-1").unwrap();
        let expected = Request {
            sequence: Some(Sequence { producer, first: 3 }),
            ..plain.clone()
        };
        assert_eq!(parse(&once, Keys::Put), Ok(Some(expected)));
        let end = [("topic", "stocks/aaa"), ("follow", "false")];
        assert_eq!(
            parse(&end, Keys::Get),
            Ok(Some(Request {
                follow: false,
                ..plain
            }))
        );
    }

    #[test]
    fn what_is_wrong_is_named_with_its_value_and_the_remedy() {
        let long = "x".repeat(300);
        for (pairs, keys, why) in [
            (&[("topic", "a b")][..], Keys::Get, "metadata `topic`: `a b` has ' ' at byte 1; a name is 1 to 255 of A-Z a-z 0-9 . _ / -"),
            (&[("topic", "")], Keys::Get, "metadata `topic`: `` is empty; "),
            (&[("topic", &long)], Keys::Get, "…` has 300 bytes; "),
            (&[("topic", "a"), ("topic", "b")], Keys::Get, "metadata `topic`: `a` is given more than once"),
            (&[("topic", "a"), ("from", "1"), ("from", "1")], Keys::Get, "metadata `from`: `1` is given more than once"),
            (&[("topic", "a"), ("from", "soon")], Keys::Get, "metadata `from`: `soon` is not latest, earliest, an offset, -N or @SECONDS"),
            (&[("topic", "a"), ("from", "")], Keys::Get, "metadata `from`: `` is not"),
            (&[("topic", "a"), ("from", "+1")], Keys::Get, "metadata `from`: `+1` is not"),
            (&[("topic", "a"), ("from", "-")], Keys::Get, "metadata `from`: `-` is not"),
            (&[("topic", "a"), ("from", "--1")], Keys::Get, "metadata `from`: `--1` is not"),
            (&[("topic", "a"), ("from", "18446744073709551616")], Keys::Get, "metadata `from`: `18446744073709551616` is not"),
            (&[("topic", "a"), ("from", "@18446744073709551615")], Keys::Get, "metadata `from`: `@18446744073709551615` is not"),
            (&[("topic", "a"), ("from", "1"), ("epoch", "FF")], Keys::Get, "metadata `epoch`: `FF` is not 16 hexadecimal digits"),
            (&[("topic", "a"), ("epoch", "00000000000000ff")], Keys::Get, "goes with `from` an offset only"),
            (&[("topic", "a"), ("follow", "no")], Keys::Get, "metadata `follow`: `no` is neither true nor false"),
            (&[("topic", "a"), ("follow", "true")], Keys::All, "metadata `follow`: `true` has no meaning in this call"),
            (&[("topic", "a"), ("from", "1")], Keys::Put, "metadata `from`: `1` has no meaning in this call"),
            (&[("topic", "a"), ("producer", "p")], Keys::Get, "metadata `producer`: `p` has no meaning in this call"),
            (&[("topic", "a"), ("producer", "p")], Keys::Put, "metadata `producer`: `p` needs `sequence` with it"),
            (&[("topic", "a"), ("sequence", "1")], Keys::Put, "metadata `sequence`: `1` needs `producer` with it"),
            (&[("topic", "a"), ("producer", "p p"), ("sequence", "1")], Keys::Put, "metadata `producer`: `p p` has ' ' at byte 1"),
            (&[("topic", "a"), ("producer", "p"), ("sequence", "-1")], Keys::Put, "metadata `sequence`: `-1` is not a number below 2^64"),
        ] {
            let message = parse(pairs, keys).unwrap_err();
            assert!(message.contains(why), "{message}, not {why}");
        }
    }
}
