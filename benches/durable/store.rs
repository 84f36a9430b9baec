//! Where topics are kept: in memory, or in a folder on disk.

use std::convert::Infallible;
use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::str::FromStr;
use std::time::{Duration, Instant};

use serde_json::Value;
use testkit::server::Server;

use super::PATIENCE;

const PROGRAM: &str = env!("CARGO_BIN_EXE_greeter-server");

/// The flags of a server that drops and refuses nothing.
const KEEP_ALL: [&str; 6] = [
    "--retention-messages",
    "1000000000000",
    "--retention-bytes",
    "1000000000000",
    "--max-topic-bytes",
    "1000000000000",
];

/// Where a server has its topics.
#[derive(Clone, Debug, PartialEq)]
pub enum Store {
    Memory,
    /// With this `--sync`.
    Disk(String),
}

impl FromStr for Store {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "memory" => Self::Memory,
            sync => Self::Disk(sync.to_owned()),
        })
    }
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory"),
            Self::Disk(sync) => write!(f, "sync {sync}"),
        }
    }
}

/// The folder on disk. It is removed when this is dropped.
pub struct Site {
    folder: PathBuf,
}

impl Site {
    /// Makes a folder in `parent`, which is made as well where it does not exist.
    pub fn new(parent: &Path) -> io::Result<Self> {
        let folder = parent.join("durable-bench");
        let site = Self { folder };
        // A run that was killed may have left something.
        site.clear()?;
        fs::create_dir_all(&site.folder)?;
        Ok(site)
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Removes all topics from the disk.
    fn clear(&self) -> io::Result<()> {
        match fs::remove_dir_all(&self.folder) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        }
    }

    /// Starts a server without topics.
    pub fn start_empty(&self, store: &Store) -> io::Result<Server> {
        self.clear()?;
        self.start(store)
    }

    /// Starts a server with the topics that are on disk.
    pub fn start(&self, store: &Store) -> io::Result<Server> {
        let mut server = Command::new(PROGRAM);
        server.args(["--listen", "127.0.0.1:0"]).args(KEEP_ALL);
        if let Store::Disk(sync) = store {
            server.arg("--data").arg(&self.folder);
            server.args(["--sync", sync]);
        }
        server.env("RUST_LOG", "off");
        Server::start(&mut server, PATIENCE).map_err(io::Error::other)
    }

    /// How many bytes the topics take on disk, as `du` counts them.
    pub fn disk_bytes(&self) -> io::Result<u64> {
        allocated(&self.folder)
    }

    /// How many messages the topics have, as `greeter-server topics` says while no server runs.
    pub fn messages(&self) -> io::Result<u64> {
        let mut tool = Command::new(PROGRAM);
        tool.args(["topics", "--json", "--data"]).arg(&self.folder);
        let output = tool.stderr(Stdio::inherit()).output()?;
        let topics = serde_json::Deserializer::from_slice(&output.stdout).into_iter::<Value>();
        let mut messages = 0;
        for topic in topics {
            let number = topic?.get("messages").and_then(Value::as_u64);
            messages += number.ok_or_else(|| io::Error::other("a topic without `messages`"))?;
        }
        Ok(messages)
    }

    /// How long it takes to append 4 KiB to a file and sync it: the median.
    pub fn sync_time(&self) -> io::Result<Duration> {
        let path = self.folder.join("sync");
        let mut file = fs::File::create(&path)?;
        let mut times = Vec::new();
        for _ in 0..101 {
            let began = Instant::now();
            file.write_all(&[1; 4096])?;
            file.sync_data()?;
            times.push(began.elapsed());
        }
        times.sort();
        fs::remove_file(path)?;
        Ok(times[times.len() / 2])
    }

    /// The type of the folder's file system, and its device.
    pub fn file_system(&self) -> io::Result<String> {
        let folder = self.folder.canonicalize()?;
        let mounts = fs::read_to_string("/proc/self/mounts")?;
        let mounted = mounts.lines().filter_map(|line| {
            let mut fields = line.split(' ');
            let (device, at, kind) = (fields.next()?, fields.next()?, fields.next()?);
            folder.starts_with(at).then_some((at.len(), kind, device))
        });
        // The last mount at a place hides the others.
        let innermost = mounted.max_by_key(|(length, ..)| *length);
        Ok(match innermost {
            Some((_, kind @ ("tmpfs" | "ramfs"), _)) => format!("{kind}: in memory, not on a disk"),
            Some((_, kind, device)) => format!("{kind} on {device}"),
            None => "an unknown file system".to_owned(),
        })
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Err(e) = self.clear() {
            eprintln!("durable: cannot remove {}: {e}", self.folder.display());
        }
    }
}

/// Lets a server end in order.
pub fn stop(mut server: Server) -> io::Result<()> {
    let ended = server.stop(PATIENCE);
    if ended.success() {
        Ok(())
    } else {
        Err(io::Error::other(format!("the server stopped with {ended}")))
    }
}

fn allocated(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = match entry.metadata() {
            // The server may have removed the file meanwhile.
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            metadata => metadata?,
        };
        bytes += metadata.blocks() * 512;
        if metadata.is_dir() {
            bytes += allocated(&entry.path())?;
        }
    }
    Ok(bytes)
}
