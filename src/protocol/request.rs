//! The request metadata of a call on a topic.
//!
//! | key | on | value |
//! |---|---|---|
//! | `topic` | all methods | 1 to 255 of `A-Z a-z 0-9 . _ / -` |
//! | `from` | GetStream, AllStream | `latest` (the default), `earliest`, an offset, `-N` (the last N), `@SECONDS` (received at that Unix time or later) |
//! | `epoch` | with `from` an offset | the epoch of the topic that the offset belongs to |
//! | `follow` | GetStream | `true` (the default), or `false`: the call ends with OK at the end of the log |
//! | `producer` | PutStream, AllStream | the producer, named as a topic is |
//! | `sequence` | with `producer` | the number of the call's first message; without it the number that the topic expects next |
//!
//! A key may appear once. Without `topic` the other keys are ignored.

use grpcio::{Metadata, MetadataBuilder};
use grpcio_streams::{escaped, Status};
use topic_log::{decimal, Epoch, Name, ProducerName, StartAt, StartAtError};

use super::Method;

/// The request of a call on a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The topic.
    pub topic: Name,
    /// Where reading starts, for GetStream and AllStream.
    pub start: StartAt,
    /// Whether GetStream waits for new messages at the end of the log. Otherwise it ends there with
    /// OK.
    pub follow: bool,
    /// The producer that numbers its messages, for PutStream and AllStream. None if the messages
    /// are not numbered.
    pub producer: Option<ProducerName>,
    /// The number of the call's first message. None, with a producer, for the number that the topic
    /// expects next.
    pub sequence: Option<u64>,
}

/// The keys other than `topic`.
const KEYS: [&str; 5] = ["from", "epoch", "follow", "producer", "sequence"];

/// How many characters of a refused value an error shows.
const SHOWN: usize = 80;

impl Request {
    /// A request that reads new messages only, follows the topic, and does not number its messages.
    pub fn new(topic: Name) -> Self {
        Self {
            topic,
            start: StartAt::Latest,
            follow: true,
            producer: None,
            sequence: None,
        }
    }

    /// Adds the request to the metadata of a call, without keys that have their default.
    ///
    /// # Errors
    ///
    /// Never: the values are ASCII. The binding's signature requires the result.
    pub fn encode(&self, metadata: &mut MetadataBuilder) -> grpcio::Result<()> {
        metadata.add_str("topic", self.topic.as_str())?;
        if self.start != StartAt::Latest {
            metadata.add_str("from", &self.start.to_string())?;
        }
        if let StartAt::Offset(_, Some(epoch)) = self.start {
            metadata.add_str("epoch", &epoch.to_string())?;
        }
        if !self.follow {
            metadata.add_str("follow", "false")?;
        }
        if let Some(producer) = &self.producer {
            metadata.add_str("producer", producer.as_str())?;
        }
        if let Some(sequence) = &self.sequence {
            metadata.add_str("sequence", &sequence.to_string())?;
        }
        Ok(())
    }

    /// The request in the metadata of a call; None if it names no topic.
    ///
    /// # Errors
    ///
    /// INVALID_ARGUMENT if a value is wrong. The message has the key, the value and what is wrong
    /// with it.
    pub fn decode(metadata: &Metadata, method: Method) -> Result<Option<Self>, Status> {
        let Some(topic) = value(metadata, "topic")? else {
            return Ok(None);
        };
        let topic = Name::new(topic).map_err(|e| refuse("topic", topic, &e.to_string()))?;
        for key in KEYS {
            match value(metadata, key)? {
                Some(given) if !has_key(method, key) => {
                    return Err(refuse(key, given, "has no meaning in this call"));
                }
                _ => {}
            }
        }
        let (producer, sequence) = numbering(metadata)?;
        Ok(Some(Self {
            topic,
            start: start(metadata)?,
            follow: match value(metadata, "follow")? {
                None | Some("true") => true,
                Some("false") => false,
                Some(other) => return Err(refuse("follow", other, "is neither true nor false")),
            },
            producer,
            sequence,
        }))
    }
}

/// Whether a call of this method may have this key.
fn has_key(method: Method, key: &str) -> bool {
    match key {
        "from" | "epoch" => method.reads(),
        "follow" => method == Method::Get,
        _ => method.writes(),
    }
}

