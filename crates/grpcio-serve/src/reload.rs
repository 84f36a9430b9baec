//! Files that are read again when they change, or when somebody asks for it.

use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use grpcio_credentials::FileError;
use parking_lot::{Condvar, Mutex, RwLock};

/// The time between two comparisons of the files. A change takes effect once two comparisons in a
/// row see the same contents. Before that, the files may still be being written.
const INTERVAL: Duration = Duration::from_millis(400);

/// How often all files of this process were asked to be read again. Signals are the process's, too.
static ASKED: (Mutex<u64>, Condvar) = (Mutex::new(0), Condvar::new());

/// Has all files of this process read again now, whether they have changed or not.
pub(crate) fn reload() {
    *ASKED.0.lock() += 1;
    ASKED.1.notify_all();
}

/// A value that is made from files, and made again when they change or when a reload is asked for.
///
/// A thread reads the files again and again and compares their contents. So it works with any file
/// times, with links, and on file systems without notifications. Files that cannot be used are
/// logged once, and the value stays as it is. A pipe, or another file that is not a regular one, is
/// read only once.
///
/// The thread ends soon after this is dropped.
pub(crate) struct Reloaded<T> {
    current: Arc<RwLock<Arc<T>>>,
}

/// The files' contents, or why one of them cannot be read.
type Contents = Result<Vec<Vec<u8>>, FileError>;

impl<T: Send + Sync + 'static> Reloaded<T> {
    /// Reads the files and has `make` make the value of their contents, in the order of `paths`.
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
        let asked = *ASKED.0.lock();
        let contents = read(&paths)?;
        let current = Arc::new(RwLock::new(Arc::new(make(&contents)?)));
        if paths.iter().all(|path| path.is_file()) {
            let watch = Watch {
                current: Arc::downgrade(&current),
                paths,
                make,
                asked,
            };
            thread::spawn(move || watch.run(Ok(contents)));
        }
        Ok(Self { current })
    }

    /// The value as of now.
    pub(crate) fn current(&self) -> Arc<T> {
        self.current.read().clone()
    }
}

/// What the thread of a [`Reloaded`] has.
struct Watch<T, F> {
    current: Weak<RwLock<Arc<T>>>,
    paths: Vec<PathBuf>,
    make: F,
    /// How often the files were asked to be read again by the time they were read last.
    asked: u64,
}

impl<T, F: Fn(&[Vec<u8>]) -> Result<T, FileError>> Watch<T, F> {
    /// Makes the value of new contents, until nobody uses it any more. `tried` are the contents that
    /// were tried last.
    fn run(mut self, mut tried: Contents) {
        let mut before = tried.clone();
        loop {
            let is_asked = self.wait();
            let Some(current) = self.current.upgrade() else {
                return;
            };
            let now = read(&self.paths);
            if is_asked || (now == before && now != tried) {
                tried = now.clone();
                let contents = now.as_deref().map_err(Clone::clone);
                match contents.and_then(|contents| (self.make)(contents)) {
                    Ok(made) => {
                        *current.write() = Arc::new(made);
                        let why = if is_asked { "SIGHUP" } else { "a change" };
                        log::info!("reloaded after {why}: {}", self.list());
                    }
                    Err(e) => log::error!("{e}; the previous contents stay in force"),
                }
            }
            before = now;
        }
    }

    /// Waits until the files are due; whether somebody asks for them.
    fn wait(&mut self) -> bool {
        let due = Instant::now() + INTERVAL;
        let mut asked = ASKED.0.lock();
        while *asked == self.asked && !ASKED.1.wait_until(&mut asked, due).timed_out() {}
        let before = std::mem::replace(&mut self.asked, *asked);
        before != self.asked
    }

    fn list(&self) -> String {
        let paths: Vec<_> = self
            .paths
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        paths.join(", ")
    }
}

fn read(paths: &[PathBuf]) -> Contents {
    paths
        .iter()
        .map(|path| grpcio_credentials::read(path))
        .collect()
}
