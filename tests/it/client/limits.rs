//! Messages and metadata that are longer than the client or the server takes.

use futures::{stream, StreamExt};
use greeter_stream::client::{Config, LongMessage, SubscribeError, SubscribeOptions};
use greeter_stream::generated::greeter::{StreamReqData, StreamResData};
use greeter_stream::protocol::{ALL_STREAM, GET_STREAM};
use grpcio::MetadataBuilder;
use grpcio_streams::{Requests, Status};
use testkit::folder::Folder;
use testkit::process::{run, text};
use testkit::served::serve;
use testkit::server::Server;
use testkit::wait::{next, soon};
use topic_log::StartAt;

use crate::support::messages::response;
use crate::support::program::client;
use crate::support::{client_with, server, topic};

/// The server's limit of a message, and the length of a message between the two limits.
const GREAT: &str = "16777216";
const LENGTH: usize = 6_000_000;

/// A server with a greater limit of messages, whose topic `t` has a short message, one of
/// [`LENGTH`] bytes, and another short one.
fn with_a_long_message() -> Server {
    let server = server::start_quiet(&["--max-message-bytes", GREAT]);
    let input = format!("before\n{}\nafter\n", "x".repeat(LENGTH));
    let put = ["--max-message-bytes", GREAT, "put", "--topic", "t"];
    let (_, said, code) = called(&server.address, &put, &input);
    assert_eq!(code, Some(0), "{said}");
    server
}

/// Runs the client; its standard output, its standard error and its exit code.
fn called(address: &str, args: &[&str], input: &str) -> (String, String, Option<i32>) {
    let output = run(&mut client(address, args), input.as_bytes());
    let [out, said] = [&output.stdout, &output.stderr].map(|bytes| text(bytes).to_owned());
    (out, said, output.status.code())
}

#[test]
fn a_message_that_is_too_long_is_named_and_can_be_read_or_left_out() {
    let server = with_a_long_message();
    let from = |start: &str, more: &[&str]| {
        let get = ["get", "--topic", "t", "--no-follow", "--from", start];
        called(&server.address, &[&get[..], more].concat(), "")
    };
    // The long message is the second of the call, or the first, whose position only the metadata
    // of the call tell when the call starts at a time.
    for (start, printed) in [
        ("earliest", "before\n"),
        ("1", ""),
        ("-2", ""),
        ("@0", "before\n"),
    ] {
        let (out, said, code) = from(start, &[]);
        assert_eq!((&*out, code), (printed, Some(1)), "{start}: {said}");
        let (begin, end) = (
            "greeter-client: topic t: the message at offset 1 of epoch ",
            " has 6000005 bytes, and this client accepts at most 4194304; --max-message-bytes \
             6000005 allows it, and --from 2 goes on after it\n",
        );
        assert!(said.starts_with(begin) && said.ends_with(end), "{said}");
    }
    let (out, said, code) = from("earliest", &["--max-message-bytes", "6000005"]);
    assert_eq!(
        (out.len(), code),
        ("before\nafter\n".len() + LENGTH + 1, Some(0)),
        "{said}"
    );
    assert_eq!(
        from("2", &[]),
        ("after\n".to_owned(), String::new(), Some(0))
    );

    let all = ["all", "--topic", "t", "--from", "earliest"];
    let (out, said, code) = called(&server.address, &all, "");
    assert_eq!((&*out, code), ("before\n", Some(1)));
    assert!(
        said.contains("topic t: the message at offset 1 of"),
        "{said}"
    );
    let whole = [&["--max-message-bytes", GREAT][..], &all].concat();
    let (out, said, code) = called(&server.address, &whole, "");
    assert!(out.ends_with("x\nafter\n") && code == Some(0), "{said}");
}

