//! The limits of topics: how many there may be, when an idle one goes, and how many producers a topic
//! remembers.

use std::time::{Duration, Instant};

use futures::SinkExt;
use greeter_stream::client::{Client, PublishError, PublishOptions, Receipt};
use grpcio::RpcStatusCode;
use testkit::folder::Folder;
use testkit::wait::{soon, PATIENCE};
use topic_log::ProducerName;

use crate::support;
use crate::support::{client, server};

/// Publishes one message; what the server acknowledges.
fn publish(client: &Client, topic: &str, producer: Option<&str>) -> Result<Receipt, PublishError> {
    let options = PublishOptions {
        producer: producer.map(|name| ProducerName::new(name).expect("a name")),
        from_start: true,
        ..PublishOptions::default()
    };
    let mut publisher = client.publish(support::topic(topic), options);
    soon("published", publisher.send("a".to_owned()))?;
    Ok(publisher.receipt().expect("a receipt").clone())
}

#[test]
fn an_empty_topic_makes_room_when_it_is_idle() {
    // A topic that keeps nothing is empty.
    let flags = [
        "--max-topics",
        "1",
        "--topic-idle",
        "500ms",
        "--retention-messages",
        "0",
    ];
    let server = server::start(&flags);
    let client = client(&server.address);
    publish(&client, "a", None).expect("the first");
    let used = Instant::now();
    loop {
        match publish(&client, "b", None) {
            Ok(_) => break,
            Err(PublishError::Ended(status)) => {
                assert_eq!(status.code(), RpcStatusCode::RESOURCE_EXHAUSTED, "{status}");
                assert!(used.elapsed() < PATIENCE, "there is never room");
                std::thread::park_timeout(Duration::from_millis(20));
            }
            Err(e) => panic!("{e}"),
        }
    }
    assert!(used.elapsed() >= Duration::from_millis(400), "too early");
}

#[test]
fn a_topic_remembers_so_many_producers() {
    let server = server::start(&["--max-producers", "2"]);
    let client = client(&server.address);
    let duplicates = |producer| {
        publish(&client, "t", Some(producer))
            .expect("a receipt")
            .duplicates
    };
    assert_eq!([duplicates("a"), duplicates("b")], [0, 0]);
    assert_eq!([duplicates("a"), duplicates("b")], [1, 1]);
    assert_eq!(duplicates("c"), 0);
    assert_eq!(duplicates("b"), 1);
    assert_eq!(
        duplicates("a"),
        0,
        "the producer that was not seen for the longest time is forgotten"
    );
}

#[test]
fn the_log_warns_before_and_when_all_topics_together_are_full() {
    let folder = Folder::new();
    let data = folder.path("data");
    for kept in [&[][..], &["--data", &data]] {
        let flags = [&["--max-topic-bytes", "650"], kept].concat();
        let mut server = server::start(&flags);
        let client = client(&server.address);
        for topic in [
            "small", "large", "large", "small", "large", "large", "large",
        ] {
            publish(&client, topic, None).expect("there is room");
        }
        publish(&client, "large", None).expect("there is room");
        let largest = "The largest topics: large (390 bytes), small (130 bytes).";
        let near = "keep 520 bytes, and the limit of 650 (--max-topic-bytes) is 80% used";
        server.log.wait_for_all(PATIENCE, &["WARN", near, largest]);
        for _ in 0..2 {
            publish(&client, "small", None).expect("there is room");
        }
        publish(&client, "small", None).expect_err("the limit");
        let reached = "keep 650 bytes, and the limit of 650 (--max-topic-bytes) is reached";
        server.log.wait_for_all(PATIENCE, &["WARN", reached]);
    }
}
