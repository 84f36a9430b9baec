//! Files that are read again when they change.

use std::path::PathBuf;
use std::sync::mpsc::{channel, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread;
use std::time::Duration;

use crate::file::{self, FileError};

/// How often it is looked whether they have changed. A change counts once they are the same at two
/// looks in a row: whoever writes them may not be done.
const INTERVAL: Duration = Duration::from_millis(400);

/// What is made of some files, and made anew when they change.
///
/// A thread reads the files again and again, and compares what is in them: it cannot be misled by
/// times, links or file systems without notification. What cannot be used is logged, once, and
/// changes nothing. Pipes and other files that are no regular ones are read only once.
pub(super) struct Reloaded<T> {
    current: Arc<RwLock<Arc<T>>>,
    /// Its end is the thread's.
    _stop: Sender<()>,
}

/// The files' contents, or why one of them cannot be read.
type Contents = Result<Vec<Vec<u8>>, FileError>;

impl<T: Send + Sync + 'static> Reloaded<T> {
    /// Reads the files and makes it of their contents, given in the order of `paths`.
    ///
    /// # Errors
    ///
    /// What is wrong with the files.
    ///
    /// # Panics
    ///
    /// When the operating system refuses a thread.
    pub(super) fn start(
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
                    *current.write().unwrap_or_else(PoisonError::into_inner) = made;
                    Ok(())
                });
            });
        }
        Ok(Self {
            current,
            _stop: stop,
        })
    }

    pub(super) fn current(&self) -> Arc<T> {
        let current = self.current.read();
        current.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn read(paths: &[PathBuf]) -> Contents {
    paths.iter().map(|path| file::read(path)).collect()
}

/// Tells `changed` of new contents, until it is to stop. `tried` are those that it knows.
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
                Ok(()) => log::info!("read again, because it has changed: {}", list(paths)),
                Err(e) => log::error!("{e}; what was there before stays in force"),
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
