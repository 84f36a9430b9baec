//! A log output to standard error, written by a thread of its own.
//!
//! Calls are logged on the threads that serve them. A write to a pipe whose reader has stopped
//! would block these threads, and so all calls.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{channel, sync_channel, Receiver, Sender, SyncSender};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// The most bytes that may wait to be written. A line that would exceed this limit is dropped and
/// counted.
const WAITING_BYTES: usize = 16 * 1024 * 1024;

/// A writer to standard error that never blocks. A thread does the writing. While 16 MiB wait to be
/// written, further lines are dropped. Their number is logged as soon as lines can be written
/// again.
#[derive(Clone, Debug)]
pub struct LogOutput {
    items: Sender<Item>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    waiting: AtomicUsize,
    dropped: AtomicU64,
}

#[derive(Debug)]
enum Item {
    Text(Vec<u8>),
    /// A marker: everything before it has been written when the thread reaches it.
    Mark(SyncSender<()>),
}

impl LogOutput {
    /// Starts the thread.
    ///
    /// # Panics
    ///
    /// When the operating system refuses to start it.
    pub fn start() -> Self {
        Self::writing_to(io::stderr())
    }

    fn writing_to(output: impl Write + Send + 'static) -> Self {
        let (items, receiver) = channel();
        let shared = Arc::<Shared>::default();
        let writer = shared.clone();
        thread::spawn(move || writer.write(&receiver, output));
        Self { items, shared }
    }

    /// Waits until everything that was logged is written, for at most `limit`. The reader of
    /// standard error may have stopped.
    pub fn finish(&self, limit: Duration) {
        let (done, is_done) = sync_channel(1);
        if self.items.send(Item::Mark(done)).is_ok() {
            let _ = is_done.recv_timeout(limit);
        }
    }
}

impl Write for LogOutput {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let before = self.shared.waiting.fetch_add(text.len(), Ordering::Relaxed);
        if before > 0 && before + text.len() > WAITING_BYTES {
            self.shared.waiting.fetch_sub(text.len(), Ordering::Relaxed);
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        } else {
            // The thread runs as long as this sender exists, so sending does not fail.
            let _ = self.items.send(Item::Text(text.to_vec()));
        }
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn write(&self, items: &Receiver<Item>, mut output: impl Write) {
        for item in items {
            match item {
                // An error of the log itself cannot be logged.
                Item::Text(text) => {
                    let _ = output.write_all(&text);
                    self.waiting.fetch_sub(text.len(), Ordering::Relaxed);
                }
                Item::Mark(done) => {
                    let _ = done.send(());
                }
            }
            let dropped = self.dropped.swap(0, Ordering::Relaxed);
            if dropped > 0 {
                let _ = writeln!(
                    output,
                    "{dropped} lines of this log were dropped: standard error was not read"
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// A reader that has stopped, until `open` is dropped; then it passes the text on.
    struct Stopped {
        open: mpsc::Receiver<()>,
        written: mpsc::Sender<Vec<u8>>,
    }

    impl Write for Stopped {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            let _ = self.open.recv();
            self.written.send(text.to_vec()).map_err(io::Error::other)?;
            Ok(text.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_does_not_fit_is_counted_and_nothing_blocks() {
        let (opener, open) = mpsc::channel();
        let (written, texts) = mpsc::channel();
        let mut output = LogOutput::writing_to(Stopped { open, written });
        let half = vec![b'x'; WAITING_BYTES / 2];
        for _ in 0..5 {
            output.write_all(&half).unwrap();
        }
        output.finish(Duration::ZERO);
        drop(opener);
        drop(output);
        let texts: Vec<_> = texts.iter().collect();
        assert_eq!(texts.iter().filter(|text| **text == half).count(), 2);
        let rest = texts
            .into_iter()
            .filter(|text| *text != half)
            .flatten()
            .collect();
        let told = "3 lines of this log were dropped: standard error was not read\n";
        assert_eq!(String::from_utf8(rest).unwrap(), told);
    }
}
