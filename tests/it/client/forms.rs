//! Messages that go to a file and come back, and files that are not as they should be.

use futures::SinkExt;
use greeter_stream::client::PublishOptions;
use testkit::folder::Folder;
use testkit::process::{command, run, text};
use testkit::server::Server;
use testkit::wait::soon;

use crate::support::program::{client as program, CLIENT};
use crate::support::{client, kept, server, topic};

/// The longest text of a message, in bytes.
const LONGEST: usize = 4 * 1024 * 1024 - 5;

/// Messages that a file of lines does not keep apart, or that text often loses.
fn difficult() -> Vec<String> {
    let mut messages = [
        "",
        "\n",
        "a\nb",
        "ends with a line\r\n",
        "\r",
        "a\rb\r",
        "\0",
        "\0\n\0",
        "\u{feff}first",
        "\u{2028}\u{2029}\u{85}\u{b}\u{c}",
        "\u{1b}[31m\u{7f}\u{9b}\u{202e}",
        "\\",
        "\\n",
        "\\\\\n\\",
        "\"quoted\" {\"data\":\"x\"}",
        "ß 股票 😀 e\u{301}",
        " spaces\t",
        "",
    ]
    .map(str::to_owned)
    .to_vec();
    // Each byte of these takes six bytes in JSON, or two in the form of `--escape`.
    messages.push("\u{1}".repeat(LONGEST));
    messages.push("\n".repeat(LONGEST));
    messages
}

fn publish(server: &Server, name: &str, messages: &[String]) {
    let mut publisher = client(&server.address).publish(topic(name), PublishOptions::default());
    for message in messages {
        soon("sent", publisher.feed(message.clone())).expect("not lost");
    }
    soon("acknowledged", publisher.close()).expect("stored");
}

/// What the client writes to a file when it gets a whole topic with these flags, and what it says.
fn export(server: &Server, name: &str, flags: &[&str]) -> (Vec<u8>, String) {
    let get = ["get", "--topic", name, "--from", "earliest", "--no-follow"];
    let output = run(program(&server.address, &get).args(flags), b"");
    let said = text(&output.stderr).to_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    (output.stdout, said)
}

/// What the client says when it puts these bytes, and its exit code.
fn import(server: &Server, args: &[&str], bytes: &[u8]) -> (Option<i32>, String) {
    let output = run(program(&server.address, &["put"]).args(args), bytes);
    (output.status.code(), text(&output.stderr).to_owned())
}

#[test]
fn every_message_comes_back_from_a_file() {
    let server = server::start_quiet(&[]);
    let messages = difficult();
    publish(&server, "t", &messages);
    for form in ["--json", "--escape"] {
        let (file, said) = export(&server, "t", &[form]);
        assert_eq!(said, "");
        let lines = file.iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(lines, messages.len(), "{form}");
        let copy = form.trim_start_matches('-');
        let (code, said) = import(&server, &["--topic", copy, form], &file);
        assert_eq!((code, said.as_str()), (Some(0), ""));
        assert!(kept(&server.address, copy) == messages, "{form}");
    }
    // What a conversation prints is read, too.
    let all = ["all", "--topic", "t", "--from", "earliest", "--json"];
    let said = run(&mut program(&server.address, &all), b"").stdout;
    assert_eq!(
        import(&server, &["--topic", "all", "--json"], &said).0,
        Some(0)
    );
    assert!(kept(&server.address, "all") == messages);
}

#[test]
fn an_escaped_conversation_has_messages_of_several_lines() {
    let server = server::start_quiet(&[]);
    let all = ["all", "--topic", "room", "--escape", "--name", "ann"];
    let output = run(
        &mut program(&server.address, &all),
        b"two\\nlines \\\\n\nend\n",
    );
    assert_eq!(
        text(&output.stdout),
        "ann: two\\nlines \\\\n\nann: end\n",
        "{}",
        text(&output.stderr)
    );
    assert_eq!(
        kept(&server.address, "room"),
        ["ann: two\nlines \\n", "ann: end"]
    );
}

#[test]
fn a_message_that_becomes_several_lines_is_told_once() {
    let server = server::start_quiet(&[]);
    publish(&server, "t", &["a", "b\nc", "d\ne"].map(str::to_owned));
    let (file, said) = export(&server, "t", &[]);
    assert_eq!(text(&file), "a\nb\nc\nd\ne\n");
    let told = "greeter-client: the message at offset 1 of topic t has a line feed";
    assert!(
        said.starts_with(told) && said.contains("--escape"),
        "{said}"
    );
    assert_eq!(said.lines().count(), 1, "{said}");

    // In a conversation the second line could look like another person's.
    let all = ["all", "--topic", "t", "--from", "earliest"];
    let output = run(&mut program(&server.address, &all), b"");
    assert_eq!(text(&output.stdout), "a\nb\\nc\nd\\ne\n");
    assert_eq!(text(&output.stderr), "");

    // A terminal escapes control characters.
    let get = format!(
        "{CLIENT} --server {} get --topic t --from earliest --no-follow",
        server.address
    );
    let shown = run(command("script").args(["-qec", &get, "/dev/null"]), b"");
    assert_eq!(text(&shown.stdout), "a\r\nb\\nc\r\nd\\ne\r\n");
}