#[test]
fn a_subscription_that_starts_at_a_time_knows_where_its_first_message_is() {
    let server = server::start_quiet(&["--max-message-bytes", GREAT]);
    let put = ["--max-message-bytes", GREAT, "put", "--topic", "t"];
    let (_, said, code) = called(&server.address, &put, &"x".repeat(LENGTH));
    assert_eq!(code, Some(0), "{said}");
    let get = ["get", "--topic", "t", "--from", "@0"];
    let (_, said, _) = called(&server.address, &get, "");
    assert!(
        said.contains("topic t: the message at offset 0 of"),
        "{said}"
    );
}

#[test]
fn the_library_has_the_position_and_the_length() {
    let server = with_a_long_message();
    let subscribe = |start, message_bytes| {
        let config = Config {
            servers: vec![server.address.clone()],
            message_bytes,
            ..Config::default()
        };
        let options = SubscribeOptions {
            start,
            ..SubscribeOptions::default()
        };
        client_with(config).subscribe(topic("t"), options)
    };
    let mut messages = subscribe(StartAt::Earliest, 100);
    let before = next("message", &mut messages);
    let Some(Err(SubscribeError::TooLong(long))) = soon("the long message", messages.next()) else {
        panic!("not refused");
    };
    let LongMessage {
        topic: name,
        position,
        bytes,
        limit,
    } = long;
    assert_eq!((name, bytes, limit), (topic("t"), LENGTH + 5, 100));
    assert_eq!((position.epoch, position.offset), (before.epoch, 1));
    assert!(soon("the end", messages.next()).is_none());

    let mut after = subscribe(
        StartAt::Offset(position.offset + 1, Some(position.epoch)),
        100,
    );
    assert_eq!(next("message", &mut after).data, "after");
}