fn start(metadata: &Metadata) -> Result<StartAt, Status> {
    let text = value(metadata, "from")?.unwrap_or("latest");
    let start: StartAt = text
        .parse()
        .map_err(|e: StartAtError| refuse("from", text, &e.to_string()))?;
    let Some(epoch) = value(metadata, "epoch")? else {
        return Ok(start);
    };
    match start {
        StartAt::Offset(offset, _) => match epoch.parse::<Epoch>() {
            Ok(parsed) if parsed.to_string() == epoch => Ok(StartAt::Offset(offset, Some(parsed))),
            _ => Err(refuse("epoch", epoch, "is not 16 hexadecimal digits")),
        },
        _ => Err(refuse("epoch", epoch, "needs an offset in `from`")),
    }
}

/// The producer, and the number of the first message.
fn numbering(metadata: &Metadata) -> Result<(Option<ProducerName>, Option<u64>), Status> {
    let producer = value(metadata, "producer")?;
    let sequence = value(metadata, "sequence")?;
    if let (None, Some(sequence)) = (producer, sequence) {
        return Err(refuse("sequence", sequence, "needs `producer` with it"));
    }
    let producer = producer.map(|producer| {
        ProducerName::new(producer).map_err(|e| refuse("producer", producer, &e.to_string()))
    });
    let sequence = sequence.map(|sequence| {
        decimal(sequence).ok_or_else(|| refuse("sequence", sequence, "is not a number below 2^64"))
    });
    Ok((producer.transpose()?, sequence.transpose()?))
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
    Status::invalid_argument(format!("metadata `{key}`: `{shown}{cut}` {why}"))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use grpcio::RpcStatusCode;

    use super::*;

    fn parse(pairs: &[(&str, &str)], method: Method) -> Result<Option<Request>, String> {
        let mut metadata = MetadataBuilder::new();
        for (key, value) in pairs {
            metadata.add_str(key, value).unwrap();
        }
        Request::decode(&metadata.build(), method).map_err(|status| {
            assert_eq!(status.code(), RpcStatusCode::INVALID_ARGUMENT);
            status.message().to_owned()
        })
    }

    #[test]
    fn a_call_without_a_topic_is_the_original_one() {
        let others = [("from", "nonsense"), ("from", "twice"), ("user-agent", "x")];
        assert_eq!(parse(&others, Method::Put), Ok(None));
    }

    #[test]
    fn every_form_is_understood() {
        let topic = Name::new("stocks/aaa").unwrap();
        let plain = Request {
            topic,
            start: StartAt::Latest,
            follow: true,
            producer: None,
            sequence: None,
        };
        let from = |text| parse(&[("topic", "stocks/aaa"), ("from", text)], Method::Get);
        for (text, start) in [
            ("latest", StartAt::Latest),
            ("earliest", StartAt::Earliest),
            ("0", StartAt::Offset(0, None)),
            ("18446744073709551615", StartAt::Offset(u64::MAX, None)),
            ("-0", StartAt::Last(0)),
            ("-10", StartAt::Last(10)),
            (
                "@1700000000",
                StartAt::Since(UNIX_EPOCH + Duration::from_secs(1_700_000_000)),
            ),
        ] {
            assert_eq!(
                from(text),
                Ok(Some(Request {
                    start,
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
            start: StartAt::Offset(7, Some(Epoch(255))),
            ..plain.clone()
        };
        assert_eq!(parse(&epoch, Method::All), Ok(Some(expected)));
        let once = [
            ("topic", "stocks/aaa"),
            ("producer", "sensor-1"),
            ("sequence", "3"),
        ];
        let numbered = Request {
            producer: ProducerName::new("sensor-1").ok(),
            sequence: Some(3),
            ..plain.clone()
        };
        assert_eq!(parse(&once, Method::Put), Ok(Some(numbered.clone())));
        let goes_on = Request {
            sequence: None,
            ..numbered
        };
        assert_eq!(parse(&once[..2], Method::Put), Ok(Some(goes_on)));
        let end = [("topic", "stocks/aaa"), ("follow", "false")];
        assert_eq!(
            parse(&end, Method::Get),
            Ok(Some(Request {
                follow: false,
                ..plain
            }))
        );
    }

    #[test]
    fn what_is_wrong_is_named_with_its_value_and_the_remedy() {
        let long = "x".repeat(300);
        for (pairs, method, why) in [
            (&[("topic", "a b")][..], Method::Get, "metadata `topic`: `a b` has ' ' at byte 1; a name is 1 to 255 of A-Z a-z 0-9 . _ / -"),
            (&[("topic", "")], Method::Get, "metadata `topic`: `` is empty; "),
            (&[("topic", &long)], Method::Get, "…` has 300 bytes; "),
            (&[("topic", "a"), ("topic", "b")], Method::Get, "metadata `topic`: `a` is given more than once"),
            (&[("topic", "a"), ("from", "1"), ("from", "1")], Method::Get, "metadata `from`: `1` is given more than once"),
            (&[("topic", "a"), ("from", "soon")], Method::Get, "metadata `from`: `soon` is not latest, earliest, an offset, -N or @SECONDS"),
            (&[("topic", "a"), ("from", "")], Method::Get, "metadata `from`: `` is not"),
            (&[("topic", "a"), ("from", "+1")], Method::Get, "metadata `from`: `+1` is not"),
            (&[("topic", "a"), ("from", "-")], Method::Get, "metadata `from`: `-` is not"),
            (&[("topic", "a"), ("from", "--1")], Method::Get, "metadata `from`: `--1` is not"),
            (&[("topic", "a"), ("from", "18446744073709551616")], Method::Get, "metadata `from`: `18446744073709551616` is not"),
            (&[("topic", "a"), ("from", "@18446744073709551615")], Method::Get, "metadata `from`: `@18446744073709551615` is not"),
            (&[("topic", "a"), ("from", "1"), ("epoch", "FF")], Method::Get, "metadata `epoch`: `FF` is not 16 hexadecimal digits"),
            (&[("topic", "a"), ("epoch", "00000000000000ff")], Method::Get, "needs an offset in `from`"),
            (&[("topic", "a"), ("follow", "no")], Method::Get, "metadata `follow`: `no` is neither true nor false"),
            (&[("topic", "a"), ("follow", "true")], Method::All, "metadata `follow`: `true` has no meaning in this call"),
            (&[("topic", "a"), ("from", "1")], Method::Put, "metadata `from`: `1` has no meaning in this call"),
            (&[("topic", "a"), ("producer", "p")], Method::Get, "metadata `producer`: `p` has no meaning in this call"),
            (&[("topic", "a"), ("sequence", "1")], Method::Put, "metadata `sequence`: `1` needs `producer` with it"),
            (&[("topic", "a"), ("producer", "p p"), ("sequence", "1")], Method::Put, "metadata `producer`: `p p` has ' ' at byte 1"),
            (&[("topic", "a"), ("producer", "p"), ("sequence", "-1")], Method::Put, "metadata `sequence`: `-1` is not a number below 2^64"),
        ] {
            let message = parse(pairs, method).unwrap_err();
            assert!(message.contains(why), "{message}, not {why}");
        }
    }

    #[test]
    fn an_encoded_request_is_decoded() {
        let topic = Name::new("a/b").unwrap();
        let numbered = Request {
            producer: ProducerName::new("p").ok(),
            sequence: Some(u64::MAX),
            ..Request::new(topic.clone())
        };
        let plain = Request::new(topic);
        let at = |start| Request {
            start,
            ..plain.clone()
        };
        for (request, method) in [
            (plain.clone(), Method::Get),
            (plain.clone(), Method::Put),
            (at(StartAt::Earliest), Method::Get),
            (at(StartAt::Offset(7, None)), Method::All),
            (at(StartAt::Offset(u64::MAX, Some(Epoch(1)))), Method::All),
            (at(StartAt::Last(3)), Method::Get),
            (
                at(StartAt::Since(UNIX_EPOCH + Duration::from_secs(5))),
                Method::Get,
            ),
            (
                Request {
                    follow: false,
                    ..at(StartAt::Earliest)
                },
                Method::Get,
            ),
            (numbered.clone(), Method::Put),
            (
                Request {
                    sequence: None,
                    ..numbered.clone()
                },
                Method::Put,
            ),
            (
                Request {
                    start: StartAt::Last(1),
                    ..numbered
                },
                Method::All,
            ),
        ] {
            let mut metadata = MetadataBuilder::new();
            request.encode(&mut metadata).unwrap();
            let decoded = Request::decode(&metadata.build(), method);
            assert_eq!(decoded, Ok(Some(request)));
        }
    }
}
