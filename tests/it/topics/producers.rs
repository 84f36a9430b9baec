//! Producers: what the numbers of messages mean from one run to the next.

use greeter_stream::client::Receipt;
use greeter_stream::protocol::Reason;
use grpcio::RpcStatusCode;
use testkit::process::{run, text};

use super::calls::{put, read, stub};
use crate::support::program::client as program;
use crate::support::server;

/// Publishes lines with `greeter-client put` as a named producer; its receipt, or what it says.
fn upload(address: &str, flags: &[&str], lines: &str) -> Result<Receipt, String> {
    let put = [&["put", "--topic", "t", "--producer", "p"], flags].concat();
    let output = run(&mut program(address, &put), lines.as_bytes());
    match output.status.code() {
        Some(0) => Ok(Receipt::decode(text(&output.stdout).trim_end()).expect("a receipt")),
        _ => Err(text(&output.stderr).to_owned()),
    }
}

#[test]
fn a_second_run_with_new_messages_stores_them() {
    let server = server::start(&[]);
    let stored = |lines| {
        let receipt = upload(&server.address, &[], lines).expect("a receipt");
        (receipt.accepted, receipt.duplicates, receipt.expected)
    };
    assert_eq!(stored("a\nb\n"), (2, 0, Some(2)));
    assert_eq!(stored("c\nd\ne\n"), (3, 0, Some(5)));
    assert_eq!(stored(""), (0, 0, Some(5)));
    let all = [("topic", "t"), ("from", "earliest")];
    let all = read(&stub(&server.address), &all).expect("messages").1;
    assert_eq!(all, ["a", "b", "c", "d", "e"]);
}

#[test]
fn a_second_run_from_the_start_stores_nothing_or_is_refused() {
    let server = server::start(&[]);
    let from_start = |lines| upload(&server.address, &["--from-start"], lines);
    let stored = |lines| {
        let receipt = from_start(lines).expect("a receipt");
        (receipt.accepted, receipt.duplicates, receipt.expected)
    };
    assert_eq!(stored("a\nb\n"), (2, 0, Some(2)));
    assert_eq!(stored("a\nb\n"), (0, 2, Some(2)));
    let other = from_start("a\nB\nc\n").expect_err("another message");
    for told in [
        "FAILED_PRECONDITION: topic t has another message as sequence 1 of producer p, at offset 1",
        "without --from-start new messages get the numbers that follow",
    ] {
        assert!(other.contains(told), "{other}");
    }
    assert_eq!(stored("a\nb\nc\n"), (1, 2, Some(3)));
    let all = [("topic", "t"), ("from", "earliest")];
    let all = read(&stub(&server.address), &all).expect("messages").1;
    assert_eq!(all, ["a", "b", "c"]);
}

#[test]
fn any_client_goes_on_or_is_told_what_it_repeats_wrongly() {
    let server = server::start(&[]);
    let stub = stub(&server.address);
    let producer = [("topic", "t"), ("producer", "p")];
    let expected = |receipt: &serde_json::Value| receipt["expected"].as_u64();
    let goes_on = |data: &[&str]| put(&stub, &producer, data).expect("a receipt");
    assert_eq!(expected(&goes_on(&[])), Some(0));
    assert_eq!(expected(&goes_on(&["a", "b"])), Some(2));
    assert_eq!(expected(&goes_on(&["c"])), Some(3));
    let anonymous = put(&stub, &[("topic", "t")], &["x"]).expect("a receipt");
    assert_eq!(expected(&anonymous), None);

    let numbered = [&producer[..], &[("sequence", "1")]].concat();
    let status = put(&stub, &numbered, &["b", "C"]).expect_err("another message");
    assert_eq!(status.code(), RpcStatusCode::FAILED_PRECONDITION);
    let Some(Reason::SequenceReused {
        sequence, offset, ..
    }) = Reason::decode(&status)
    else {
        panic!("{status}");
    };
    assert_eq!((sequence, offset), (2, 2));
}

#[test]
fn a_publisher_is_told_what_retention_has_dropped() {
    let server = server::start(&["--retention-messages", "3"]);
    let put_lines = |lines: &str| {
        let mut put = program(&server.address, &["put", "--topic", "t"]);
        run(&mut put, lines.as_bytes())
    };
    let kept = put_lines("1\n2\n3\n");
    assert_eq!(text(&kept.stderr), "");
    let dropped = put_lines("4\n5\n6\n7\n8\n");
    let receipt = Receipt::decode(text(&dropped.stdout).trim_end()).expect("a receipt");
    assert_eq!(
        (receipt.first, receipt.last, receipt.earliest),
        (Some(3), Some(7), 5)
    );
    let told = "topic t: the server's retention has already dropped 2 of these messages; the \
        earliest that it keeps is at offset 5";
    assert!(
        text(&dropped.stderr).contains(told),
        "{}",
        text(&dropped.stderr)
    );
}

#[test]
fn a_call_that_is_refused_tells_what_was_stored_before() {
    let server = server::start(&["--retention-messages", "2", "--max-topic-bytes", "300000"]);
    // The server gathers up to 64 KiB, so that each of these is stored by itself.
    let (large, too_large) = ("x".repeat(70_000), "x".repeat(200_000));
    let messages = [&*large, &large, &large, &large, &too_large];
    let status = put(&stub(&server.address), &[("topic", "t")], &messages).expect_err("too much");
    assert_eq!(status.code(), RpcStatusCode::RESOURCE_EXHAUSTED);
    let told = "; before that, 4 messages of this call were stored, at offsets 0 to 3, of which \
        retention has dropped 2: the earliest is 2";
    assert!(status.message().ends_with(told), "{status}");
}