#[test]
fn a_line_that_is_too_long_for_the_server_is_refused_with_the_topic_and_the_limit() {
    let server = server::start_quiet(&[]);
    let input = format!("before\n{}\nafter\n", "x".repeat(LENGTH));
    let put = ["put", "--topic", "t", "--max-message-bytes", GREAT];
    let (out, said, code) = called(&server.address, &put, &input);
    assert_eq!((&*out, code), ("", Some(1)));
    // The number of the message depends on how many lines before it went with it.
    let (begin, end) = (
        "greeter-client: RESOURCE_EXHAUSTED: topic t: message ",
        " of the call has 6000005 bytes, and this server accepts at most 4194304; what was sent before \
         it is stored; send shorter messages; ",
    );
    assert!(said.contains(begin) && said.contains(end), "{said}");
    for put in [&put[..], &["put", "--max-message-bytes", GREAT]] {
        let (_, said, _) = called(&server.address, put, &input);
        assert!(
            said.contains("; --max-message-bytes of the server allows more"),
            "{said}"
        );
    }
    let get = ["get", "--topic", "t", "--from", "earliest", "--no-follow"];
    assert_eq!(called(&server.address, &get, "").0, "before\nbefore\n");

    // The client's own limit comes first, and names the line and the flag.
    let (_, said, code) = called(&server.address, &["put", "--topic", "t"], &input);
    assert_eq!(code, Some(1));
    for part in [
        "line 2 of standard input",
        "4194299 bytes",
        "--max-message-bytes",
    ] {
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn the_limit_holds_for_every_command_and_in_both_directions() {
    let server = serve(1, |service| {
        let answer = |_, _: StreamReqData| stream::iter([Ok(response("x".repeat(100)))]);
        let echo = |_, _: Requests<StreamReqData>| stream::iter([Ok(response("x".repeat(100)))]);
        service
            .server_streaming(GET_STREAM, answer)
            .duplex(ALL_STREAM, echo)
    });
    for call in [&["get", "a"][..], &["all"]] {
        let called = |limit| {
            let args = [&["--max-message-bytes", limit][..], call].concat();
            called(&server.address, &args, "")
        };
        let (_, said, code) = called("101");
        assert_eq!(code, Some(1));
        let told = "RESOURCE_EXHAUSTED: message 1 of the call has 102 bytes, and this client \
                    accepts at most 101; --max-message-bytes 102 allows it";
        assert!(said.contains(told), "{said}");
        let (out, said, code) = called("102");
        assert_eq!((out.len(), code), (101, Some(0)), "{said}");
        assert_eq!(called("0").2, Some(1));
        assert_eq!(called("18446744073709551615").2, Some(0));
        assert_eq!(called("18446744073709551616").2, Some(2));
    }
    let topics = server::start_quiet(&["--max-message-bytes", GREAT]);
    let put = ["put", "--topic", "t", "--max-message-bytes", "200"];
    let input = ["x".repeat(197), "x".repeat(198)].join("\n");
    let (_, said, _) = called(&topics.address, &put, &input);
    assert!(
        said.contains("line 2 of standard input is longer than 197 bytes"),
        "{said}"
    );

    let bench = [
        "bench",
        "put",
        "--duration",
        "100ms",
        "--warmup",
        "0s",
        "--size",
        "6000000",
    ];
    let (_, said, code) = called(&topics.address, &bench, "");
    assert_eq!(code, Some(2));
    assert!(
        said.contains("--size 6000000") && said.contains("--max-message-bytes"),
        "{said}"
    );
    let bench = [&bench[..], &["--max-message-bytes", GREAT]].concat();
    let (_, said, code) = called(&topics.address, &bench, "");
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn metadata_that_are_too_much_for_the_server_are_named() {
    let server = server::start_quiet(&["--ticks", "1", "--max-metadata-bytes", "2000"]);
    let folder = Folder::new();
    // The token alone is too much, or only together with the other metadata.
    for length in [1_900, 200_000] {
        let token = folder.write("token", "x".repeat(length));
        let get = ["get", "a", "--token-file", &token];
        let (_, said, code) = called(&server.address, &get, "");
        assert_eq!(code, Some(1));
        assert!(
            said.contains("RESOURCE_EXHAUSTED: the server refuses the metadata"),
            "{said}"
        );
        assert!(
            said.contains("2000") && said.contains("shorter token"),
            "{said}"
        );
    }
}

#[test]
fn metadata_that_are_too_much_for_the_client_are_named_with_the_flag() {
    let metadata = serve(1, |service| {
        service.server_streaming(GET_STREAM, |call, _: StreamReqData| {
            let mut metadata = MetadataBuilder::new();
            metadata
                .add_str("long", &"x".repeat(20_000))
                .expect("ASCII");
            call.respond_with(metadata.build());
            stream::iter([Ok(response("a"))])
        })
    });
    let status = serve(1, |service| {
        service.server_streaming(GET_STREAM, |_, _: StreamReqData| {
            let status = Status::not_found("x".repeat(2_000));
            stream::iter([Err::<StreamResData, _>(status)])
        })
    });
    for (address, limit, enough, ends) in [
        (&metadata.address, "16384", "30000", Some(0)),
        (&status.address, "1024", "16384", Some(1)),
    ] {
        let get = |limit| called(address, &["--max-metadata-bytes", limit, "get", "a"], "");
        let (_, said, code) = get(limit);
        assert_eq!(code, Some(1));
        assert!(
            said.contains("RESOURCE_EXHAUSTED: the server's metadata"),
            "{said}"
        );
        assert!(
            said.contains(limit) && said.contains("--max-metadata-bytes"),
            "{said}"
        );
        let (_, said, code) = get(enough);
        assert_eq!(code, ends, "{said}");
        assert!(!said.contains("RESOURCE_EXHAUSTED"), "{said}");
    }
    for wrong in ["1023", "16777217", "x"] {
        let get = ["--max-metadata-bytes", wrong, "get", "a"];
        let (_, said, code) = called("127.0.0.1:1", &get, "");
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("--max-metadata-bytes"), "{said}");
    }
}
