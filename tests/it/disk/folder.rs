//! Topics in a folder: what a client exports and imports, and what a stopped server leaves.

use std::fs;
use std::path::Path;
use std::process::Command;

use testkit::process::{run, text, Signal};
use testkit::server::Server;
use testkit::wait::PATIENCE;

use crate::support::program::client;
use crate::support::server::{self, SERVER};

/// What the client prints, given `input`.
fn printed(server: &Server, args: &[&str], input: &str) -> String {
    let output = run(&mut client(&server.address, args), input.as_bytes());
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout).to_owned()
}

#[test]
fn what_is_exported_and_imported_is_the_same() {
    let dir = tempfile::tempdir().expect("a folder");
    let data = dir.path().to_str().expect("UTF-8");
    let lines = [
        "",
        "a line",
        "grüße",
        &"x".repeat(100_000),
        "",
        "\t",
        "last",
    ]
    .join("\n")
        + "\n";
    let lines = lines.repeat(50);
    let put =
        |server: &Server, topic, lines: &str| printed(server, &["put", "--topic", topic], lines);
    let export = ["get", "--from", "earliest", "--no-follow", "--topic"];
    let export = |server: &Server, topic| printed(server, &[&export[..], &[topic]].concat(), "");
    {
        let server = server::start_quiet(&["--data", data]);
        put(&server, "t", &lines);
        assert!(export(&server, "t") == lines, "the lines come back");
        server.process.signal(Signal::KILL);
    }
    let server = server::start_quiet(&["--data", data]);
    let exported = export(&server, "t");
    assert!(exported == lines, "also from disk");
    put(&server, "copy", &exported);
    assert!(export(&server, "copy") == lines, "and again");
}

#[test]
fn the_topics_of_a_stopped_server_are_listed_and_left_alone() {
    let dir = tempfile::tempdir().expect("a folder");
    let data = dir.path().to_str().expect("UTF-8");
    let topics = |args: &[&str]| {
        let mut command = Command::new(SERVER);
        let output = command.args(["topics", "--data", data]).args(args).output();
        let output = output.expect("runs");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        )
    };
    let empty = topics(&[]);
    assert_eq!(empty.0, Some(1));
    assert!(empty.2.contains("there are no topics in"), "{}", empty.2);

    let mut server = server::start_quiet(&["--data", data, "--retention-messages", "2"]);
    printed(&server, &["put", "--topic", "b"], "1\n2\n3\n");
    printed(&server, &["put", "--topic", "a/long/name"], "one\n");
    let (code, _, errors) = topics(&[]);
    assert_eq!(code, Some(1));
    assert!(errors.contains("another process uses"), "{errors}");
    server.process.signal(Signal::KILL);
    server.process.wait(PATIENCE);

    let before = contents(dir.path());
    let (code, table, _) = topics(&[]);
    assert_eq!(code, Some(0));
    let rows: Vec<Vec<_>> = table
        .lines()
        .map(|l| l.split_whitespace().collect())
        .collect();
    assert_eq!(
        rows[0],
        ["topic", "earliest", "next", "messages", "bytes", "age"]
    );
    assert_eq!(rows[1][..5], ["a/long/name", "0", "1", "1", "67"]);
    assert_eq!(rows[2][..5], ["b", "1", "3", "2", "130"]);
    assert!(rows[1][5].ends_with('s'), "{table}");
    let (_, lines, _) = topics(&["--json"]);
    assert!(
        lines
            .lines()
            .nth(1)
            .is_some_and(|l| l.contains(r#""earliest":1"#)),
        "{lines}"
    );
    assert!(contents(dir.path()) == before, "nothing has changed");
}

/// Every file of a folder, with what is in it.
fn contents(dir: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            all.extend(contents(&path));
        } else {
            all.push((path.clone(), fs::read(&path).expect("a file")));
        }
    }
    all.sort();
    all
}
