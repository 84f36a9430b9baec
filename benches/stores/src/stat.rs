//! What the kernel knows of this process, and of a folder.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use crate::store::Result;

fn field(file: &str, name: &str) -> Result<u64> {
    let text = std::fs::read_to_string(file)?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .ok_or("no such line")?;
    Ok(line.split_whitespace().next().ok_or("no number")?.parse()?)
}

/// Bytes that this process has made the disk write.
pub fn written() -> Result<u64> {
    field("/proc/self/io", "write_bytes:")
}

/// MiB of memory at the most.
pub fn peak() -> Result<u64> {
    Ok(field("/proc/self/status", "VmHWM:")? >> 10)
}

/// MiB of memory.
pub fn resident() -> Result<u64> {
    Ok(field("/proc/self/status", "VmRSS:")? >> 10)
}

/// Time on the processors. The kernel counts in hundredths of a second.
pub fn cpu() -> Result<Duration> {
    let text = std::fs::read_to_string("/proc/self/stat")?;
    let after = text.rsplit(')').next().ok_or("no name")?;
    let ticks: u64 = after
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|n| n.parse::<u64>().unwrap_or(0))
        .sum();
    Ok(Duration::from_millis(ticks * 10))
}

/// Bytes that a folder occupies.
pub fn disk(dir: &Path) -> Result<u64> {
    let mut total = 0;
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        // A file may go while this looks at it.
        let Ok(meta) = entry.metadata() else { continue };
        total += meta.blocks() * 512;
        if meta.is_dir() {
            total += disk(&entry.path()).unwrap_or(0);
        }
    }
    Ok(total)
}

/// Measured times, of which medians and the like are asked.
#[derive(Default)]
pub struct Times(BTreeMap<u64, u64>, u64);

impl Times {
    pub fn add(&mut self, time: Duration) {
        *self.0.entry(time.as_micros() as u64).or_default() += 1;
        self.1 += 1;
    }

    /// Microseconds that this part of all did not exceed.
    pub fn part(&self, part: f64) -> u64 {
        let mut left = (self.1 as f64 * part).ceil() as u64;
        for (time, count) in &self.0 {
            left = left.saturating_sub(*count);
            if left == 0 {
                return *time;
            }
        }
        0
    }
}

pub fn cell(heading: &str, value: impl std::fmt::Display) {
    println!("{heading}\t{value}");
}

/// A number with a comma at the thousands.
pub fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
