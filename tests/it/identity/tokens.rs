//! Tokens: which ones a server accepts, how clients send them, and where they never appear.

use std::path::Path;
use std::time::Instant;

use futures::StreamExt;
use greeter_stream::client::{ClientTls, Config, Token};
use grpcio_streams::Status;
use testkit::certificates::{Certificate, Wanted};
use testkit::folder::Folder;
use testkit::process::{run, text};
use testkit::wait::{soon, PATIENCE};
use testkit::{helper, raw};

use crate::support::callers::{self, call, hash, silent_call, with_token, METHODS, UNKNOWN};
use crate::support::program::client as program;
use crate::support::{client_with, server};

#[test]
fn a_call_needs_a_token_that_the_server_knows() {
    let folder = Folder::new();
    let mut server = callers::server(&folder, &format!("ann {}", hash("secret-of-ann")));
    let client = raw::client(&server.address);
    for method in METHODS {
        for good in ["Bearer secret-of-ann", "bearer  secret-of-ann"] {
            assert_eq!(call(&client, method, &with_token(good, None)), Status::ok());
            let parts = [method, "(ann) ended", ": OK"];
            server.log.wait_for_all(PATIENCE, &parts);
        }
        let bad: [&[(&str, &str)]; 8] = [
            &[],
            &[("authorization", "")],
            &[("authorization", "Bearer")],
            &[("authorization", "Bearer ")],
            &[("authorization", "Bearer secret-of-bob")],
            &[("authorization", "Basic secret-of-ann")],
            &[("authorization", "secret-of-ann")],
            &[
                ("authorization", "Bearer secret-of-ann"),
                ("authorization", "Bearer secret-of-ann"),
            ],
        ];
        for metadata in bad {
            // The call is refused with and without a message.
            assert_eq!(
                call(&client, method, metadata).to_string(),
                UNKNOWN,
                "{metadata:?}"
            );
            let silent = silent_call(&client, method, raw::with_metadata(metadata));
            assert_eq!(silent.to_string(), UNKNOWN, "{metadata:?}");
            for _ in 0..2 {
                let parts = [method, " 0 in, 0 out: UNAUTHENTICATED: "];
                server.log.wait_for_all(PATIENCE, &parts);
            }
        }
    }
}

#[test]
fn the_programs_and_the_library_send_a_token() {
    let folder = Folder::new();
    let server = callers::server(
        &folder,
        &format!("ann {} read:* write:*", hash("secret-of-ann")),
    );
    let token = folder.write("ann.token", "secret-of-ann\n");
    let wrong = folder.write("bob.token", "secret-of-bob\n");
    let call = |args: &[&str], variable: &str| {
        let mut command = program(&server.address, args);
        let output = run(command.env("GREETER_TOKEN", variable), b"a\n");
        let texts = (
            text(&output.stdout).to_owned(),
            text(&output.stderr).to_owned(),
        );
        (texts.0, texts.1, output.status.code())
    };
    for args in [
        &["get", "a"][..],
        &["put"],
        &["all"],
        &["put", "--topic", "t"],
        &["get", "--topic", "t", "--from", "earliest", "--no-follow"],
        &["all", "--topic", "t"],
    ] {
        let (_, said, code) = call(&[args, &["--token-file", &token]].concat(), "");
        assert_eq!((&*said, code), ("", Some(0)), "{args:?}");
        let (_, said, code) = call(args, "secret-of-ann");
        assert_eq!((&*said, code), ("", Some(0)), "{args:?}");
        let hint = "; --token-file names a token, --cert and --key a certificate";
        for (args, variable, hint) in [
            (args.to_vec(), "", hint),
            (args.to_vec(), "secret-of-bob", ""),
            // The file counts for more than the variable.
            (
                [args, &["--token-file", &wrong]].concat(),
                "secret-of-ann",
                "",
            ),
        ] {
            let (out, said, code) = call(&args, variable);
            assert_eq!((&*out, code), ("", Some(1)), "{args:?}");
            assert_eq!(
                said,
                format!(
                    "greeter-client: {UNKNOWN}{hint} (server {})\n",
                    server.address
                )
            );
        }
    }
    let bench = ["bench", "calls", "--duration", "100ms", "--warmup", "0s"];
    assert_eq!(call(&bench, "secret-of-ann").2, Some(0));

    let config = |token| Config {
        servers: vec![server.address.clone()],
        token,
        ..Config::default()
    };
    let token = Token::new("secret-of-ann").expect("a token");
    assert_eq!(
        format!("{:?}", config(Some(token.clone())).token),
        "Some(Token(…))"
    );
    let ann = client_with(config(Some(token)));
    assert_eq!(soon("ticks", ann.get("a").expect("starts").count()), 1);
    let nobody = client_with(config(None));
    let failure = soon("end", nobody.get("a").expect("starts").next()).expect("a failure");
    assert_eq!(failure.expect_err("nobody").to_string(), UNKNOWN);
}

