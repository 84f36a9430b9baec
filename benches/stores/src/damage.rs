//! Files that are cut, flipped or partly zeroed after a crash: what is read then?

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::log::{self, Log, Random, Read};
use crate::store::{self, Group, Result};
use crate::{lines, spawn, Scratch, Table};

const TOPICS: u64 = 20;

/// Messages of a topic in a group.
const COUNT: u64 = 10;

/// Groups before the kill: 8 MB of text.
const GROUPS: u64 = 400;

/// Small enough that several were flushed.
const MEMTABLE: u64 = 1 << 20;

fn group(log: &mut Log) -> Group {
    let mut group = log.group(0..TOPICS, COUNT);
    // Named in each, so that an older version of the entry can be told.
    group.topics = (0..TOPICS).map(|id| (id, log::entry(0, id))).collect();
    group
}

/// Appends for ever and prints the number of groups that are durable.
pub fn write(engine: &str, dir: &Path) -> Result<()> {
    let store = store::open(engine, dir, MEMTABLE)?;
    let mut log = Log::new(TOPICS, u64::MAX);
    for done in 1.. {
        store.commit(group(&mut log))?;
        println!("{done}");
    }
    Ok(())
}

/// Opens, reads everything, and prints what it is, one word and a reason.
pub fn inspect(engine: &str, dir: &Path, acknowledged: u64) -> Result<()> {
    let error = |error: &dyn std::fmt::Display| println!("error\t{error}");
    let store = match store::open(engine, dir, MEMTABLE) {
        Ok(store) => store,
        Err(failure) => {
            error(&format!("open: {failure}"));
            return Ok(());
        }
    };
    // What a reader with block checksums notices, and what it cannot.
    let (mut noticed, mut apart, mut wrong) = (None, None, None);
    let mut groups: BTreeMap<u64, u64> = BTreeMap::new();
    let mut listed = 0;
    if let Err(failure) = store.topics(&mut |id, value| {
        listed += 1;
        if id >= TOPICS || value != log::entry(0, id) {
            wrong = Some(format!("topic {id} is {value:?}"));
        }
    }) {
        error(&failure);
        return Ok(());
    }
    let mut producers: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    if let Err(failure) = store.producers(&mut |name, value| {
        producers.insert(name.to_vec(), value.to_vec());
    }) {
        error(&failure);
        return Ok(());
    }
    for id in 0..TOPICS {
        let mut next = 0;
        if let Err(failure) = store.blocks(id, 0, &mut |key, value| {
            let (topic, first) = log::split(key)?;
            match log::verify(topic, first, value) {
                _ if first != next => noticed = Some(format!("topic {id}: {first} follows {next}")),
                Read::Damaged => noticed = Some(format!("topic {id}: block {first} is damaged")),
                Read::Wrong => wrong = Some(format!("topic {id}: block {first} is another")),
                Read::Good(count) => next = first + count,
            }
            Ok(noticed.is_none() && wrong.is_none())
        }) {
            error(&failure);
            return Ok(());
        }
        let (name, value) = log::producer(id, next);
        if next > 0
            && noticed.is_none()
            && producers.get(&name).is_none_or(|found| found[..] != value)
        {
            let says = producers
                .get(&name)
                .and_then(|found| log::split(found).ok());
            apart = Some(format!(
                "topic {id}: blocks until {next}, the producer says {says:?}"
            ));
        }
        *groups.entry(next / COUNT).or_default() += 1;
    }
    match (wrong, noticed, apart) {
        (Some(wrong), ..) => println!("WRONG\t{wrong}"),
        (_, Some(noticed), _) => println!("noticed\t{noticed}"),
        (_, _, Some(apart)) => println!("apart\t{apart}"),
        _ if groups.len() > 1 || !(listed == TOPICS || groups.contains_key(&0)) => {
            println!("torn\t{listed} topics, topics at group: {groups:?}");
        }
        _ if groups.keys().next() < Some(&acknowledged) => {
            println!("shorter\t{groups:?} of {acknowledged}")
        }
        _ => println!("intact\t"),
    }
    Ok(())
}

#[derive(Clone, Copy)]
enum Kind {
    Flip,
    Cut,
    Zero,
}

