//! A program on a terminal, and what a person sees there.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use super::process::Process;
use super::PATIENCE;

pub struct Terminal {
    pub process: Process,
    keyboard: ChildStdin,
    screen: Arc<(Mutex<vt100::Parser>, Condvar)>,
}

impl Terminal {
    /// Runs a shell command on a terminal of 80 columns and 24 rows.
    pub fn run(command: &str) -> Self {
        let command = format!("stty rows 24 cols 80; exec {command}");
        // Of util-linux; it makes the terminal.
        let mut script = Command::new("script");
        script
            .args(["-qec", &command, "/dev/null"])
            .env("TERM", "xterm")
            .env_remove("RUST_LOG")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit());
        let mut process = Process::start(&mut script);
        let child: &mut Child = &mut process.0;
        let keyboard = child.stdin.take().expect("piped");
        let mut output = child.stdout.take().expect("piped");
        let screen = Arc::new((Mutex::new(vt100::Parser::default()), Condvar::new()));
        let shared = screen.clone();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(n @ 1..) = output.read(&mut bytes) {
                let (parser, changed) = &*shared;
                parser.lock().expect("no panic").process(&bytes[..n]);
                changed.notify_all();
            }
        });
        Self {
            process,
            keyboard,
            screen,
        }
    }

    pub fn press(&mut self, keys: &str) {
        let keys = keys.as_bytes();
        self.keyboard.write_all(keys).expect("the terminal reads");
    }

    /// Waits until the last lines on the screen are these.
    pub fn wait_for(&self, lines: &[&str]) {
        let (parser, changed) = &*self.screen;
        let ends_so = |parser: &vt100::Parser| {
            let text = parser.screen().contents();
            let seen: Vec<_> = text.trim_end().lines().map(str::trim_end).collect();
            seen.ends_with(lines)
        };
        let parser = parser.lock().expect("no panic");
        let (parser, timeout) = changed
            .wait_timeout_while(parser, PATIENCE, |parser| !ends_so(parser))
            .expect("no panic");
        assert!(
            !timeout.timed_out(),
            "the screen does not end with {lines:#?}, but is\n{}",
            parser.screen().contents()
        );
    }
}