#[test]
fn a_client_keeps_its_token_where_others_could_read_it() {
    let folder = Folder::new();
    let token = folder.write("token", "secret-of-ann");
    // The first is an address of no machine (RFC 5737).
    for server in [
        "192.0.2.1:50052",
        "dns:///example.org:50052",
        "dns://192.0.2.1/localhost:50052",
        "ipv4:127.0.0.1:50052,192.0.2.1:50052",
        "example.org:50052",
    ] {
        let begun = Instant::now();
        let output = run(
            &mut program(server, &["get", "a", "--token-file", &token]),
            b"",
        );
        let why = format!(
            "greeter-client: without TLS everyone on the network path to {server} could read the token, so \
             it is not sent; use TLS (--tls)\n"
        );
        assert_eq!(
            (text(&output.stderr), output.status.code()),
            (&*why, Some(1))
        );
        assert!(begun.elapsed() < PATIENCE / 4, "nothing is tried");
    }
    for (contents, why) in [
        (
            &b"two words"[..],
            "is not a token; a token consists of A-Z a-z 0-9",
        ),
        (b"", "is not a token"),
        (b"\xff", "is not a token"),
    ] {
        let token = folder.write("bad", contents);
        let output = run(
            &mut program("127.0.0.1:1", &["get", "a", "--token-file", &token]),
            b"",
        );
        let said = text(&output.stderr);
        assert!(
            said.contains(&format!("bad: {why}")) && !said.contains("two words"),
            "{said}"
        );
    }
    let mut command = program("127.0.0.1:1", &["get", "a"]);
    let output = run(command.env("GREETER_TOKEN", "two words"), b"");
    let said = text(&output.stderr);
    let why = "greeter-client: the environment variable GREETER_TOKEN is not a token; ";
    assert!(
        said.starts_with(why) && !said.contains("two words"),
        "{said}"
    );
}

#[test]
fn a_token_that_came_over_a_network_in_plaintext_is_refused() {
    helper::run_on_a_network(module_path!(), "elsewhere", "192.0.2.1", PATIENCE);
}

/// Calls a server from an address that is not a loopback one.
#[test]
#[ignore = "a helper process of another test"]
fn elsewhere() {
    let folder = Folder::new();
    let tokens = folder.write("tokens", format!("ann {}", hash("secret-of-ann")));
    let (certificate, key) = folder.write_pair(
        "server",
        &Certificate::ca("ca").sign(Wanted {
            alternative: &["192.0.2.1"],
            ..Wanted::default()
        }),
    );
    let address = format!("{}:0", helper::address());
    let args = callers::flags(&tokens);
    let plain = server::start_at(&address, &[&args[..], &["--insecure"]].concat());
    let client = raw::client(&plain.address);
    for token in ["Bearer secret-of-ann", "Bearer wrong", ""] {
        let refused = call(&client, "/Greeter/GetStream", &with_token(token, None));
        assert_eq!(
            refused.to_string(),
            "UNAUTHENTICATED: a token that comes over the network in plaintext is not accepted: \
             others may have read it; use TLS and a new token"
        );
    }
    let (ca, tls) = (
        folder.path("server.crt"),
        ["--tls-cert", &certificate, "--tls-key", &key],
    );
    let secured = server::start_at(&address, &[&args[..], &tls].concat());
    let ann = client_with(Config {
        servers: vec![secured.address.clone()],
        tls: Some(ClientTls::new().ca(Path::new(&ca)).expect("a CA")),
        token: Some(Token::new("secret-of-ann").expect("a token")),
        ..Config::default()
    });
    assert_eq!(soon("ticks", ann.get("a").expect("starts").count()), 1);
}

#[test]
fn a_token_is_never_in_the_log() {
    let folder = Folder::new();
    let path = folder.write(
        "tokens",
        format!("ann {} read:* write:*", hash("secret-of-ann")),
    );
    let args = callers::flags(&path);
    let mut server = server::start_with("127.0.0.1:0", &args, "trace");
    let client = raw::client(&server.address);
    for method in METHODS {
        for token in ["secret-of-ann", "secret-of-bob"] {
            for scheme in ["Bearer", "Basic"] {
                for topic in [None, Some("t"), Some("a b")] {
                    let credentials = format!("{scheme} {token}");
                    let mut metadata = with_token(&credentials, topic);
                    if method == METHODS[0] {
                        metadata.push(("follow", "false"));
                    }
                    call(&client, method, &metadata);
                }
            }
        }
    }
    drop(client);
    server.stop(PATIENCE);
    let lines = server.log.rest();
    let started = lines.iter().filter(|line| line.contains(" started"));
    assert_eq!(started.count(), 36);
    let debug = lines.iter().filter(|line| line.contains("DEBUG"));
    assert!(debug.count() > 3, "{lines:#?}");
    let shown: Vec<_> = lines
        .iter()
        .filter(|line| line.contains("secret"))
        .collect();
    assert!(shown.is_empty(), "{shown:#?}");
}
