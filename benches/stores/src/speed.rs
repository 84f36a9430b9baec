//! How fast, how large: appending, reading, dropping, opening.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::log::{self, Log, Random, TEXT};
use crate::stat::{self, cell, thousands, Times};
use crate::store::{self, Result, Store};
use crate::MEMTABLE;

/// Appends `total` messages in groups of `count` to each of `per_group` of `topics` in turn.
pub fn append(
    engine: &str,
    dir: &Path,
    topics: u64,
    per_group: u64,
    count: u64,
    total: u64,
) -> Result<()> {
    let store = store::open(engine, dir, MEMTABLE)?;
    let mut log = Log::new(topics, u64::MAX);
    let (mut times, mut busy, mut appended, mut turn) = (Times::default(), Duration::ZERO, 0, 0);
    let (cpu, written) = (stat::cpu()?, stat::written()?);
    let mut making = Duration::ZERO;
    while appended < total {
        let began = Instant::now();
        let group = log.group((turn..turn + per_group).map(|id| id % topics), count);
        making += began.elapsed();
        turn += per_group;
        let began = Instant::now();
        store.commit(group)?;
        busy += began.elapsed();
        times.add(began.elapsed());
        appended += per_group * count;
    }
    let cpu = (stat::cpu()? - cpu).saturating_sub(making);
    cell(
        "messages/s",
        thousands(appended as f64 / busy.as_secs_f64()),
    );
    commits_took(&times);
    cell(
        "CPU, us/message",
        format!("{:.2}", cpu.as_secs_f64() * 1e6 / appended as f64),
    );
    let peak = stat::peak()?;
    // What the engine still does in the background belongs to it.
    drop(store);
    let amplification = (stat::written()? - written) as f64 / (appended * TEXT as u64) as f64;
    cell("bytes written/byte of text", format!("{amplification:.2}"));
    cell(
        "disk bytes/message",
        format!("{:.0}", stat::disk(dir)? as f64 / appended as f64),
    );
    cell("peak memory, MiB", peak);
    Ok(())
}

/// Reads topic 0 in order and at random, while topic 1 is appended to.
pub fn read(engine: &str, dir: &Path, total: u64) -> Result<()> {
    let store = store::open(engine, dir, MEMTABLE)?;
    let mut log = Log::new(2, u64::MAX);
    while log.next(0) < total {
        store.commit(log.group(0..1, 1_000))?;
    }
    let before = stat::resident()?;
    let alone = replay(&*store, total)?;
    let after = stat::resident()?;

    let (stop, commits) = (
        AtomicBool::new(false),
        std::sync::Mutex::new(Times::default()),
    );
    std::thread::scope(|scope| -> Result<()> {
        let writer = scope.spawn(|| -> Result<()> {
            while !stop.load(Ordering::Relaxed) {
                let group = log.group(1..2, 1_000);
                let began = Instant::now();
                store.commit(group)?;
                if let Ok(mut commits) = commits.lock() {
                    commits.add(began.elapsed());
                }
            }
            Ok(())
        });
        let measured = (|| -> Result<()> {
            let beside = (0..3)
                .map(|_| replay(&*store, total))
                .collect::<Result<Vec<_>>>()?;
            let mut times = Times::default();
            let mut random = Random(1);
            for _ in 0..20_000 {
                let from = random.below(total);
                let began = Instant::now();
                let mut found = false;
                store.blocks(0, from, &mut |key, value| {
                    let (_, first) = log::split(key)?;
                    log::walk(value, |index, _| found |= first + index == from).ok_or("damaged")?;
                    Ok(false)
                })?;
                times.add(began.elapsed());
                if !found {
                    return Err(format!("offset {from} is not where it belongs").into());
                }
            }
            cell(
                "in order, alone, messages/s",
                thousands(total as f64 / alone.as_secs_f64()),
            );
            let mut beside: Vec<f64> = beside
                .iter()
                .map(|took| total as f64 / took.as_secs_f64())
                .collect();
            beside.sort_by(f64::total_cmp);
            cell("in order, beside commits, messages/s", thousands(beside[1]));
            cell("random, p50, us", times.part(0.5));
            cell("random, p99, us", times.part(0.99));
            Ok(())
        })();
        stop.store(true, Ordering::Relaxed);
        writer.join().map_err(|_| "the writer panicked")??;
        measured
    })?;
    if let Ok(commits) = commits.lock() {
        cell(
            "commit p50 meanwhile, ms",
            format!("{:.2}", commits.part(0.5) as f64 / 1e3),
        );
        cell(
            "commit p99 meanwhile, ms",
            format!("{:.2}", commits.part(0.99) as f64 / 1e3),
        );
    }
    cell("memory before, MiB", before);
    cell("memory after one replay, MiB", after);
    cell("peak memory, MiB", stat::peak()?);
    Ok(())
}

fn replay(store: &dyn Store, total: u64) -> Result<Duration> {
    let began = Instant::now();
    let (mut next, mut bytes) = (0, 0);
    store.blocks(0, 0, &mut |key, value| {
        let (_, first) = log::split(key)?;
        if first != next {
            return Err(format!("{first} follows {next}").into());
        }
        next += log::walk(value, |_, text| bytes += text.len()).ok_or("damaged")?;
        Ok(true)
    })?;
    if next < total || bytes as u64 != next * TEXT as u64 {
        return Err(format!("{next} messages instead of {total}").into());
    }
    Ok(began.elapsed())
}

