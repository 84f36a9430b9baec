//! The results of a load.

use std::fmt;
use std::sync::atomic::Ordering;

use hdrhistogram::Histogram;
use serde_json::json;

use super::flags::Work;
use super::process::Usage;
use super::running::Running;
use crate::client::Config;
use grpcio_streams::Status;

pub(super) struct Report {
    work: Work,
    servers: String,
    connections: usize,
    /// How many messages or calls ended during the measurement.
    count: u64,
    latencies: Histogram<u64>,
    /// The load beside it, and its number of messages.
    beside: Option<(Work, u64)>,
    cost: Option<Cost>,
}

/// What the server's process had used at rest, before the measurement, and after it.
pub(super) struct Cost {
    pub(super) at_rest: Usage,
    pub(super) before: Usage,
    pub(super) after: Usage,
}

/// The reported quantiles and their names.
const QUANTILES: [(f64, &str); 4] = [(0.5, "p50"), (0.9, "p90"), (0.99, "p99"), (0.999, "p99.9")];

impl Report {
    /// The report of the first of the loads, beside the second.
    pub(super) fn new(
        config: &Config,
        loads: &[Running],
        cost: Option<Cost>,
    ) -> Result<Self, Status> {
        let count = |running: &Running| running.bench.meter.measured.load(Ordering::Relaxed);
        let beside = |running: &Running| (running.bench.work.clone(), count(running));
        let own = &loads[0].bench;
        Ok(Self {
            work: own.work.clone(),
            servers: config.servers.join(", "),
            connections: own.clients.len(),
            count: count(&loads[0]),
            latencies: own.meter.latencies()?,
            beside: loads.get(1).map(beside),
            cost,
        })
    }

    fn per_second(&self, count: u64) -> f64 {
        count as f64 / self.work.load().duration.as_secs_f64()
    }

    /// The server's processor time for each message or call, in microseconds.
    fn cpu_each(&self, cost: &Cost) -> f64 {
        let cpu = cost.after.cpu.saturating_sub(cost.before.cpu);
        let beside = self.beside.as_ref().map_or(0, |(_, count)| *count);
        cpu.as_secs_f64() * 1e6 / (self.count + beside) as f64
    }

    pub(super) fn to_json(&self) -> String {
        let load = self.work.load();
        let mut object = json!({
            "work": self.work.name(),
            "servers": self.servers,
            "streams": load.streams,
            "connections": self.connections,
            "size": load.size,
            "rate": self.work.rate(),
            "seconds": load.duration.as_secs_f64(),
            "count": self.count,
            "per_second": self.per_second(self.count),
        });
        if let Some((work, count)) = &self.beside {
            object["beside"] = json!({
                "work": work.name(),
                "streams": work.load().streams,
                "per_second": self.per_second(*count),
            });
        }
        if !self.latencies.is_empty() {
            let mut microseconds = json!({
                "mean": self.latencies.mean(),
                "max": self.latencies.max(),
            });
            for (quantile, name) in QUANTILES {
                microseconds[name] = self.latencies.value_at_quantile(quantile).into();
            }
            object["latency_us"] = microseconds;
        }
        if let Some(cost) = &self.cost {
            object["server"] = json!({
                "cpu_us": self.cpu_each(cost),
                "memory_at_rest": cost.at_rest.memory,
                "memory": cost.after.memory,
                "peak_memory": cost.after.peak_memory,
            });
        }
        object.to_string()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let load = self.work.load();
        let per_second = self.per_second(self.count);
        writeln!(
            f,
            "{}: {} streams on {} connections to {}, {} bytes a message, {:?} after {:?}",
            self.work.name(),
            load.streams,
            self.connections,
            self.servers,
            load.size,
            load.duration,
            load.warmup,
        )?;
        match self.work {
            Work::Calls(_) => writeln!(f, "{per_second:.0} calls/s, {} calls", self.count)?,
            Work::Idle(_) => writeln!(
                f,
                "{} of {} streams received the message at the end",
                self.count, load.streams
            )?,
            _ => writeln!(
                f,
                "{per_second:.0} messages/s, {:.1} MiB/s, {} messages",
                per_second * f64::from(load.size) / f64::from(1 << 20),
                self.count,
            )?,
        }
        if let Some((work, count)) = &self.beside {
            let (streams, beside) = (work.load().streams, self.per_second(*count));
            writeln!(
                f,
                "beside {}: {streams} streams, {beside:.0} messages/s",
                work.name()
            )?;
        }
        if let Some(cost) = &self.cost {
            let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
            let (cpu, memory) = (self.cpu_each(cost), mib(cost.after.memory));
            let (at_rest, peak) = (mib(cost.at_rest.memory), mib(cost.after.peak_memory));
            writeln!(
                f,
                "server: {cpu:.2} us of processor time each; memory {memory:.1} MiB, {at_rest:.1} \
                 before, {peak:.1} at most"
            )?;
        }
        if self.latencies.is_empty() {
            return Ok(());
        }
        let since = match self.work.rate() {
            Some(_) => "from when it was to be sent",
            None => "from when it was sent",
        };
        writeln!(f, "latency in ms, {since}:")?;
        let milliseconds = |us: u64| us as f64 / 1e3;
        for (quantile, name) in QUANTILES {
            let latency = self.latencies.value_at_quantile(quantile);
            writeln!(f, "  {name:6} {:10.3}", milliseconds(latency))?;
        }
        writeln!(
            f,
            "  {:6} {:10.3}",
            "max",
            milliseconds(self.latencies.max())
        )
    }
}
