//! Files that are read again when they change.

use std::path::PathBuf;
use std::sync::mpsc::{channel, Receiver, RecvTimeoutError, Sender};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use grpcio_credentials::FileError;
use parking_lot::RwLock;

/// The time between two comparisons of the files. A change takes effect once two comparisons in a
/// row see the same contents. Before that, the files may still be being written.
const INTERVAL: Duration = Duration::from_millis(400);

/// A value that is made from files, and made again when they change.
///
/// A thread reads the files again and again and compares their contents. So it works with any file
/// times, with links, and on file systems without notifications. Files that cannot be used are
/// logged once, and the value stays as it is. A pipe, or another file that is not a regular one, is
/// read only once.
pub(crate) struct Reloaded<T> {
    current: Arc<RwLock<Arc<T>>>,
    /// The thread ends when this is dropped.
    _stop: Sender<()>,
}

/// The files' contents, or why one of them cannot be read.
type Contents = Result<Vec<Vec<u8>>, FileError>;

impl<T: Send + Sync + 'static> Reloaded<T> {
    /// Reads the files and calls `make` with their contents, in the order of `paths`.
    ///
    /// # Errors
    ///
    /// When a file cannot be read, or `make` fails.
    ///
    /// # Panics
    ///
    /// When the operating system refuses to start the thread.
    pub(crate) fn start(
        paths: Vec<PathBuf>,
        make: impl Fn(&[Vec<u8>]) -> Result<T, FileError> + Send + 'static,
    ) -> Result<Self, FileError> {
        let contents = read(&paths)?;
        let current = Arc::new(RwLock::new(Arc::new(make(&contents)?)));
        let (stop, stopping) = channel();
        if paths.iter().all(|path| path.is_file()) {
            let current = current.clone();
            thread::spawn(move || {
                watch(&paths, Ok(contents), &stopping, |contents| {
                    let made = Arc::new(make(contents)?);
                    *current.write() = made;
                    Ok(())
                });
            });
        }
        Ok(Self {
            current,
            _stop: stop,
        })
    }

    /// The value as of now.
    pub(crate) fn current(&self) -> Arc<T> {
        self.current.read().clone()
    }
}

fn read(paths: &[PathBuf]) -> Contents {
    paths
        .iter()
        .map(|path| grpcio_credentials::read(path))
        .collect()
}

/// Calls `changed` with new contents, until the other end of `stopping` is dropped. `tried` has the
/// contents that are in use already.
fn watch(
    paths: &[PathBuf],
    mut tried: Contents,
    stopping: &Receiver<()>,
    changed: impl Fn(&[Vec<u8>]) -> Result<(), FileError>,
) {
    let mut before = tried.clone();
    while stopping.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
        let now = read(paths);
        if now == before && now != tried {
            tried = now.clone();
            match now.as_deref().map_err(Clone::clone).and_then(&changed) {
                Ok(()) => log::info!("reloaded after a change: {}", list(paths)),
                Err(e) => log::error!("{e}; the previous contents stay in force"),
            }
        }
        before = now;
    }
}

fn list(paths: &[PathBuf]) -> String {
    let paths: Vec<_> = paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    paths.join(", ")
}