/// Appends to topics that keep `keep` messages each, 20 times that; then drops everything.
pub fn drop_old(engine: &str, dir: &Path, topics: u64, keep: u64) -> Result<()> {
    let mut store = store::open(engine, dir, MEMTABLE)?;
    let mut log = Log::new(topics, keep);
    let mib = |bytes: u64| format!("{:.0}", bytes as f64 / f64::from(1 << 20));
    let (mut times, mut busy, mut most) = (Times::default(), Duration::ZERO, 0);
    let written = stat::written()?;
    for round in 1..=20 {
        while log.next(0) < keep * round {
            let group = log.group(0..topics, 100);
            let began = Instant::now();
            store.commit(group)?;
            busy += began.elapsed();
            times.add(began.elapsed());
            if log.next(0).is_multiple_of(5_000) {
                most = most.max(stat::disk(dir)?);
            }
        }
        if [1, 2, 5, 10, 15, 20].contains(&round) {
            cell(
                &format!("disk after {round} times, MiB"),
                mib(stat::disk(dir)?),
            );
        }
    }
    cell("disk at most, MiB", mib(most));
    cell("text kept, MiB", mib(topics * keep * TEXT as u64));
    cell(
        "messages/s",
        thousands((20 * topics * keep) as f64 / busy.as_secs_f64()),
    );
    commits_took(&times);
    let amplification =
        (stat::written()? - written) as f64 / (20 * topics * keep * TEXT as u64) as f64;
    cell("bytes written/byte of text", format!("{amplification:.2}"));
    cell("peak memory, MiB", stat::peak()?);

    let began = Instant::now();
    for group in log.drop_all() {
        store.commit(group)?;
    }
    cell("dropping everything, ms", began.elapsed().as_millis());
    cell("disk then, MiB", mib(stat::disk(dir)?));
    std::thread::sleep(Duration::from_secs(2));
    cell("disk 2 s later, MiB", mib(stat::disk(dir)?));
    let began = Instant::now();
    store.reclaim()?;
    cell("compaction asked for, ms", began.elapsed().as_millis());
    cell("disk after it, MiB", mib(stat::disk(dir)?));
    drop(store);
    drop(store::open(engine, dir, MEMTABLE)?);
    cell("disk after reopening, MiB", mib(stat::disk(dir)?));
    Ok(())
}

/// Appends `total` messages to 1,000 topics and closes; or goes on appending for ever.
pub fn fill(engine: &str, dir: &Path, total: u64, for_ever: u64) -> Result<()> {
    const TOPICS: u64 = 1_000;
    let store = store::open(engine, dir, MEMTABLE)?;
    let mut log = Log::new(TOPICS, u64::MAX);
    let (mut turn, mut appended) = (0, 0);
    if for_ever == 1 {
        println!("appending");
        // The blocks that are there are written once more, which is as much work.
        loop {
            store.commit(log.group((turn..turn + 100).map(|id| id % TOPICS), 10))?;
            turn += 100;
        }
    }
    let began = Instant::now();
    while appended < total {
        store.commit(log.group((turn..turn + 100).map(|id| id % TOPICS), 10))?;
        turn += 100;
        appended += 1_000;
    }
    cell(
        "written, messages/s",
        thousands(appended as f64 / began.elapsed().as_secs_f64()),
    );
    cell("peak memory of the writer, MiB", stat::peak()?);
    let began = Instant::now();
    drop(store);
    cell("closing, ms", began.elapsed().as_millis());
    cell(
        "disk bytes/message",
        format!("{:.0}", stat::disk(dir)? as f64 / appended as f64),
    );
    Ok(())
}

/// Opens, lists topics and producers, reads the first and the last block of each topic.
pub fn open(engine: &str, dir: &Path) -> Result<()> {
    let began = Instant::now();
    let store = store::open(engine, dir, MEMTABLE)?;
    let opened = began.elapsed();
    let (mut ids, mut producers) = (Vec::new(), 0);
    store.topics(&mut |id, _| ids.push(id))?;
    store.producers(&mut |_, _| producers += 1)?;
    let mut blocks = 0;
    for id in &ids {
        store.blocks(*id, 0, &mut |_, value| {
            blocks += u64::from(log::walk(value, |_, _| ()).is_some());
            Ok(false)
        })?;
        store.last(*id, &mut |_, value| {
            blocks += u64::from(log::walk(value, |_, _| ()).is_some())
        })?;
    }
    if ids.is_empty() || blocks != 2 * ids.len() as u64 || producers != ids.len() {
        return Err(format!(
            "{} topics, {producers} producers, {blocks} blocks",
            ids.len()
        )
        .into());
    }
    cell("open, ms", opened.as_millis());
    cell(
        "open and the ends of all topics read, ms",
        began.elapsed().as_millis(),
    );
    cell("memory, MiB", stat::peak()?);
    Ok(())
}

/// How long commits took.
fn commits_took(times: &Times) {
    let part = |part| times.part(part) as f64 / 1e3;
    cell("commit p50, ms", format!("{:.2}", part(0.5)));
    cell("commit p99, ms", format!("{:.2}", part(0.99)));
    cell("commit max, ms", format!("{:.0}", part(1.0)));
}
