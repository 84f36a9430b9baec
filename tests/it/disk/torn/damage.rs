//! Damage to files.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use fastrand::Rng;

/// The unit in which a file system writes, in bytes.
const PAGE: u64 = 4096;

/// A kind of damage, and where it is in the file, in bytes from its beginning.
pub enum Damage {
    /// The file ends there.
    Cut { at: u64 },
    /// A bit is flipped.
    Flip { at: u64, bit: u8 },
    /// A page of zeros.
    Zero { at: u64 },
    /// Zeros from there to the end. A file system may leave this when it has made the file longer and
    /// lost the contents.
    ZeroTail { at: u64 },
    /// The file is deleted.
    Delete,
}

impl Damage {
    /// Any damage to a file of this length.
    pub fn random(length: u64, random: &mut Rng) -> Self {
        let at = random.u64(0..length);
        match random.u8(0..5) {
            0 => Self::Cut { at },
            1 => Self::Flip {
                at,
                bit: random.u8(0..8),
            },
            2 => Self::Zero {
                at: at / PAGE * PAGE,
            },
            3 => Self::ZeroTail { at },
            _ => Self::Delete,
        }
    }

    /// Damages a file.
    pub fn inflict(&self, file: &Path) {
        if let Self::Delete = self {
            return fs::remove_file(file).expect("removed");
        }
        let open = OpenOptions::new().read(true).write(true).open(file);
        let file = open.expect("a file");
        let length = file.metadata().expect("a file").len();
        let zero = |at: u64, count: u64| {
            let zeros = vec![0; count.min(length - at) as usize];
            file.write_all_at(&zeros, at).expect("written");
        };
        match *self {
            Self::Cut { at } => file.set_len(at).expect("cut"),
            Self::Flip { at, bit } => {
                let mut byte = [0];
                file.read_exact_at(&mut byte, at).expect("read");
                file.write_all_at(&[byte[0] ^ 1 << bit], at)
                    .expect("written");
            }
            Self::Zero { at } => zero(at, PAGE),
            Self::ZeroTail { at } => zero(at, length),
            Self::Delete => {}
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut { at } => write!(f, "cut at {at}"),
            Self::Flip { at, bit } => write!(f, "bit {bit} of byte {at} flipped"),
            Self::Zero { at } => write!(f, "zeros for the page at {at}"),
            Self::ZeroTail { at } => write!(f, "zeros from {at} on"),
            Self::Delete => f.write_str("deleted"),
        }
    }
}

/// All files in a folder.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else {
            files.push(path);
        }
    }
    // The system lists the entries of a folder in any order.
    files.sort();
    files
}

/// Copies a folder with everything in it.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::copy(&path, &to).expect("copied");
        }
    }
}

/// The length of a file in bytes.
pub fn length(file: &Path) -> u64 {
    File::open(file)
        .and_then(|f| f.metadata())
        .expect("a file")
        .len()
}

/// The place of a file that is not empty. Half of the time each file is as likely as any other, and
/// half of the time each byte.
pub fn pick(files: &[PathBuf], random: &mut Rng) -> usize {
    let lengths: Vec<_> = files.iter().map(|file| length(file)).collect();
    loop {
        let file = if random.bool() {
            random.usize(..files.len())
        } else {
            let mut byte = random.u64(..lengths.iter().sum::<u64>());
            let holds = |length: &u64| {
                let holds = byte < *length;
                byte = byte.saturating_sub(*length);
                holds
            };
            lengths.iter().position(holds).unwrap_or_default()
        };
        if lengths[file] > 0 {
            return file;
        }
    }
}
