//! What happens to a conversation when its terminal has an unusual size, and to the terminal when the
//! program fails.

use std::thread;
use std::time::Duration;

use futures_timer::Delay;
use greeter_stream::cli::client::end_at_panics;
use greeter_stream::client::{Client, Config};
use grpcio_streams::Queues;
use testkit::process::Process;
use testkit::terminal::Terminal;
use testkit::wait::PATIENCE;

use crate::support::program::{client, CLIENT};
use crate::support::server;

fn chat(server: &str) -> String {
    format!("{CLIENT} --server {server} all --topic room --name ann")
}

/// Waits until some line ends with `text`.
fn wait_for_end(terminal: &Terminal, text: &str) {
    terminal.wait_until(text, |seen| seen.iter().any(|line| line.ends_with(text)));
}

#[test]
fn no_size_of_the_terminal_loses_what_is_typed() {
    let server = server::start_quiet(&[]);
    let everything = ["get", "--topic", "room", "--from", "earliest"];
    let mut bob = Process::start(&mut client(&server.address, &everything));
    let mut heard = bob.lines();
    let mut ann = Terminal::run(&chat(&server.address));
    ann.wait_for(&["ann>"]);
    for (columns, rows) in [
        (24, 0),
        (0, 24),
        (0, 0),
        (1, 24),
        (24, 1),
        (1, 1),
        (0, 1),
        (2, 2),
    ] {
        ann.press("half a 股");
        ann.wait_for(&["ann> half a 股"]);
        ann.resize(columns, rows);
        // Completed and sent in this size.
        ann.press(&format!("票 line of {columns}x{rows}\r"));
        let line = format!("ann: half a 股票 line of {columns}x{rows}");
        heard.wait_for_all(PATIENCE, &[&line]);
        // Begun in this size, edited, and sent in another.
        ann.press("begun 股股\u{1b}[D\u{7f}\u{1b}[C");
        ann.resize(80, 24);
        ann.wait_for(&["ann> begun 股"]);
        ann.press("\r");
        heard.wait_for_all(PATIENCE, &["ann: begun 股"]);
        ann.wait_for(&["ann: begun 股", "ann>"]);
    }
    // A line that is longer than the screen.
    let long = "long ".repeat(1000);
    ann.press(&long);
    for (columns, rows) in [(1, 1), (0, 0), (3, 3), (80, 24)] {
        ann.resize(columns, rows);
        ann.press("x");
    }
    ann.press("\r");
    heard.wait_for_all(PATIENCE, &[&format!("ann: {long}xxxx")]);
    ann.press("\x03");
    assert_eq!(ann.process.wait(PATIENCE).code(), Some(130));
}

#[test]
fn a_line_that_is_sent_from_a_terminal_without_a_size_arrives() {
    let server = server::start_quiet(&[]);
    for (columns, rows) in [(0, 0), (1, 1), (0, 1), (1, 0)] {
        let mut ann = Terminal::sized(&chat(&server.address), columns, rows);
        let hello = format!("hello 股票 from {columns}x{rows}");
        ann.press(&format!("{hello}\r"));
        let mut bob = Terminal::run(&chat(&server.address));
        wait_for_end(&bob, &format!("ann: {hello}"));
        bob.press("\x03");
        bob.process.wait(PATIENCE);
        ann.resize(80, 24);
        ann.press("half");
        ann.wait_for(&["ann> half"]);
        ann.press("\x03");
        assert_eq!(ann.process.wait(PATIENCE).code(), Some(130));
    }
}

#[test]
#[ignore = "a helper of the test below"]
fn a_panic() {
    end_at_panics();
    crossterm::terminal::enable_raw_mode().expect("a terminal");
    let queues = Queues::start("queue", 1);
    let client = Client::new(&queues, Config::default()).expect("a client");
    // Outside of what `run` waits for, so that only the thread of the queue would notice.
    client.spawn(async {
        // Its first step is taken here, and the others on the thread of the queue.
        while thread::current().name() != Some("queue-0") {
            Delay::new(Duration::from_millis(1)).await;
        }
        panic!("on\npurpose")
    });
    client.run(async { Delay::new(PATIENCE).await });
}

#[test]
fn a_panic_ends_the_program_and_restores_the_terminal() {
    let helper = testkit::helper::shell_command(module_path!(), "a_panic");
    let seen = Terminal::run(&format!(
        "sh -c 'unset RUST_BACKTRACE; {helper} >/dev/null; echo $?; stty -a | grep -o \" echo \"'"
    ));
    seen.wait_until("the reason, the exit code and the echo", |seen| match seen {
        [.., code, echo] => {
            let said = seen.concat();
            *code == "101"
                && *echo == " echo"
                && said.contains("greeter-client: a bug in this program has ended it: its thread queue-0 panicked at ")
                && said.contains(" on purpose; please report this line")
        }
        _ => false,
    });
}
