//! The token file: rights on topics, changes of the file, and many wrong tokens.

use std::time::{Duration, Instant};

use futures::{stream, StreamExt};
use greeter_stream::generated::greeter::{StreamReqData, StreamResData};
use grpcio::RpcStatusCode;
use grpcio_streams::{client as calls, Status};
use testkit::certificates::Certificate;
use testkit::folder::Folder;
use testkit::raw;
use testkit::wait::{soon, within, PATIENCE};

use crate::support::callers::{self, call, hash, silent_call, with_token, METHODS, UNKNOWN};
use crate::support::messages::request;
use crate::support::secured::by_program;
use crate::support::server::{self, refused};

#[test]
fn rights_are_a_topics_and_a_calls() {
    let folder = Folder::new();
    let mut callers = String::from("# Who may do what\n\n");
    for (name, rights) in [
        ("reader", "read:stocks/*"),
        ("writer", "write:stocks/*   # and nothing else"),
        ("both", "read:stocks/* write:stocks/AAPL"),
        ("exact", "read:stocks write:stocks"),
        ("all", "read:* write:*"),
        ("none", ""),
    ] {
        callers.push_str(&format!(
            "{name}\t{}  {rights}\r\n",
            hash(name).to_uppercase()
        ));
    }
    let mut server = callers::server(&folder, &callers);
    let client = raw::client(&server.address);
    let everything = with_token("Bearer all", Some("stocks/AAPL"));
    assert_eq!(
        call(&client, "/Greeter/PutStream", &everything),
        Status::ok()
    );
    let topics = ["stocks/AAPL", "stocks/MSFT", "stocks", "chat"];
    for topic in topics {
        let metadata = with_token("Bearer all", Some(topic));
        assert_eq!(call(&client, "/Greeter/PutStream", &metadata), Status::ok());
    }
    for (name, reads, writes) in [
        ("reader", &topics[..2], &[][..]),
        ("writer", &[], &topics[..2]),
        ("both", &topics[..2], &topics[..1]),
        ("exact", &topics[2..3], &topics[2..3]),
        ("all", &topics[..], &topics[..]),
        ("none", &[], &[]),
    ] {
        let credentials = format!("Bearer {name}");
        for topic in topics {
            let (reads, writes) = (reads.contains(&topic), writes.contains(&topic));
            for (method, may, right) in [
                (METHODS[0], reads, "the right to read"),
                (METHODS[1], writes, "the right to write"),
                (
                    METHODS[2],
                    reads && writes,
                    "the rights to read and to write",
                ),
            ] {
                let mut metadata = with_token(&credentials, Some(topic));
                if method == METHODS[0] {
                    metadata.push(("follow", "false"));
                }
                let expected = format!(
                    "PERMISSION_DENIED: this call needs {right} topic {topic}, which {name} does \
                     not have; the operator of the server can grant it in the token file"
                );
                let (status, expected) = if may {
                    (call(&client, method, &metadata), "OK".to_owned())
                } else {
                    // The call is refused before it has sent a message.
                    let options = raw::with_metadata(&metadata);
                    (silent_call(&client, method, options), expected)
                };
                assert_eq!(status.to_string(), expected, "{name}, {method} on {topic}");
            }
        }
        // A call without a topic needs no right. The name of a topic is checked before the rights.
        for method in METHODS {
            let metadata = with_token(&credentials, None);
            assert_eq!(
                call(&client, method, &metadata),
                Status::ok(),
                "{name}, {method}"
            );
            let options = raw::with_metadata(&with_token(&credentials, Some("a b")));
            let code = silent_call(&client, method, options).code();
            assert_eq!(code, RpcStatusCode::INVALID_ARGUMENT);
        }
    }
    let refused = ["(none) ended", " 0 in, 0 out: PERMISSION_DENIED: "];
    server.log.wait_for_all(PATIENCE, &refused);
    // A caller that is not known does not learn that the topic is wrong.
    let options = raw::with_metadata(&with_token("Bearer wrong", Some("a b")));
    assert_eq!(
        silent_call(&client, METHODS[0], options).to_string(),
        UNKNOWN
    );
}

