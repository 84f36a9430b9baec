//! What the program does when it panics, which only a bug in it can cause.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, Write};
use std::panic::{self, PanicHookInfo};
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::prompt::restore_terminal;

/// The exit code after a panic, which is Rust's own.
const EXIT_CODE: i32 = 101;

/// From now on a panic on any thread ends the process with exit code 101. The terminal is restored
/// and standard error says what happened.
///
/// Otherwise a panic would end the thread of a completion queue only, and the process would wait for
/// it for ever, with a terminal that shows nothing of what is typed.
pub fn end_at_panics() {
    let is_ending = AtomicBool::new(false);
    panic::set_hook(Box::new(move |panic| {
        if is_ending.swap(true, Ordering::SeqCst) {
            // Another thread, which panics because of the end of the first.
            loop {
                thread::park();
            }
        }
        restore_terminal();
        let _ = tell(panic, &mut io::stderr());
        process::exit(EXIT_CODE);
    }));
}

/// Standard error may be closed.
fn tell(panic: &PanicHookInfo<'_>, out: &mut impl Write) -> io::Result<()> {
    let thread = thread::current();
    let name = thread.name().unwrap_or("without a name");
    // The place and the message are on two lines.
    let what = panic.to_string().replace('\n', " ");
    writeln!(
        out,
        "greeter-client: a bug in this program has ended it: its thread {name} {what}; \
         please report this line"
    )?;
    let backtrace = Backtrace::capture();
    match backtrace.status() {
        BacktraceStatus::Captured => writeln!(out, "{backtrace}"),
        _ => Ok(()),
    }
}
