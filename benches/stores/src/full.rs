//! A full disk, and a folder that two processes want.

use std::path::Path;
use std::process::Command;

use crate::damage::judge;
use crate::log::{self, Log};
use crate::stat::cell;
use crate::store::{self, Group, Result, Store};
use crate::{collect, spawn, Scratch, Table};

const TOPICS: u64 = 20;
const COUNT: u64 = 10;
const MEMTABLE: u64 = 1 << 20;

fn group(log: &mut Log) -> Group {
    let mut group = log.group(0..TOPICS, COUNT);
    group.topics = (0..TOPICS).map(|id| (id, log::entry(0, id))).collect();
    group
}

/// On a disk of 48 MiB: appends until it is full, tries again, makes room, tries again, reopens.
pub fn fill(engine: &str, dir: &Path) -> Result<()> {
    let ballast = dir.join("ballast");
    std::fs::write(&ballast, vec![1; 16 << 20])?;
    let folder = dir.join("store");
    let store = store::open(engine, &folder, MEMTABLE)?;
    let mut log = Log::new(TOPICS, u64::MAX);
    let append = |store: &dyn Store, log: &mut Log, most: u64| -> Result<()> {
        for _ in 0..most {
            let before = log.next(0);
            let result = store.commit(group(log));
            if result.is_err() {
                // A group that failed is made again.
                *log = Log::at(TOPICS, before);
                return result;
            }
        }
        Ok(())
    };
    let outcome =
        |result: Result<()>| result.map_or_else(|error| error.to_string(), |()| "works".to_owned());
    cell(
        "commit on the full disk",
        outcome(append(&*store, &mut log, 100_000)),
    );
    let at_full = log.next(0) / COUNT;
    cell("commit once more", outcome(append(&*store, &mut log, 1)));
    let mut readable = 0;
    let reading = store.blocks(0, 0, &mut |_, _| {
        readable += 1;
        Ok(true)
    });
    cell(
        "reading then",
        format!("{}, {readable} of {at_full} groups", outcome(reading)),
    );
    std::fs::remove_file(&ballast)?;
    cell(
        "commit when there is room again",
        outcome(append(&*store, &mut log, 1)),
    );
    drop(store);
    let store = match store::open(engine, &folder, MEMTABLE) {
        Ok(store) => store,
        Err(error) => {
            cell("reopen in the same process", error);
            return Ok(());
        }
    };
    cell("reopen in the same process", "works");
    // A group that failed may be there all the same: the store says where to go on.
    let mut next = 0;
    store.last(0, &mut |key, value| {
        if let (Ok((_, first)), Some(count)) = (log::split(key), log::walk(value, |_, _| ())) {
            next = first + count;
        }
    })?;
    cell(
        "groups there, of those acknowledged",
        format!("{} of {at_full}", next / COUNT),
    );
    let mut log = Log::at(TOPICS, next);
    cell("200 commits after", outcome(append(&*store, &mut log, 200)));
    println!("groups\t{}", log.next(0) / COUNT);
    // As a crash would: nothing is closed.
    std::process::exit(0)
}

pub fn run(dir: &Path, engines: &[&str]) -> Result<Table> {
    let mut table = Table::new("A full disk (tmpfs of 48 MiB)");
    for engine in engines {
        let dir = Scratch::new(dir, engine)?;
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=48m", "stores"])
            .arg(&dir.0)
            .status();
        if !mounted.is_ok_and(|status| status.success()) {
            eprintln!("not allowed to mount: the full disk is left out");
            break;
        }
        let result = (|| -> Result<_> {
            let mut cells = collect(spawn("full", engine, &dir.0, &[])?)?;
            if let Some(at) = cells.iter().position(|(heading, _)| heading == "groups") {
                let groups: u64 = cells.remove(at).1.parse()?;
                let (outcome, reason) = judge(engine, &dir.0.join("store"), groups)?;
                cells.push((
                    "everything read after a crash then".to_owned(),
                    format!("{outcome} {reason}"),
                ));
            }
            Ok(cells)
        })();
        Command::new("umount").arg(&dir.0).status()?;
        table.row(
            engine,
            result.unwrap_or_else(|error| vec![("failed".to_owned(), error.to_string())]),
        );
    }
    Ok(table)
}

/// Holds a folder and has another process open it.
pub fn lock(engine: &str, dir: &Path) -> Result<()> {
    let _store = store::open(engine, dir, MEMTABLE)?;
    let output = spawn("open", engine, dir, &[])?.wait_with_output()?;
    cell(
        "the second",
        String::from_utf8_lossy(&output.stderr)
            .trim()
            .replace('\n', " "),
    );
    Ok(())
}
