//! The folder of a store: its lock and its format.
//!
//! | what | why |
//! |---|---|
//! | `lock` | locked by the process that uses the folder |
//! | `topics/format` | the number of the format, as text |
//! | `topics/store/` | the files of the engine |
//! | `topics/probe` | written to see whether there is room again, and removed at once |
//!
//! `topics` is created in one step with everything in it. A file that is missing in it is damage.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::engine::Engine;
use super::failure::Failure;
use super::open_error::OpenError;

/// The number of the format that this version reads and writes.
const FORMAT: u32 = 1;

/// How long a lock that another process holds is tried again.
const LOCKED_WITHIN: Duration = Duration::from_secs(1);

/// A folder that is locked, so that no other process uses it.
#[derive(Debug)]
pub(super) struct Folder {
    topics: PathBuf,
    lock: File,
    lock_path: PathBuf,
}

impl Folder {
    /// Locks `dir`, which is created if it does not exist.
    pub(super) fn open(dir: &Path) -> Result<Self, OpenError> {
        let is_new = !exists(dir)?;
        // Other users may not read the messages.
        let made = fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir);
        made.map_err(|source| match source.kind() {
            // There is a file of this name.
            io::ErrorKind::AlreadyExists => failed(dir, io::ErrorKind::NotADirectory.into()),
            _ => failed(dir, source),
        })?;
        if let (true, Ok(parent)) = (is_new, dir.join("..").canonicalize()) {
            sync(&parent)?;
        }
        let mut options = File::options();
        let folder = Self::lock(dir, options.create(true).truncate(false).write(true))?;
        if !exists(&folder.topics)? {
            folder.create(dir)?;
        }
        folder.check()?;
        Ok(folder)
    }

    /// Locks `dir`, in which there have to be topics.
    pub(super) fn existing(dir: &Path) -> Result<Self, OpenError> {
        if !exists(&dir.join("topics"))? {
            return Err(OpenError::Empty(dir.to_owned()));
        }
        // The folder may be read-only.
        let folder = Self::lock(dir, File::options().read(true))?;
        folder.check()?;
        Ok(folder)
    }

    /// Fails once the folder is no longer where it was. What is written then would not be found.
    pub(super) fn is_there(&self) -> Result<(), Failure> {
        let same = |there: &fs::Metadata, locked: &fs::Metadata| {
            (there.dev(), there.ino()) == (locked.dev(), locked.ino())
        };
        match (fs::metadata(&self.lock_path), self.lock.metadata()) {
            (Ok(there), Ok(locked)) if same(&there, &locked) => Ok(()),
            _ => Err(Failure::Unusable(
                "the folder has been moved, removed or replaced; put it back".to_owned(),
            )),
        }
    }

    /// The folder with the files of the engine.
    pub(super) fn store(&self) -> PathBuf {
        self.topics.join("store")
    }

    /// The error when the engine fails to open its files.
    pub(super) fn not_opened(&self, why: Failure) -> OpenError {
        not_opened(self.store(), why)
    }

    fn lock(dir: &Path, options: &OpenOptions) -> Result<Self, OpenError> {
        let path = dir.join("lock");
        let lock = options
            .open(&path)
            .map_err(|source| failed(&path, source))?;
        let started = Instant::now();
        loop {
            match lock.try_lock() {
                Ok(()) => break,
                // A child process that is being started holds the locks of its parent for a moment.
                Err(TryLockError::WouldBlock) if started.elapsed() < LOCKED_WITHIN => {
                    thread::sleep(LOCKED_WITHIN / 20);
                }
                Err(TryLockError::WouldBlock) => return Err(OpenError::InUse(dir.to_owned())),
                Err(TryLockError::Error(source)) => return Err(failed(&path, source)),
            }
        }
        Ok(Self {
            topics: dir.join("topics"),
            lock,
            lock_path: path,
        })
    }

    fn create(&self, dir: &Path) -> Result<(), OpenError> {
        let new = dir.join("topics.new");
        // Left over from a process that ended meanwhile.
        if exists(&new)? {
            fs::remove_dir_all(&new).map_err(|source| failed(&new, source))?;
        }
        let store = new.join("store");
        fs::create_dir_all(&store).map_err(|source| failed(&store, source))?;
        Engine::create(&store).map_err(|why| not_opened(store.clone(), why))?;
        let format = new.join("format");
        fs::write(&format, format!("{FORMAT}\n")).map_err(|source| failed(&format, source))?;
        sync(&format)?;
        sync(&new)?;
        fs::rename(&new, &self.topics).map_err(|source| failed(&self.topics, source))?;
        sync(dir)?;
        // A misspelt folder begins without topics, too.
        log::info!("{} is a new folder of topics", dir.display());
        Ok(())
    }

    fn check(&self) -> Result<(), OpenError> {
        let path = self.topics.join("format");
        let found = match fs::read_to_string(&path) {
            Ok(found) => found,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                let why = "it is missing".to_owned();
                return Err(OpenError::Damaged { path, why });
            }
            Err(source) => return Err(failed(&path, source)),
        };
        let found = found.trim_end();
        if found.parse() == Ok(FORMAT) {
            Ok(())
        } else {
            Err(OpenError::Format {
                path,
                found: found.to_owned(),
                known: FORMAT,
            })
        }
    }
}

fn not_opened(path: PathBuf, why: Failure) -> OpenError {
    match why {
        Failure::Damaged(why) => OpenError::Damaged { path, why },
        other => OpenError::Engine {
            path,
            why: other.to_string(),
        },
    }
}

/// Checks that there is room: writes a file of 1 MiB next to `store`, and removes it.
pub(super) fn probe(store: &Path) -> io::Result<()> {
    let path = store.with_file_name("probe");
    let written = File::create(&path).and_then(|mut file| {
        file.write_all(&[0; 1024 * 1024])?;
        file.sync_all()
    });
    let removed = fs::remove_file(&path);
    written.and(removed)
}

fn exists(path: &Path) -> Result<bool, OpenError> {
    path.try_exists().map_err(|source| failed(path, source))
}

fn sync(path: &Path) -> Result<(), OpenError> {
    let synced = File::open(path).and_then(|file| file.sync_all());
    synced.map_err(|source| failed(path, source))
}

fn failed(path: &Path, source: io::Error) -> OpenError {
    OpenError::Folder {
        path: path.to_owned(),
        source,
    }
}