#[test]
fn the_token_file_is_read_again() {
    let folder = Folder::new();
    let (ann, bob) = (hash("secret-of-ann"), hash("secret-of-bob"));
    let mut server = callers::server(&folder, &format!("ann {ann} read:* write:*"));
    let client = raw::client(&server.address);
    let reach = |name: &str| {
        let credentials = format!("Bearer secret-of-{name}");
        call(&client, METHODS[0], &with_token(&credentials, None)).code()
    };
    let (known, unknown) = (RpcStatusCode::OK, RpcStatusCode::UNAUTHENTICATED);
    assert_eq!((reach("ann"), reach("bob")), (known, unknown));
    // This call stays open.
    let options = raw::with_metadata(&with_token("Bearer secret-of-ann", Some("t")));
    let (said, says) = futures::channel::mpsc::unbounded::<Result<StreamReqData, Status>>();
    let mut heard: calls::Conversation<StreamResData, _> =
        calls::duplex(&client, METHODS[2], says, options).expect("starts");
    let mut echo = |text: &str| {
        said.unbounded_send(Ok(request(text))).expect("sent");
        soon("echo", heard.next()).expect("more").expect("OK").data
    };
    assert_eq!(echo("a"), "a");

    let broken = [
        (
            format!("# Who may call\n\u{feff}bob {bob}"),
            "tokens: line 2: the caller's name has the invisible character \\u{feff}",
        ),
        (
            format!("bo\u{200b}b {bob}"),
            "tokens: line 1: the caller's name has the invisible character \\u{200b}",
        ),
        (
            format!("bob {bob}\nann"),
            "tokens: line 2: the second word is neither",
        ),
        (
            format!("bob {bob}\n\nann {ann}0"),
            "tokens: line 3: the second word is neither",
        ),
        (
            "bob secret-of-bob".to_owned(),
            "tokens: line 1: the second word is neither",
        ),
        (
            format!("bob {bob} secret-of-bob"),
            "tokens: line 1: word 3 is not a right",
        ),
        (
            format!("bob {bob} read:a write:secret*of"),
            "tokens: line 1: word 4 names no topic",
        ),
        (
            format!("bob {bob}\nann {bob}"),
            "tokens: line 2: the token is the same as in line 1; remove one of the lines",
        ),
        (
            format!("bob {bob}\nbob cert"),
            "tokens: line 2: the caller needs a certificate, and this server has no client CA",
        ),
        ("# nobody".to_owned(), "tokens: names no caller"),
        (String::new(), "tokens: names no caller"),
    ];
    for (contents, why) in &broken {
        folder.write("tokens", contents);
        server
            .log
            .wait_for_all(PATIENCE, &[why, "; the previous contents stay in force"]);
        assert_eq!((reach("ann"), reach("bob")), (known, unknown), "{why}");
    }
    let not_utf8 = [format!("bob {bob}\n").as_bytes(), b"\xff"].concat();
    folder.write("tokens", not_utf8);
    server
        .log
        .wait_for_all(PATIENCE, &["tokens: line 2: is not UTF-8"]);

    folder.write("tokens", format!("bob {bob}"));
    server
        .log
        .wait_for_all(PATIENCE, &["reloaded after a change: ", "tokens"]);
    assert_eq!((reach("ann"), reach("bob")), (unknown, known));
    assert_eq!(echo("b"), "b");
    let lines = server.log.so_far();
    let errors = lines.iter().filter(|line| line.contains("stay in force"));
    assert_eq!(errors.count(), broken.len() + 1, "each once: {lines:#?}");
    assert!(
        !lines.iter().any(|line| line.contains("secret")),
        "{lines:#?}"
    );

    let path = folder.write("tokens", "nobody");
    let (said, code) = refused(&["--listen", "127.0.0.1:0", "--token-file", &path]);
    assert!(
        said.contains("greeter-server: ") && said.contains("tokens: line 1: "),
        "{said}"
    );
    assert_eq!(code, Some(1));
}

#[test]
fn ten_thousand_wrong_tokens_cost_little_and_leave_nothing() {
    let folder = Folder::new();
    // Many tokens to compare with.
    let others = (0..1_000).map(|n| format!("caller-{n} {}\n", hash(&n.to_string())));
    let tokens = others.collect::<String>() + "ann " + &hash("secret-of-ann");
    let path = folder.write("tokens", tokens);
    let server = server::start_quiet(&callers::flags(&path));
    let client = raw::client(&server.address);
    let guess = |count: usize| {
        let guesses = stream::iter(0..count).map(|n| {
            let options = raw::with_metadata(&[("authorization", &format!("Bearer guess-{n}"))]);
            let method = raw::method(METHODS[n % 3]);
            let (sink, mut receiver) = client.duplex_streaming(&method, options).expect("starts");
            async move {
                let refused = receiver
                    .next()
                    .await
                    .expect("a failure")
                    .expect_err("a failure");
                drop(sink);
                Status::from(refused).code()
            }
        });
        let refused = guesses
            .buffer_unordered(50)
            .all(|code| async move { code == RpcStatusCode::UNAUTHENTICATED });
        assert!(within(PATIENCE * 3, "refused", refused));
    };
    guess(2_000);
    let before = server.resident();
    let begun = Instant::now();
    guess(10_000);
    let (took, grown) = (begun.elapsed(), server.resident().saturating_sub(before));
    println!("10,000 wrong tokens took {took:?}; {grown} KiB more in memory");
    assert!(grown < 8 * 1024, "{grown} KiB more");
    let begun = Instant::now();
    let good = with_token("Bearer secret-of-ann", None);
    assert_eq!(call(&client, "/Greeter/GetStream", &good), Status::ok());
    assert!(
        begun.elapsed() < Duration::from_secs(1),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn a_byte_order_mark_is_no_part_of_a_file() {
    let folder = Folder::new();
    let ca = Certificate::ca("ca");
    let marked = |text: &[u8]| ["\u{feff}".as_bytes(), text].concat();
    let pair = ca.sign_server("one");
    let certificate = folder.write("server.crt", marked(&pair.pem()));
    let key = folder.write("server.key", marked(&pair.key_pem()));
    let ca_path = folder.write("ca.crt", marked(&ca.pem()));
    for callers in ["", "# Who may call\n"] {
        let callers = format!("{callers}ann {}", hash("secret-of-ann"));
        let callers = folder.write("callers", marked(callers.as_bytes()));
        let tls = ["--tls-cert", &certificate, "--tls-key", &key];
        let mut server = server::start(&[&tls[..], &callers::flags(&callers)].concat());
        let token = folder.write("ann.token", marked(b"secret-of-ann\r\n"));
        let args = [
            "--tls",
            "--ca",
            &ca_path,
            "--token-file",
            &token,
            "get",
            "a",
        ];
        let (_, said, code) = by_program(&server.address, &args);
        assert_eq!((&*said, code), ("", Some(0)));
        server.log.wait_for_all(PATIENCE, &["(ann) ended", ": OK"]);
    }
}
