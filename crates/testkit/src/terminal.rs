//! A program on a terminal, and the lines on its screen.

use std::fs;
use std::io::{Read, Write};
use std::num::NonZero;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::thread;

use parking_lot::{Condvar, Mutex};

use crate::process::Process;
use crate::wait::PATIENCE;

/// A terminal on which a program runs. The program `script` of util-linux makes the terminal.
pub struct Terminal {
    /// The program `script`, which ends with the exit code of the program on the terminal.
    pub process: Process,
    keyboard: ChildStdin,
    screen: Arc<(Mutex<vt100::Parser>, Condvar)>,
}

impl Terminal {
    /// Runs a shell command on a terminal of 80 columns and 24 rows.
    pub fn run(command: &str) -> Self {
        Self::start(command, 80, 24, |_| {})
    }

    /// Runs a shell command on a terminal of this size. 0 columns or rows are those of a terminal that
    /// does not know its size. The screen has at least one.
    pub fn sized(command: &str, columns: u16, rows: u16) -> Self {
        Self::start(command, columns, rows, |_| {})
    }

    /// Runs a shell whose prompt is `name` and a dollar sign. The terminal is so large that no line
    /// is wrapped or scrolls off the screen. `set_up` may change the folder and the environment of
    /// the shell.
    pub fn shell(name: &str, set_up: impl FnOnce(&mut Command)) -> Self {
        let command = format!("env PS1='{name}$ ' bash --noprofile --norc");
        Self::start(&command, 200, 100, set_up)
    }

    fn start(command: &str, columns: u16, rows: u16, set_up: impl FnOnce(&mut Command)) -> Self {
        let command = format!("stty rows {rows} cols {columns}; exec {command}");
        // Where the tests run under `nohup`, a program that ignores SIGHUP as they do would outlive its
        // terminal, and disturb later tests.
        let mut script = Command::new("env");
        script
            .args(["--default-signal=HUP,INT,QUIT", "script"])
            .args(["-qec", &command, "/dev/null"])
            .env("TERM", "xterm")
            .env_remove("RUST_LOG")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit());
        set_up(&mut script);
        let mut process = Process::start(&mut script);
        let keyboard = process.stdin();
        let mut output = process.stdout();
        let screen = Arc::new((
            Mutex::new(vt100::Parser::new(size(rows), size(columns), 0)),
            Condvar::new(),
        ));
        let shared = screen.clone();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(n @ 1..) = output.read(&mut bytes) {
                let (parser, changed) = &*shared;
                parser.lock().process(&bytes[..n]);
                changed.notify_all();
            }
        });
        Self {
            process,
            keyboard,
            screen,
        }
    }

    /// Makes the terminal this large and tells the program so. 0 columns or rows are those of a terminal
    /// that does not know its size. The screen has at least one, and does not join wrapped lines.
    pub fn resize(&mut self, columns: u16, rows: u16) {
        let (parser, _) = &*self.screen;
        let mut parser = parser.lock();
        parser.screen_mut().set_size(size(rows), size(columns));
        drop(parser);
        let script = self.process.id();
        let children = fs::read_to_string(format!("/proc/{script}/task/{script}/children"));
        let child = children.expect("a process");
        let terminal = fs::read_link(format!("/proc/{}/fd/0", child.trim())).expect("a child");
        let mut stty = Command::new("stty");
        stty.arg("-F").arg(terminal);
        stty.args(["cols", &columns.to_string(), "rows", &rows.to_string()]);
        assert!(stty.status().expect("stty").success());
    }

    /// Presses these keys.
    pub fn press(&mut self, keys: &str) {
        let keys = keys.as_bytes();
        self.keyboard.write_all(keys).expect("the terminal reads");
    }

    /// Waits until the last lines on the screen are these. Panics when that takes longer than
    /// [`PATIENCE`].
    pub fn wait_for(&self, lines: &[&str]) {
        self.wait_until(&format!("a screen that ends with {lines:#?}"), |seen| {
            seen.ends_with(lines)
        });
    }

    /// Waits until `enough` returns true for the lines on the screen. Panics when that takes longer
    /// than [`PATIENCE`].
    pub fn wait_until(&self, what: &str, mut enough: impl FnMut(&[&str]) -> bool) {
        let (parser, changed) = &*self.screen;
        let mut enough = |parser: &vt100::Parser| {
            let text = parser.screen().contents();
            let seen: Vec<_> = text.trim_end().lines().map(str::trim_end).collect();
            enough(&seen)
        };
        let mut parser = parser.lock();
        let waited = changed.wait_while_for(&mut parser, |parser| !enough(parser), PATIENCE);
        assert!(
            !waited.timed_out(),
            "not within {PATIENCE:?}: {what}, but\n{}",
            parser.screen().contents()
        );
    }
}

fn size(n: u16) -> NonZero<u16> {
    NonZero::new(n).unwrap_or(NonZero::<u16>::MIN)
}
