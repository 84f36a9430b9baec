//! `put --topic-field`: a file with messages for many topics.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::Stdio;

use futures::SinkExt;
use greeter_stream::client::PublishOptions;
use serde_json::Value;
use testkit::folder::Folder;
use testkit::process::{run, text, Process};
use testkit::relay::Relay;
use testkit::server::Server;
use testkit::usage::Usage;
use testkit::wait::{soon, PATIENCE};

use crate::support::program::client as program;
use crate::support::{client, kept, server, topic};

/// Puts a file, and returns the exit code, the receipts and what is said.
fn put(
    server: &Server,
    args: &[&str],
    file: impl AsRef<[u8]>,
) -> (Option<i32>, Vec<Value>, String) {
    let output = run(
        program(&server.address, &["put", "--topic-field"]).args(args),
        file.as_ref(),
    );
    let receipts = text(&output.stdout).lines();
    let receipts = receipts.map(|line| serde_json::from_str(line).expect("a receipt"));
    (
        output.status.code(),
        receipts.collect(),
        text(&output.stderr).to_owned(),
    )
}

fn names(receipts: &[Value]) -> Vec<&str> {
    let names = receipts.iter().map(|receipt| &receipt["topic"]);
    names.map(|name| name.as_str().expect("a name")).collect()
}

#[test]
fn each_line_goes_to_the_topic_that_its_field_names() {
    let server = server::start_quiet(&[]);
    let quotes = "\u{feff}AAPL,189.37\r\n^GSPC,6602.99\r\nBTC_USD,1\r\n\"A, \"\"B\"\"\",2\r\n^GSPC,6538.76\r\n";
    let (code, receipts, said) = put(&server, &["1", "--topic-prefix", "stocks/"], quotes);
    assert_eq!((code, said.as_str()), (Some(0), ""));
    let all = ["AAPL", "A_2C_20_22B_22", "BTC_5FUSD", "_5EGSPC"];
    assert_eq!(names(&receipts), all.map(|name| format!("stocks/{name}")));
    let last = &receipts[3];
    let counts = [&last["accepted"], &last["first"], &last["last"]];
    assert_eq!(counts, [2, 0, 1], "{last}");
    // The whole line is the message.
    assert_eq!(
        kept(&server.address, "stocks/_5EGSPC"),
        ["^GSPC,6602.99\r", "^GSPC,6538.76\r"]
    );
    assert_eq!(
        kept(&server.address, "stocks/AAPL"),
        ["\u{feff}AAPL,189.37\r"]
    );
    assert_eq!(
        kept(&server.address, "stocks/A_2C_20_22B_22"),
        ["\"A, \"\"B\"\"\",2\r"]
    );

    // The field of a message is looked for behind its form.
    let (code, receipts, said) = put(
        &server,
        &["2", "--separator", "\t", "--json"],
        "{\"data\":\"x\\t\\u005e1\\n\"}\n",
    );
    assert_eq!((code, said.as_str()), (Some(0), ""));
    assert_eq!(names(&receipts), ["_5E1_0A"]);
}

#[test]
fn the_name_of_a_topic_is_told_to_who_does_not_know_it() {
    for command in [&["get"][..], &["put"], &["all"]] {
        let flags = ["--topic", "stocks/^GSPC"];
        let output = run(program("127.0.0.1:1", command).args(flags), b"");
        assert_eq!(output.status.code(), Some(2));
        let said = text(&output.stderr);
        assert!(said.contains("has '^' at byte 7"), "{said}");
        assert!(said.contains("stocks/_5EGSPC"), "{said}");
    }
}

#[test]
fn a_second_run_stores_nothing_twice() {
    let server = server::start_quiet(&[]);
    let lines: String = (0..3_000).map(|n| format!("{},{n}\n", n % 7)).collect();
    for (accepted, duplicates) in [(3_000, 0), (0, 3_000)] {
        let (code, receipts, said) =
            put(&server, &["1", "--producer", "me", "--from-start"], &lines);
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(receipts.len(), 7);
        let sum = |field: &str| {
            receipts
                .iter()
                .filter_map(|r| r[field].as_u64())
                .sum::<u64>()
        };
        assert_eq!((sum("accepted"), sum("duplicates")), (accepted, duplicates));
    }
}

#[test]
fn a_line_that_names_no_topic_is_named() {
    let server = server::start_quiet(&[]);
    let long = format!("1,{}", "^".repeat(100));
    for (bad, why) in [
        (
            "1",
            "has no field 2: the number of its fields is 1, with the separator ','",
        ),
        ("", "has no field 2"),
        ("1,", "names no topic: its field 2 is empty"),
        ("1,\r", "names no topic: its field 2 is empty"),
        ("1,\"a", "has a quotation mark at the start of field 2"),
        (&long, "names no topic: its field 2 has 300 bytes"),
    ] {
        let file = format!("1,a\n{bad}\n2,b\n1,a\n");
        let (code, receipts, said) = put(&server, &["2"], &file);
        assert_eq!(code, Some(1), "{said}");
        let told = format!("\ngreeter-client: line 2 of standard input {why}");
        assert!(said.contains(&told), "{said}");
        assert!(receipts.is_empty());

        let (code, receipts, said) = put(&server, &["2", "--skip-invalid"], &file);
        assert_eq!(code, Some(0), "{said}");
        let told = format!("left out 1 line of standard input: 2; the first of them {why}");
        assert!(said.contains(&told), "{said}");
        assert_eq!(names(&receipts), ["a", "b"]);
    }
    // The lines before a wrong one are published.
    assert_eq!(kept(&server.address, "a").len(), 6 + 2 * 6);
    assert_eq!(kept(&server.address, "b").len(), 6);
}

