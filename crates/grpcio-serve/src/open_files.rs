//! The process's limit of open files, which limits its connections.
//!
//! The C core itself has no limit of connections. At the limit of open files, further connections
//! wait in the operating system's queue. One of them is accepted within a second after another has
//! ended.

use std::fs;
use std::io;
use std::path::Path;

use rustix::process::{getrlimit, setrlimit, Resource, Rlimit};

/// Where the system lists the open files of this process, by number.
const OPEN: &str = "/dev/fd";

/// Sets the limit so that the process can open `connections` files in addition to those that are
/// open. Returns how many more files it can open now, which is fewer if the hard limit is lower.
pub(crate) fn allow(connections: u64) -> io::Result<u64> {
    let open = open()?;
    let wanted = limit(&open, connections);
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let allowed = maximum.map_or(wanted, |maximum| maximum.min(wanted));
    let limit = Rlimit {
        current: Some(allowed),
        maximum,
    };
    setrlimit(Resource::Nofile, limit)?;
    let taken = open.iter().filter(|file| **file < allowed).count();
    Ok(allowed.saturating_sub(u64::try_from(taken).unwrap_or(u64::MAX)))
}

/// The limit below which exactly `free` numbers are not in use. `open` has the numbers in use.
fn limit(open: &[u64], free: u64) -> u64 {
    let pass = |limit: u64, file: &u64| limit.saturating_add(u64::from(*file < limit));
    open.iter().fold(free, pass)
}

/// The numbers of the open files, from the lowest.
fn open() -> io::Result<Vec<u64>> {
    let mut open = Vec::new();
    for entry in fs::read_dir(OPEN)? {
        open.extend(
            entry?
                .file_name()
                .to_str()
                .and_then(|name| name.parse::<u64>().ok()),
        );
    }
    // The list itself was an open file.
    open.retain(|file| fs::symlink_metadata(Path::new(OPEN).join(file.to_string())).is_ok());
    open.sort_unstable();
    Ok(open)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_open_below_the_limit_takes_room() {
        for (open, free, expected) in [
            (&[][..], 3, 3),
            (&[0, 1, 2], 3, 6),
            (&[0, 1, 2, 251], 3, 6),
            (&[0, 3, 4, 251], 3, 6),
            (&[7], 7, 7),
            (&[6], 7, 8),
        ] {
            assert_eq!(limit(open, free), expected, "{open:?}");
        }
    }

    #[test]
    fn the_list_does_not_count_itself() {
        let file = fs::File::open("/dev/null").unwrap();
        let open = open().unwrap();
        assert!(open.contains(&u64::try_from(std::os::fd::AsRawFd::as_raw_fd(&file)).unwrap()));
        assert!(open.is_sorted());
    }
}
