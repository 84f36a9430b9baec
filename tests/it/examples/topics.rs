//! `publish` and `subscribe`: a topic's messages, exactly once.

use greeter_stream::client::Receipt;
use testkit::ports;
use testkit::process::{run, text, Process};
use testkit::wait::PATIENCE;

use super::example;
use crate::support::server;

/// Publishes with the example; the receipt that it prints.
fn publish(address: &str, lines: &str) -> Receipt {
    let mut publish = example("publish");
    publish.args(["numbers", "test", address]);
    let output = run(&mut publish, lines.as_bytes());
    assert!(output.status.success(), "{}", text(&output.stderr));
    Receipt::decode(text(&output.stdout).trim_end()).expect("a receipt")
}

#[test]
fn a_line_that_is_published_again_is_not_stored_again() {
    let server = server::start(&[]);
    let first = publish(&server.address, "a\nb\n");
    assert_eq!((first.accepted, first.duplicates), (2, 0));
    let second = publish(&server.address, "a\nb\nc\n");
    assert_eq!((second.accepted, second.duplicates), (1, 2));
    assert_eq!(second.last, Some(2));

    let mut subscriber = Process::start(example("subscribe").args(["numbers", &server.address]));
    let mut printed = subscriber.lines();
    for line in ["0 a", "1 b", "2 c"] {
        assert_eq!(printed.next(PATIENCE).as_deref(), Some(line));
    }
}

#[test]
fn a_subscriber_outlives_its_server_and_reports_what_is_lost() {
    let address = format!("127.0.0.1:{}", ports::free());
    let mut server = server::start_at(&address, &[]);
    publish(&address, "a\nb\n");
    let mut subscriber = Process::start(example("subscribe").args(["numbers", &address]));
    let (mut printed, mut said) = (subscriber.lines(), subscriber.error_lines());
    for line in ["0 a", "1 b"] {
        assert_eq!(printed.next(PATIENCE).as_deref(), Some(line));
    }

    server.process.kill();
    said.wait_for_all(PATIENCE, &["UNAVAILABLE", "trying again"]);
    server.process.wait(PATIENCE);
    let _server = server::start_at(&address, &[]);
    publish(&address, "new\n");
    said.wait_for_all(PATIENCE, &["topic numbers", "from offset 2", "lost"]);
    assert_eq!(printed.next(PATIENCE).as_deref(), Some("0 new"));
}