#[test]
fn flags_that_do_not_fit_are_wrong_usage() {
    for wrong in [
        &["--topic-field", "0"][..],
        &["--topic-field", "1", "--topic", "t"],
        &["--topic-field", "1", "--separator", "\\t"],
        &["--topic-field", "1", "--separator", ""],
        &["--topic-field", "1", "--separator", "\""],
        &["--topic-field", "1", "--topic-prefix", "^"],
        &["--topic", "t", "--separator", ";"],
        &["--topic-prefix", "stocks/"],
        &["--producer", "me"],
    ] {
        let output = run(program("127.0.0.1:1", &["put"]).args(wrong), b"");
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
    }
}

#[test]
fn a_line_is_published_while_the_input_is_open() {
    let server = server::start_quiet(&[]);
    let args = ["put", "--topic-field", "1", "--separator", " "];
    let mut put = Process::start(program(&server.address, &args).stdin(Stdio::piped()));
    let mut input = put.stdin();
    for topic in ["a", "b", "a"] {
        writeln!(input, "{topic} now").expect("written");
        let get = ["get", "--topic", topic, "--from", "-1", "--count", "1"];
        let output = run(&mut program(&server.address, &get), b"");
        assert_eq!(text(&output.stdout), format!("{topic} now\n"));
    }
    drop(input);
    assert_eq!(put.wait(PATIENCE).code(), Some(0));
}

#[test]
fn connections_that_are_cut_lose_and_repeat_nothing() {
    const TOPICS: usize = 100;
    const ROUNDS: usize = 20;
    let server = server::start_quiet(&[]);
    let relay = Relay::to(&server.address);
    let args = ["put", "--topic-field", "1"];
    let mut put = Process::start(program(&relay.address, &args).stdin(Stdio::piped()));
    let (mut receipts, mut input) = (put.lines(), put.stdin());
    let said = put.error_lines();
    for round in 0..ROUNDS {
        for topic in 0..TOPICS {
            writeln!(input, "t{topic},{round}").expect("written");
        }
        // Some topics have not been published to before the first cut.
        if round == 0 {
            relay.lose_next_data_frame();
        } else {
            relay.cut();
        }
    }
    drop(input);
    for _ in 0..TOPICS {
        let receipt = receipts.next(PATIENCE).expect("a receipt");
        let receipt: Value = serde_json::from_str(&receipt).expect("JSON");
        let count = |field: &str| receipt[field].as_u64().expect("a number");
        let told = count("accepted") + count("duplicates");
        assert_eq!(told, ROUNDS as u64, "{receipt}");
    }
    assert_eq!(put.wait(PATIENCE).code(), Some(0));
    assert!(!said.rest().is_empty(), "no connection was lost");
    for number in 0..TOPICS {
        let name = format!("t{number}");
        let expected = (0..ROUNDS).map(|round| format!("{name},{round}"));
        assert!(expected.eq(kept(&server.address, &name)), "{name}");
    }
}

#[test]
fn a_restart_is_noticed_for_each_topic() {
    let server = server::start(&[]);
    let mut publishers = client(&server.address).publish_to_many(PublishOptions::default());
    for name in ["a", "b"] {
        let message = (topic(name), "before".to_owned());
        soon("sent", publishers.send(message)).expect("stored");
    }
    let address = server.address.clone();
    drop(server);
    let server = server::start_at(&address, &[]);
    for name in ["a", "b", "c"] {
        let message = (topic(name), "after".to_owned());
        soon("sent", publishers.feed(message)).expect("gathered");
    }
    for _ in 0..2 {
        let lost = soon("loss", publishers.flush()).expect_err("told");
        let lost = lost.to_string();
        assert!(
            lost.contains("1 messages that it had acknowledged"),
            "{lost}"
        );
    }
    soon("the rest", publishers.close()).expect("nothing more to tell");
    let receipts: BTreeMap<_, _> = publishers
        .receipts()
        .map(|receipt| (receipt.topic.to_string(), receipt.accepted))
        .collect();
    let all = ["a", "b", "c"].map(|name| (name.to_owned(), 1));
    assert_eq!(receipts, all.into());
    assert_eq!(kept(&server.address, "b"), ["after"]);
}

#[test]
fn the_topic_that_fails_is_named() {
    let server = server::start(&["--max-topics", "2"]);
    // Topics of one file are published to at the same time, in no order.
    assert_eq!(put(&server, &["1"], "a\nb\n").0, Some(0));
    let (code, _, said) = put(&server, &["1"], "c\n");
    assert_eq!(code, Some(1));
    assert!(
        said.starts_with("greeter-client: RESOURCE_EXHAUSTED: topic c: "),
        "{said}"
    );
}

#[test]
fn ten_thousand_topics_take_little_memory() {
    const TOPICS: usize = 10_000;
    let server = server::start_with("127.0.0.1:0", &[], "warn");
    let folder = Folder::new();
    // 60 MB, most of which waits for the server at any time.
    let line = |n: usize| format!("{},{:06000}\n", n % TOPICS, n);
    let lines: String = (0..TOPICS).map(line).collect();
    let file = folder.write("file", lines);
    let args = ["put", "--topic-field", "1", &file, "--separator", ","];
    let mut put = Process::start(&mut program(&server.address, &args));
    let mut receipts = put.lines();
    let mut peak = 0;
    for _ in 0..TOPICS {
        // The client waits for the last receipts to be read.
        if let Ok(usage) = Usage::of(put.id()) {
            peak = peak.max(usage.peak_memory);
        }
        receipts.next(6 * PATIENCE).expect("a receipt");
    }
    assert_eq!(put.wait(PATIENCE).code(), Some(0));
    assert!(peak > 0 && peak < 120 * 1024 * 1024, "{peak} bytes");
}