#[test]
fn a_line_without_the_form_of_a_message_is_named() {
    let server = server::start_quiet(&[]);
    for (flag, bad, why) in [
        (
            "--json",
            "aaa",
            "is not JSON from its byte 1 on; leave out --json",
        ),
        ("--json", "", "is not JSON"),
        (
            "--json",
            "[\"a\"]",
            "is not a JSON object with one text `data`",
        ),
        (
            "--json",
            "{\"data\":7}",
            "is not a JSON object with one text `data`",
        ),
        (
            "--escape",
            "a\\tb",
            "has a backslash at its byte 2 that does not begin \\\\, \\n or \\r",
        ),
    ] {
        let good = "{\"data\":\"a\",\"more\":[1]}\n";
        let file = format!("{good}{bad}\n{good}");
        let (code, said) = import(&server, &["--topic", "t", flag], file.as_bytes());
        let told = format!("\ngreeter-client: line 2 of standard input {why}");
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(&told), "{said}");
        assert!(said.contains("--skip-invalid"), "{said}");

        let (code, said) = import(
            &server,
            &["--topic", "skipped", flag, "--skip-invalid"],
            file.as_bytes(),
        );
        let told = "greeter-client: left out 1 line of standard input: 2; the first of them ";
        assert_eq!(code, Some(0), "{said}");
        assert!(said.starts_with(&format!("{told}{why}")), "{said}");
    }
    assert_eq!(kept(&server.address, "t").len(), 5);
    assert_eq!(kept(&server.address, "skipped").len(), 10);
}

#[test]
fn lines_that_cannot_be_sent_are_left_out_and_counted() {
    let server = server::start_quiet(&[]);
    let folder = Folder::new();
    let long = vec![b'x'; 9 * 1024 * 1024];
    let lines: Vec<&[u8]> = vec![b"one", b"\xff", b"", &long, b"two\xc3"];
    let file = folder.write("file", [&lines.join(&b'\n')[..], b"\nlast"].concat());
    for args in [
        &["--topic", "t", "--skip-invalid", &file][..],
        &["--skip-invalid", &file],
    ] {
        let (code, said) = import(&server, args, b"");
        assert_eq!(code, Some(0), "{said}");
        let told = format!(
            "greeter-client: left out 3 lines of {file}: 2, 4, 5; the first of them is not UTF-8 \
             from its byte 1 on\n"
        );
        assert_eq!(said, told);
    }
    assert_eq!(kept(&server.address, "t"), ["one", "", "last"]);

    let many = b"\xff\n".repeat(25);
    let (code, said) = import(&server, &["--topic", "t", "--skip-invalid"], &many);
    assert_eq!(code, Some(0));
    let told = "left out 25 lines of standard input: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 15 more;";
    assert!(said.contains(told), "{said}");
    // Nothing is told of a file in order.
    let flags = ["--topic", "t", "--skip-invalid"];
    assert_eq!(import(&server, &flags, b"fine\n"), (Some(0), String::new()));
}

#[test]
fn what_is_not_utf_8_is_replaced_and_counted() {
    let server = server::start_quiet(&[]);
    let flags = ["--topic", "t", "--lossy"];
    let (code, said) = import(&server, &flags, b"a\xff\xfeb\nfine \xc3\x9f\n\xe2\x82\n");
    assert_eq!(code, Some(0), "{said}");
    let told = "greeter-client: replaced what is not UTF-8 by U+FFFD at 3 places, in 2 lines of \
                standard input: 1, 3\n";
    assert_eq!(said, told);
    assert_eq!(
        kept(&server.address, "t"),
        ["a\u{fffd}\u{fffd}b", "fine ß", "\u{fffd}"]
    );
    assert_eq!(import(&server, &flags, b"fine\n"), (Some(0), String::new()));

    // U+FFFD has three bytes.
    let long = vec![0xff; LONGEST / 2];
    let (code, said) = import(&server, &flags, &long);
    assert_eq!(code, Some(1));
    let told = "line 1 of standard input has a message of 6291447 bytes, and the most that fits";
    assert!(said.contains(told), "{said}");

    for wrong in [["--lossy", "--skip-invalid"], ["--json", "--escape"]] {
        assert_eq!(import(&server, &wrong, b"").0, Some(2), "{wrong:?}");
    }
}
