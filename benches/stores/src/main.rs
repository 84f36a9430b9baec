//! Measuring gear: fjall and redb on the work of a topic's log, as Markdown tables.
//!
//!     cargo run --release --manifest-path benches/stores/Cargo.toml -- DIR [SCALE] [WORK...]
//!
//! DIR is a folder on the disk to measure; it is made, and what is put into it is removed. SCALE
//! multiplies the number of messages (1: about half an hour). WORK is one or more of append, read,
//! drop, reopen, damage, full, lock: all without it. STORES_ENGINES=fjall,redb-quick measures these
//! alone. Every figure comes from a process of its own, so that memory and input and output are that
//! engine's alone.

mod damage;
mod fjall;
mod full;
mod log;
mod redb;
mod speed;
mod stat;
mod store;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use log::key;
use store::{Result, ENGINES};

/// Bytes of either engine's cache.
const CACHE: usize = 64 << 20;

/// Bytes of fjall's memtable for the blocks.
const MEMTABLE: u64 = 32 << 20;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match &args[..] {
        ["child", work, engine, dir, rest @ ..] => child(work, engine, Path::new(dir), rest),
        [dir, rest @ ..] => {
            let (scale, works) = match rest {
                [first, works @ ..] if first.parse::<f64>().is_ok() => (first.parse()?, works),
                works => (1.0, works),
            };
            run(Path::new(dir), scale, works)
        }
        [] => Err("usage: stores DIR [SCALE] [WORK...]".into()),
    }
}

/// The part of a process that was started to measure one thing. It prints a cell a line, as
/// `heading<tab>value`.
fn child(work: &str, engine: &str, dir: &Path, rest: &[&str]) -> Result<()> {
    let number =
        |at: usize| -> Result<u64> { Ok(rest.get(at).ok_or("an argument is missing")?.parse()?) };
    match work {
        "append" => speed::append(engine, dir, number(0)?, number(1)?, number(2)?, number(3)?),
        "read" => speed::read(engine, dir, number(0)?),
        "drop" => speed::drop_old(engine, dir, number(0)?, number(1)?),
        "fill" => speed::fill(engine, dir, number(0)?, number(1)?),
        "open" => speed::open(engine, dir),
        "write" => damage::write(engine, dir),
        "inspect" => damage::inspect(engine, dir, number(0)?),
        "full" => full::fill(engine, dir),
        "lock" => full::lock(engine, dir),
        other => Err(format!("no work called {other}").into()),
    }
}

fn run(dir: &Path, scale: f64, works: &[&str]) -> Result<()> {
    let engines: Vec<&str> = match std::env::var("STORES_ENGINES") {
        Ok(names) => names
            .split(',')
            .map(|name| &*name.to_owned().leak())
            .collect(),
        Err(_) => ENGINES.to_vec(),
    };
    let wanted = |work: &str| works.is_empty() || works.contains(&work);
    let scaled = |count: u64| ((count as f64 * scale) as u64).max(1_000).to_string();
    std::fs::create_dir_all(dir)?;

    if wanted("append") {
        for (title, topics, group, count, total) in [
            ("Groups of 1 message, 1 topic", "1", "1", "1", 20_000),
            ("Groups of 100 messages, 1 topic", "1", "1", "100", 500_000),
            (
                "Groups of 1,000 messages, 1 topic",
                "1",
                "1",
                "1000",
                3_000_000,
            ),
            (
                "Groups of 1,000 messages over 100 topics",
                "100",
                "100",
                "10",
                2_000_000,
            ),
            (
                "Groups of 1,000 messages over 1,000 topics",
                "1000",
                "1000",
                "1",
                1_000_000,
            ),
        ] {
            let mut table = Table::new(title);
            for engine in &engines {
                let dir = Scratch::new(dir, engine)?;
                table.row(
                    engine,
                    collect(spawn(
                        "append",
                        engine,
                        &dir.0,
                        &[topics, group, count, &scaled(total)],
                    )?)?,
                );
            }
            table.print();
        }
    }
    if wanted("read") {
        let mut table = Table::new("Reading 1 of 2 topics, 1,000 messages a block, while groups of 1,000 are committed to the other");
        for engine in &engines {
            let dir = Scratch::new(dir, engine)?;
            table.row(
                engine,
                collect(spawn("read", engine, &dir.0, &[&scaled(1_000_000)])?)?,
            );
        }
        table.print();
    }
    if wanted("drop") {
        let mut table = Table::new(&format!(
            "10 topics that keep {} messages each, 20 times that is written",
            scaled(100_000)
        ));
        for engine in &engines {
            let dir = Scratch::new(dir, engine)?;
            table.row(
                engine,
                collect(spawn("drop", engine, &dir.0, &["10", &scaled(100_000)])?)?,
            );
        }
        table.print();
    }
    if wanted("reopen") {
        let total = scaled(10_000_000);
        let mut table = Table::new(&format!("Opening {total} messages in 1,000 topics"));
        for engine in &engines {
            let dir = Scratch::new(dir, engine)?;
            let mut cells = collect(spawn("fill", engine, &dir.0, &[&total, "0"])?)?;
            let mut open = |when: &str| -> Result<()> {
                for (heading, value) in collect(spawn("open", engine, &dir.0, &[])?)? {
                    cells.push((format!("{when}: {heading}"), value));
                }
                Ok(())
            };
            open("closed")?;
            forget();
            open("closed, cold")?;
            for when in ["killed", "killed, cold"] {
                let mut child = spawn("fill", engine, &dir.0, &[&total, "1"])?;
                lines(&mut child)?
                    .take_while(|line| line.as_ref().is_ok_and(|line| line != "appending"))
                    .for_each(drop);
                std::thread::sleep(std::time::Duration::from_secs(2));
                child.kill()?;
                child.wait()?;
                if when.ends_with("cold") {
                    forget();
                }
                open(when)?;
            }
            table.row(engine, cells);
        }
        table.print();
    }
    if wanted("damage") {
        let trials = ((200.0 * scale) as u64).max(10);
        damage::run(dir, trials, &engines)?.print();
    }
    if wanted("full") {
        full::run(dir, &engines)?.print();
    }
    if wanted("lock") {
        let mut table = Table::new("A second process opens the same folder");
        for engine in &engines {
            let dir = Scratch::new(dir, engine)?;
            table.row(engine, collect(spawn("lock", engine, &dir.0, &[])?)?);
        }
        table.print();
    }
    Ok(())
}

