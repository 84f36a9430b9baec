//! The server beside the same hub on other implementations of gRPC, under the same load.
//!
//!     scripts/bench.sh --help
//!
//! builds them all and runs this. Every round puts each load on each server in turn. The table shows
//! medians, and how our server compares with each of the others.
#![allow(missing_docs, unreachable_pub)]
// A measurement that cannot go on says why and fails.
#![allow(clippy::expect_used, clippy::print_stdout, clippy::print_stderr)]

mod plot;
mod table;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use clap::Parser;
use serde_json::Value;
use testkit::certificates::Certificate;
use testkit::folder::Folder;
use testkit::server::Server;
use testkit::wait::PATIENCE;

/// Measures servers of the same contract in turn.
#[derive(Parser)]
struct Args {
    /// Another server: its name and the program, which takes `--listen ADDRESS` and says where it
    /// listens
    #[arg(long = "peer", value_name = "NAME=PATH", value_parser = peer)]
    peers: Vec<(String, PathBuf)>,
    /// Rounds of everything
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How long each load is measured
    #[arg(long, default_value = "3s")]
    duration: String,
    /// How long it runs before that
    #[arg(long, default_value = "1s")]
    warmup: String,
    /// Only the loads whose names begin so
    #[arg(long, default_value = "")]
    only: String,
    /// Where the data and the report go
    #[arg(long, default_value = "target/bench")]
    out: PathBuf,
    /// What cargo adds
    #[arg(long, hide = true)]
    bench: bool,
}

fn peer(text: &str) -> Result<(String, PathBuf), String> {
    let (name, path) = text.split_once('=').ok_or("not NAME=PATH")?;
    Ok((name.to_owned(), path.into()))
}

/// The loads: the name in the table, and the arguments of `greeter-client bench`.
fn loads() -> Vec<(String, String)> {
    let mut loads = Vec::new();
    let mut add = |name: &str, args: String| loads.push((name.to_owned(), args));
    for (work, size) in [("get", 16), ("get", 1024), ("put", 16), ("put", 1024)] {
        add(&format!("{work} {size} B"), format!("{work} --size {size}"));
    }
    add("ping", "ping".into());
    add("calls", "calls --streams 4".into());
    let fan = "fan --streams 1000 --connections";
    let mixed = "mixed --streams 10 --rate 100 --beside";
    add("ping beside get", format!("{mixed} get"));
    add(
        "ping beside fan",
        format!("{mixed} fan --beside-streams 1000"),
    );
    add("fan full", format!("{fan} 10"));
    add("fan 50/s on 10", format!("{fan} 10 --rate 50"));
    add("fan 20/s on 1000", format!("{fan} 1000 --rate 20"));
    add(
        "idle streams",
        "idle --streams 10000 --connections 10".into(),
    );
    add(
        "idle connections",
        "idle --streams 10000 --connections 10000".into(),
    );
    for subscribers in [1, 10, 100, 1_000, 10_000] {
        let connections = subscribers.min(10);
        add(
            &format!("{} {subscribers}", plot::SUBSCRIBERS),
            format!("fan --streams {subscribers} --connections {connections}"),
        );
    }
    for power in [4, 8, 12, 16, 20] {
        let size = 1 << power;
        add(
            &format!("{} {size}", plot::SIZE),
            format!("get --size {size}"),
        );
    }
    loads
}

/// The reports of the rounds, by load and server.
type Reports = BTreeMap<(usize, usize), Vec<Value>>;

/// A server to be measured.
struct Target {
    name: String,
    program: PathBuf,
    /// Flags of the server, and of its client.
    flags: [Vec<String>; 2],
}

impl Target {
    fn new(name: &str, program: impl Into<PathBuf>, server: &[&str], client: &[&str]) -> Self {
        let owned = |flags: &[&str]| flags.iter().map(ToString::to_string).collect();
        Self {
            name: name.to_owned(),
            program: program.into(),
            flags: [owned(server), owned(client)],
        }
    }

    /// Our server, the peers, and our server with one queue and with TLS.
    fn all(peers: &[(String, PathBuf)], certificates: &Folder) -> Vec<Self> {
        let ca = Certificate::ca("ca");
        let (cert, key) = certificates.write_pair("server", &ca.sign_server("server"));
        let ca = certificates.write("ca.crt", ca.pem());
        let tls = ["--tls-cert", &cert, "--tls-key", &key];

        let ours = env!("CARGO_BIN_EXE_greeter-server");
        let mut targets = vec![Self::new("ours", ours, &[], &[])];
        let peers = peers.iter();
        targets.extend(peers.map(|(name, program)| Self::new(name, program, &[], &[])));
        targets.push(Self::new("one queue", ours, &["--threads", "1"], &[]));
        targets.push(Self::new("TLS", ours, &tls, &["--tls", "--ca", &ca]));
        targets
    }
}

fn main() {
    let args = Args::parse();
    let certificates = Folder::new();
    let servers = Target::all(&args.peers, &certificates);
    let loads: Vec<_> = loads()
        .into_iter()
        .filter(|(name, _)| name.starts_with(&args.only))
        .collect();
    fs::create_dir_all(&args.out).expect("a folder");
    let data = args.out.join("data.jsonl");
    let mut data = fs::File::create(data).expect("a file");
    let mut reports = Reports::new();
    for round in 1..=args.rounds {
        for (l, (load, flags)) in loads.iter().enumerate() {
            for (s, server) in servers.iter().enumerate() {
                eprintln!("round {round} of {}: {load}, {}", args.rounds, server.name);
                let mut report = match measure(server, flags, &args) {
                    Ok(report) => report,
                    Err(why) => {
                        eprintln!("{why}");
                        continue;
                    }
                };
                report["load"] = load.as_str().into();
                report["by"] = server.name.as_str().into();
                writeln!(data, "{report}").expect("written");
                reports.entry((l, s)).or_default().push(report);
            }
        }
    }
    let loads: Vec<_> = loads.into_iter().map(|(name, _)| name).collect();
    let servers: Vec<_> = servers.into_iter().map(|server| server.name).collect();
    let table = table::Table::new(&loads, &servers, &reports);
    print!("{table}");
    let report = args.out.join("report.html");
    fs::write(&report, plot::page(&table)).expect("written");
    println!("\nThe plots are in {}", report.display());
}

/// Puts one load on a new process of one server; the report.
fn measure(target: &Target, flags: &str, args: &Args) -> Result<Value, String> {
    let [server_flags, client_flags] = &target.flags;
    let mut command = Command::new(&target.program);
    command.args(["--listen", "127.0.0.1:0"]).args(server_flags);
    command.env("RUST_LOG", "off").stderr(Stdio::null());
    let server = Server::start(&mut command, PATIENCE).map_err(|e| e.to_string())?;
    let output = Command::new(env!("CARGO_BIN_EXE_greeter-client"))
        .args(["--server", &server.address])
        .args(client_flags)
        .arg("bench")
        .args(flags.split(' '))
        .args(["--duration", &args.duration, "--warmup", &args.warmup])
        .args(["--json", "--pid", &server.process.id().to_string()])
        .output()
        .map_err(|e| e.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    serde_json::from_slice(&output.stdout).map_err(|e| e.to_string())
}
