//! The table of what was measured.

use std::fmt;

use serde_json::Value;
use testkit::median::Median;

use super::Reports;

/// A figure of a report: its name in the table, and where it is in the JSON.
pub const FIGURES: [(&str, &str); 6] = [
    ("per second", "/per_second"),
    ("beside it per second", "/beside/per_second"),
    ("server CPU us each", "/server/cpu_us"),
    ("p50 ms", "/latency_us/p50"),
    ("p99 ms", "/latency_us/p99"),
    ("memory KiB a stream", "/memory"),
];

pub struct Table {
    pub loads: Vec<String>,
    pub servers: Vec<String>,
    /// By load, figure and server.
    cells: Vec<Vec<Vec<Option<Median>>>>,
}

impl Table {
    pub fn new(loads: &[String], servers: &[String], reports: &Reports) -> Self {
        let cell = |load: usize, figure: usize, server: usize| {
            let reports = reports.get(&(load, server))?;
            Median::of(
                reports
                    .iter()
                    .filter_map(|report| value(report, figure))
                    .collect(),
            )
        };
        let cells = (0..loads.len()).map(|load| {
            let figures = (0..FIGURES.len()).map(|figure| {
                let servers = (0..servers.len()).map(|server| cell(load, figure, server));
                servers.collect()
            });
            figures.collect()
        });
        Self {
            loads: loads.to_vec(),
            servers: servers.to_vec(),
            cells: cells.collect(),
        }
    }

    pub fn cell(&self, load: usize, figure: usize, server: usize) -> Option<Median> {
        self.cells[load][figure][server]
    }
}

/// A figure of one report; None where the load does not have it.
fn value(report: &Value, figure: usize) -> Option<f64> {
    let number = |path: &str| report.pointer(path)?.as_f64();
    match FIGURES[figure].1 {
        "/memory" => {
            let streams = number("/streams")?;
            let grown = number("/server/memory")? - number("/server/memory_at_rest")?;
            (report["work"] == "idle").then_some(grown / 1024.0 / streams)
        }
        // The load `idle` has no figures but its memory.
        _ if report["work"] == "idle" => None,
        // At full speed a latency only says how far ahead the publisher may be.
        path if path.starts_with("/latency_us") => {
            let at_full_speed = report["work"] == "fan" && report["rate"].is_null();
            (!at_full_speed).then_some(number(path)? / 1e3)
        }
        path => number(path),
    }
}

impl fmt::Display for Table {
    /// In Markdown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "| load | figure |")?;
        for server in &self.servers {
            write!(f, " {server} |")?;
        }
        for peer in &self.servers[1..] {
            write!(f, " ours : {peer} |")?;
        }
        writeln!(f, "\n|{}", "---|".repeat(2 + self.servers.len() * 2 - 1))?;
        for (load, name) in self.loads.iter().enumerate() {
            for (figure, (title, _)) in FIGURES.iter().enumerate() {
                let cells = &self.cells[load][figure];
                let Some(ours) = cells[0] else { continue };
                write!(f, "| {name} | {title} |")?;
                for cell in cells {
                    match cell {
                        Some(median) => write!(f, " {median} |")?,
                        None => write!(f, " failed |")?,
                    }
                }
                for peer in &cells[1..] {
                    match peer {
                        Some(peer) => write!(f, " {:.2} |", ours.median / peer.median)?,
                        None => write!(f, " |")?,
                    }
                }
                writeln!(f)?;
            }
        }
        Ok(())
    }
}