/// Empties the page cache, where that is allowed.
fn forget() {
    if std::fs::write("/proc/sys/vm/drop_caches", "3").is_err() {
        eprintln!("not allowed to empty the page cache: `cold` is not");
    }
}

/// A folder that goes when this goes.
pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new(dir: &Path, name: &str) -> Result<Self> {
        let path = dir.join(format!("stores-{}-{name}", std::process::id()));
        if path.exists() {
            std::fs::remove_dir_all(&path)?;
        }
        std::fs::create_dir_all(&path)?;
        Ok(Scratch(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// This program once more, for one piece of work.
pub fn spawn(work: &str, engine: &str, dir: &Path, args: &[&str]) -> Result<Child> {
    Ok(Command::new(std::env::current_exe()?)
        .args(["child", work, engine])
        .arg(dir)
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?)
}

pub fn lines(child: &mut Child) -> Result<std::io::Lines<BufReader<ChildStdout>>> {
    Ok(BufReader::new(child.stdout.take().ok_or("no output")?).lines())
}

pub type Cells = Vec<(String, String)>;

/// The cells that a child prints, once it has ended well.
pub fn collect(child: Child) -> Result<Cells> {
    let output = child.wait_with_output()?;
    if !output.status.success() {
        return Err(format!(
            "{}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        )
        .into());
    }
    let text = String::from_utf8(output.stdout)?;
    Ok(text
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .collect())
}

/// A Markdown table: a line for each heading, a column for each engine.
pub struct Table {
    title: String,
    columns: Vec<(String, Cells)>,
}

impl Table {
    pub fn new(title: &str) -> Self {
        eprintln!("{title}");
        Table {
            title: title.to_owned(),
            columns: Vec::new(),
        }
    }

    pub fn row(&mut self, engine: &str, cells: Cells) {
        self.columns.push((engine.to_owned(), cells));
    }

    pub fn print(&self) {
        let mut seen = BTreeSet::new();
        let headings = self
            .columns
            .iter()
            .flat_map(|(_, cells)| cells.iter().map(|(heading, _)| heading));
        let headings: Vec<&String> = headings.filter(|heading| seen.insert(*heading)).collect();
        println!("\n{}:\n", self.title);
        print!("| |");
        self.columns
            .iter()
            .for_each(|(engine, _)| print!(" {engine} |"));
        println!("\n|---|{}", "--:|".repeat(self.columns.len()));
        for heading in headings {
            print!("| {heading} |");
            for (_, cells) in &self.columns {
                let cell = cells.iter().find(|(other, _)| other == heading);
                print!(" {} |", cell.map_or("", |(_, value)| value));
            }
            println!();
        }
    }
}