pub fn run(dir: &Path, trials: u64, engines: &[&str]) -> Result<Table> {
    let mut table = Table::new(&format!(
        "After a kill, {trials} times each: a bit flipped, a file cut, 4 KiB zeroed (in that order)"
    ));
    let engines = engines
        .iter()
        .copied()
        .chain(engines.contains(&"redb").then_some("redb-checked"));
    for engine in engines {
        let source = Scratch::new(dir, &format!("{engine}-source"))?;
        let mut child = spawn("write", engine, &source.0, &[])?;
        let mut acknowledged = 0;
        for line in lines(&mut child)? {
            acknowledged = line?.parse()?;
            if acknowledged == GROUPS {
                break;
            }
        }
        child.kill()?;
        child.wait()?;
        if acknowledged < GROUPS {
            return Err(format!("{engine}: the writer stopped after {acknowledged} groups").into());
        }

        let mut outcomes: BTreeMap<&str, [u64; 3]> = BTreeMap::new();
        let mut reasons: BTreeMap<String, u64> = BTreeMap::new();
        for (at, kind) in [Kind::Flip, Kind::Cut, Kind::Zero].into_iter().enumerate() {
            for trial in 0..trials {
                let copy = Scratch::new(dir, &format!("{engine}-copy"))?;
                copy_all(&source.0, &copy.0)?;
                let place = damage(&copy.0, kind, trial)?;
                let (outcome, reason) = judge(engine, &copy.0, acknowledged)?;
                outcomes.entry(outcome).or_default()[at] += 1;
                let file = place
                    .file_name()
                    .map(|name| name.to_string_lossy().into_owned())
                    .unwrap_or_default();
                let reason: String = reason
                    .chars()
                    .map(|c| if c.is_ascii_digit() { '#' } else { c })
                    .take(160)
                    .collect();
                *reasons
                    .entry(format!("{outcome} | {file} | {reason}"))
                    .or_default() += 1;
            }
        }
        for (reason, count) in reasons {
            eprintln!("{engine} {count}x {reason}");
        }
        let cells = [
            ("intact", "all there"),
            ("shorter", "a shorter prefix, correct, no error"),
            ("error", "an error of the engine"),
            (
                "noticed",
                "no error, but a block's checksum or a gap in offsets tells",
            ),
            (
                "apart",
                "no error, but messages and producers are of different moments",
            ),
            ("torn", "some topics shorter than others, no error"),
            ("WRONG", "wrong data"),
            ("panic", "panic"),
            ("killed", "killed by a signal"),
            ("hang", "hangs for 20 s"),
        ];
        let text = |counts: &[u64; 3]| counts.map(|count| count.to_string()).join(" / ");
        table.row(
            engine,
            cells
                .map(|(name, heading)| {
                    (
                        heading.to_owned(),
                        text(outcomes.get(name).unwrap_or(&[0; 3])),
                    )
                })
                .to_vec(),
        );
    }
    Ok(table)
}

/// Damages one file and names it. Half of the places are spread over the files, half over the bytes.
fn damage(dir: &Path, kind: Kind, trial: u64) -> Result<PathBuf> {
    let mut random = Random(trial * 3 + kind as u64);
    let mut files = Vec::new();
    find(dir, &mut files)?;
    files.sort();
    let mut contents = Vec::new();
    for file in files {
        let bytes = std::fs::read(&file)?;
        // Zeroes at the end are room that nothing was written to yet.
        let used = bytes
            .iter()
            .rposition(|byte| *byte != 0)
            .map_or(0, |at| at + 1);
        if used > 0 {
            contents.push((file, bytes, used));
        }
    }
    let (chosen, place) = if trial.is_multiple_of(2) {
        let chosen = random.below(contents.len() as u64) as usize;
        (chosen, random.below(contents[chosen].2 as u64) as usize)
    } else {
        let mut place =
            random.below(contents.iter().map(|(_, _, used)| *used as u64).sum()) as usize;
        let chosen = contents.iter().position(|(_, _, used)| {
            let here = place < *used;
            place -= if here { 0 } else { *used };
            here
        });
        (chosen.ok_or("no file")?, place)
    };
    let (file, bytes, _) = &mut contents[chosen];
    match kind {
        Kind::Flip => bytes[place] ^= 1 << random.below(8),
        Kind::Cut => bytes.truncate(place),
        Kind::Zero => {
            let page = place & !4095;
            let end = bytes.len().min(page + 4096);
            bytes[page..end].fill(0);
        }
    }
    std::fs::write(&*file, bytes)?;
    Ok(file.clone())
}

/// What another process makes of the folder.
pub fn judge(engine: &str, dir: &Path, acknowledged: u64) -> Result<(&'static str, String)> {
    let mut child = spawn("inspect", engine, dir, &[&acknowledged.to_string()])?;
    let began = Instant::now();
    while child.try_wait()?.is_none() {
        if began.elapsed() > Duration::from_secs(20) {
            child.kill()?;
            child.wait()?;
            return Ok(("hang", String::new()));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let output = child.wait_with_output()?;
    let (text, errors) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    let panic = errors
        .lines()
        .find(|line| line.contains("panicked at"))
        .map(str::to_owned);
    let known = [
        "intact", "shorter", "error", "noticed", "apart", "torn", "WRONG",
    ];
    if let Some(panic) = panic {
        let why = errors
            .lines()
            .skip_while(|line| !line.contains("panicked at"))
            .nth(1)
            .unwrap_or("");
        return Ok(("panic", format!("{panic} {why}")));
    }
    let (word, reason) = text
        .lines()
        .last()
        .and_then(|line| line.split_once('\t'))
        .unwrap_or(("", ""));
    match known.into_iter().find(|known| *known == word) {
        Some(known) => Ok((known, reason.to_owned())),
        None => Ok(("killed", format!("{} {errors}", output.status))),
    }
}

fn find(dir: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            find(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

/// Copies a folder; room that nothing was written to stays a hole.
fn copy_all(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_all(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
