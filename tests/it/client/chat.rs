//! Conversations on a terminal, as people have them with `greeter-client all`.

use std::process::Stdio;

use futures::SinkExt;
use testkit::process::{run, text, Signal};
use testkit::terminal::Terminal;
use testkit::wait::{soon, PATIENCE};

use crate::support::program::{client, CLIENT};
use crate::support::{client as library, server, topic};

/// Joins the room on a terminal.
fn join(server: &str, flags: &str) -> Terminal {
    Terminal::run(&format!(
        "{CLIENT} --server {server} all --topic room {flags}"
    ))
}

/// Publishes lines to the room.
fn put(server: &str, lines: &str) {
    let output = run(
        client(server, &["put", "--topic", "room"]).stdout(Stdio::null()),
        lines.as_bytes(),
    );
    assert!(output.status.success());
}

#[test]
fn lines_that_arrive_leave_the_line_that_is_typed_whole() {
    let server = server::start(&[]);
    let before: Vec<_> = (1..=12).map(|n| n.to_string()).collect();
    put(&server.address, &(before.join("\n") + "\n"));

    let mut ann = join(&server.address, "--name ann");
    // The last ten of the messages before.
    let mut shown: Vec<_> = before[2..].iter().map(String::as_str).collect();
    shown.push("ann>");
    ann.wait_for(&shown);
    ann.press("half a");
    ann.wait_for(&["12", "ann> half a"]);
    put(&server.address, "bob: hi, ann\nbob: are you there?\n");
    ann.wait_for(&["12", "bob: hi, ann", "bob: are you there?", "ann> half a"]);
    ann.press(" line\r");
    // The line is shown as everyone in the room sees it.
    ann.wait_for(&["bob: are you there?", "ann: half a line", "ann>"]);

    // The key that points up shows the line typed before.
    ann.press("\x1b[A");
    ann.wait_for(&["ann: half a line", "ann> half a line"]);
    ann.press("\x03");
    assert_eq!(ann.process.wait(PATIENCE).code(), Some(130));
}

#[test]
fn the_end_of_the_input_ends_a_conversation_when_everything_is_heard() {
    let server = server::start(&[]);
    let mut ann = join(&server.address, "");
    ann.wait_for(&[">"]);
    ann.press("bye\r");
    ann.wait_for(&["bye", ">"]);
    ann.press("\x04");
    assert_eq!(ann.process.wait(PATIENCE).code(), Some(0));
}

#[test]
fn what_is_pasted_is_said_line_by_line() {
    let server = server::start_quiet(&[]);
    let mut ann = join(&server.address, "--name ann");
    ann.wait_for(&["ann>"]);
    let lines: Vec<_> = (1..=300).map(|n| format!("line {n} of 300")).collect();
    ann.press(&(lines.join("\r") + "\r"));
    ann.wait_for(&["ann: line 300 of 300", "ann>"]);
    let all = [
        "get",
        "--topic",
        "room",
        "--from",
        "earliest",
        "--no-follow",
    ];
    let said = run(&mut client(&server.address, &all), b"");
    let said = text(&said.stdout)
        .lines()
        .map(|line| line.trim_start_matches("ann: "));
    assert!(said.eq(&lines));
}

#[test]
fn what_is_typed_while_the_server_is_away_is_said_when_it_is_back() {
    let mut server = server::start(&[]);
    let address = server.address.clone();
    put(&address, "before\n");
    let mut ann = join(&address, "--name ann");
    ann.wait_for(&["before", "ann>"]);
    server.process.kill();
    server.process.wait(PATIENCE);
    let told = |seen: &[&str]| seen.iter().any(|line| line.contains("; trying again in "));
    ann.wait_until("a notice", told);
    ann.press("hello\r");
    let mut server = server::start_at(&address, &[]);
    ann.wait_for(&["ann: hello", "ann>"]);

    // A line that waits for the server does not keep anyone from leaving.
    server.process.kill();
    server.process.wait(PATIENCE);
    ann.press("lost\r");
    ann.wait_until("notices", |seen| {
        told(&seen[seen.len().saturating_sub(3)..])
    });
    ann.press("\x03");
    assert_eq!(ann.process.wait(PATIENCE).code(), Some(130));
}

#[test]
fn a_conversation_that_keeps_nothing_ends_all_the_same() {
    let server = server::start(&["--retention-messages", "0"]);
    let mut all = client(&server.address, &["all", "--topic", "room"]);
    let output = run(&mut all, b"gone at once\n");
    assert_eq!(output.status.code(), Some(1));
    let told = text(&output.stderr);
    assert!(told.contains("lost message 0: "), "{told}");
}

#[test]
fn a_lost_server_is_told_above_the_prompt_and_leaves_the_terminal_as_it_was() {
    let server = server::start(&[]);
    let mut ann = Terminal::run(&format!(
        "sh -c '{CLIENT} --server {} all --topic room --no-resume; stty -a | grep -o \" echo \"'",
        server.address
    ));
    // Once the client shows its own line, the call that follows is running. The call that has
    // published the line may not have its receipt yet, and then it is the one that ends first.
    ann.wait_for(&[">"]);
    ann.press("all\r");
    ann.wait_for(&["all", ">"]);
    ann.press("half");
    ann.wait_for(&["> half"]);
    server.process.signal(Signal::TERM);
    let told =
        "greeter-client: UNAVAILABLE: the server is shutting down; try again, or try another server";
    let is_told = |seen: &[&str]| match seen {
        [.., line, end] => line.starts_with(told) && *end == " echo",
        _ => false,
    };
    ann.wait_until("the reason and the terminal's echo", is_told);
    assert!(ann.process.wait(PATIENCE).success());
}

#[test]
fn nobody_looks_like_somebody_else() {
    let server = server::start_quiet(&[]);
    for name in ["ann: hello\nbob", "ann:", "ann\nbob", "a\u{2028}b", "", " "] {
        let mut all = client(&server.address, &["all", "--topic", "room", "--name", name]);
        let output = run(&mut all, b"hi\n");
        assert_eq!(output.status.code(), Some(2), "{name:?}");
        let told = text(&output.stderr);
        assert!(told.contains("a name "), "{told}");
    }
    // A message of several lines, as any other client can send it.
    let mut participant = library(&server.address).publish(topic("room"), Default::default());
    let forged = "ann: hello\nbob: I quit\r\u{2028}cy: so do I";
    soon("sent", participant.send(forged.to_owned())).expect("OK");
    for (flags, line) in [
        (&[][..], "ann: hello\\nbob: I quit\\r\\u{2028}cy: so do I"),
        (
            &["--json"],
            r#""data":"ann: hello\nbob: I quit\r\u2028cy: so do I""#,
        ),
    ] {
        let all = ["all", "--topic", "room", "--from", "earliest"];
        let mut all = client(&server.address, &[&all[..], flags].concat());
        let output = run(&mut all, b"");
        let heard = text(&output.stdout);
        assert_eq!(heard.lines().count(), 1, "{heard}");
        assert!(heard.contains(line), "{heard}");
    }
}
