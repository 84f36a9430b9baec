//! The walk-throughs of the tutorial, typed as they stand there.
//!
//! Each is a block of lines `NAME$ command`, `NAME> line` and `NAME| output`. In an output `…` stands
//! for any text, and an output that is only `…` stands for any lines. The test replaces the ports by
//! free ones, and nothing else.

use std::collections::BTreeMap;
use std::env;
use std::path::Path;

use testkit::folder::Folder;
use testkit::ports;
use testkit::terminal::Terminal;

use crate::support::program::CLIENT;
use crate::support::server;

/// The first block of the section with this title.
fn block(title: &str) -> Vec<String> {
    let tutorial = include_str!("../../../docs/tutorial.md");
    let heading = format!("### {title}");
    let lines = tutorial.lines().skip_while(|line| *line != heading).skip(1);
    let block: Vec<_> = lines
        .take_while(|line| !line.starts_with('#'))
        .skip_while(|line| !line.starts_with("    "))
        .map_while(|line| Some(line.strip_prefix("    ")?.to_owned()))
        .collect();
    assert!(block.len() > 5, "{block:?}");
    block
}

/// The name, the mark and the rest of a line.
fn parse(line: &str) -> (&str, char, &str) {
    let at = line.find(['$', '>', '|']).expect("a marked line");
    let (name, rest) = line.split_at(at);
    let mark = rest.chars().next().expect("a mark");
    (name, mark, rest[1..].trim_start())
}

/// Types a walk-through of the tutorial and checks what the terminals show.
fn walk_through(title: &str) {
    let server = server::start_quiet(&[]);
    let port = |address: &str| address.rsplit(':').next().expect("a port").to_owned();
    let relay_port = ports::free().to_string();
    let folder = Folder::new();
    let programs = Path::new(CLIENT).parent().expect("a folder").to_owned();
    let path = env::var("PATH").expect("PATH");
    let open = |name: &str| {
        Terminal::shell(name, |shell| {
            shell
                .current_dir(&folder)
                .env("PATH", format!("{}:{path}", programs.display()))
                .env("GREETER_SERVER", &server.address);
        })
    };
    let mut terminals: BTreeMap<String, (Terminal, Vec<String>)> = BTreeMap::new();
    for line in block(title) {
        let line = line
            .replace("50052", &port(&server.address))
            .replace("50053", &relay_port);
        let (name, mark, text) = parse(&line);
        let (terminal, shown) = terminals
            .entry(name.to_owned())
            .or_insert_with(|| (open(name), Vec::new()));
        let prompt = format!("{name}{mark}");
        match (mark, text) {
            ('|', _) => shown.push(text.to_owned()),
            (_, "^C") => {
                terminal.press("\x03");
                shown.push(text.to_owned());
            }
            _ => {
                wait(terminal, shown, Then::Prompt(&prompt));
                terminal.press(&format!("{text}\r"));
                // A line typed at the client's prompt is shown as everyone sees it.
                if mark == '$' {
                    shown.push(line.clone());
                }
            }
        }
        wait(terminal, shown, Then::Anything);
    }
    for (terminal, shown) in terminals.values() {
        wait(terminal, shown, Then::Prompt(""));
    }
}

/// What a terminal may show after the lines that are expected.
#[derive(Clone, Copy, Debug)]
enum Then<'a> {
    /// A prompt that begins so. If that is empty, any prompt or nothing.
    Prompt(&'a str),
    /// Lines that are expected later.
    Anything,
}

/// Waits until a terminal shows what is expected.
fn wait(terminal: &Terminal, expected: &[String], then: Then<'_>) {
    terminal.wait_until(&format!("{expected:#?}, {then:?}"), |seen| {
        // After a program that Ctrl-C has ended, the prompt may be on the line of `^C`.
        let seen = seen.iter().flat_map(|line| match line.strip_prefix("^C") {
            Some(prompt) if !prompt.is_empty() => vec!["^C", prompt],
            _ => vec![*line],
        });
        is_shown(expected, &seen.collect::<Vec<_>>(), then)
    });
}

fn is_shown(expected: &[String], seen: &[&str], then: Then<'_>) -> bool {
    let Some((first, rest)) = expected.split_first() else {
        return match (then, seen) {
            (Then::Anything, _) => true,
            (Then::Prompt(prompt), []) => prompt.is_empty(),
            (Then::Prompt(prompt), [last]) => {
                last.ends_with(['$', '>']) && last.starts_with(prompt)
            }
            _ => false,
        };
    };
    if first == "…" {
        return (0..=seen.len()).any(|skipped| is_shown(rest, &seen[skipped..], then));
    }
    match seen.split_first() {
        Some((line, seen)) => matches(first, line) && is_shown(rest, seen, then),
        None => false,
    }
}

/// Whether a line is as expected, where `…` is any text.
fn matches(expected: &str, line: &str) -> bool {
    match expected.split_once('…') {
        None => expected == line,
        Some((start, rest)) => line.strip_prefix(start).is_some_and(|line| {
            let ends = line.char_indices().map(|(at, _)| at).chain([line.len()]);
            ends.into_iter().any(|at| matches(rest, &line[at..]))
        }),
    }
}

#[test]
fn a_stock_ticker() {
    walk_through("A stock ticker");
}

#[test]
fn telemetry() {
    walk_through("Telemetry");
}

#[test]
fn a_chat_room() {
    walk_through("A chat room");
}

#[test]
fn expectations_are_exact_but_for_what_they_leave_open() {
    assert!(matches("a…c", "abc") && matches("…", "") && matches("a…b…", "axbxb"));
    assert!(!matches("a…c", "abcd") && !matches("abc", "ab"));
    let expected = ["a", "…", "c"].map(str::to_owned);
    let shown = |seen: &[&str]| is_shown(&expected, seen, Then::Prompt(""));
    assert!(shown(&["a", "b", "b", "c"]) && shown(&["a", "c"]) && shown(&["a", "c", "x$"]));
    assert!(!shown(&["a", "b"]) && !shown(&["a", "c", "d"]));
    assert!(is_shown(&expected, &["a", "c", "d"], Then::Anything));
}
