//! Clients that keep to no rule. Each attack is bounded. Each test checks how long another client waits
//! during the attack and after it, and that the server gives the memory back.
//!
//! `GREETER_ATTACKS=5` in the environment makes each attack five times as long, and the server needs
//! five times as much memory, up to 1.6 GB. Without it the attacks are short enough for every run.

mod claim;
mod cut;
mod flood;
mod metadata;
mod nonsense;
mod panic;
mod reset;
mod silence;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use futures::stream;
use greeter_stream::client::Client;
use grpcio_streams::Status;
use testkit::environment::number;
use testkit::exclusive::whole_machine;
use testkit::http2::{connect, Connection};
use testkit::server::Server;
use testkit::wait::{soon, PATIENCE};

use crate::support::{client, server};

/// How long a call of another client may take during an attack. It waits behind what the attacker has
/// sent before.
const MEANWHILE: Duration = Duration::from_secs(10);

/// How long a call of another client may take when the attack is over.
const WELL_WITHIN: Duration = Duration::from_secs(2);

/// By how many KiB the server may have grown after an attack. The allocator gives back free memory
/// within ten seconds.
const LEFT: u64 = 64 * 1024;

/// How often to do what is done `n` times unless the environment asks for more.
fn times(n: u32) -> u32 {
    n * number("GREETER_ATTACKS").unwrap_or(1)
}

/// Runs `attack` against a server of its own; it returns what it did. The server must serve other
/// clients meanwhile, and serve them quickly as soon as the attack is over. The [`Aftermath`] checks
/// that it gives the memory back.
#[must_use]
fn survives(what: &str, attack: impl FnOnce(SocketAddr) -> String) -> Aftermath {
    survives_with(&["--tick-interval", "1h"], what, attack)
}

/// The same for a server that takes as many calls as the attack makes. Its usual limits would end the
/// attack early.
#[must_use]
fn survives_unlimited(what: &str, attack: impl FnOnce(SocketAddr) -> String) -> Aftermath {
    let calls = ["--max-streams", "1000000", "--max-calls", "1000000"];
    survives_with(
        &[&["--tick-interval", "1h"][..], &calls].concat(),
        what,
        attack,
    )
}

/// The same for a server with these flags.
#[must_use]
fn survives_with(
    flags: &[&str],
    what: &str,
    attack: impl FnOnce(SocketAddr) -> String,
) -> Aftermath {
    let alone = whole_machine();
    let server = server::start_quiet(flags);
    let neighbour = Neighbour::of(&server);
    let before = server.resident();

    let started = Instant::now();
    let done = attack(server.address.parse().expect("an address"));
    let lasted = started.elapsed();
    let after = upload(&client(&server.address));
    let (calls, longest) = neighbour.leave();
    let peak = server.peak().saturating_sub(before);
    drop(alone);

    println!(
        "{what}: {done} in {lasted:.1?}. Meanwhile {calls} calls were served, in {longest:.1?} at \
         the longest, and afterwards one in {after:.1?}. Memory grew by {} MiB.",
        peak / 1024,
    );
    assert!(longest < MEANWHILE, "{what}: meanwhile {longest:?}");
    assert!(after < WELL_WITHIN, "{what}: afterwards {after:?}");
    let what = what.to_owned();
    let settling = thread::spawn(move || {
        let left = settle(&server, before);
        println!("{what}: {} MiB were left.", left / 1024);
        assert!(left < LEFT, "{what}: {left} KiB more than before");
    });
    Aftermath {
        peak,
        settling: Some(settling),
    }
}

/// Watches the memory of an attacked server while the next attack begins. Dropping it waits until the
/// memory is back, and panics when it does not come back.
struct Aftermath {
    /// By how much the server's memory grew, in KiB.
    peak: u64,
    settling: Option<JoinHandle<()>>,
}

impl Drop for Aftermath {
    fn drop(&mut self) {
        let settled = self.settling.take().map(JoinHandle::join);
        // The thread has said why.
        let failed = matches!(settled, Some(Err(_)));
        assert!(
            !failed || thread::panicking(),
            "the memory does not come back"
        );
    }
}

/// How many KiB more than `before` the server holds, once that is little or time is over.
fn settle(server: &Server, before: u64) -> u64 {
    let started = Instant::now();
    loop {
        let left = server.resident().saturating_sub(before);
        if left < LEFT || started.elapsed() > PATIENCE {
            return left;
        }
        thread::park_timeout(Duration::from_millis(20));
    }
}

/// Another client, which makes one call after the other.
struct Neighbour {
    done: Arc<AtomicBool>,
    thread: JoinHandle<(u64, Duration)>,
}

impl Neighbour {
    fn of(server: &Server) -> Self {
        let client = client(&server.address);
        // So it is connected before the attack begins.
        upload(&client);
        let done = Arc::<AtomicBool>::default();
        let is_done = done.clone();
        let thread = thread::spawn(move || {
            let (mut calls, mut longest) = (0, Duration::ZERO);
            while !is_done.load(Ordering::Relaxed) {
                longest = longest.max(upload(&client));
                calls += 1;
                thread::park_timeout(Duration::from_millis(5));
            }
            (calls, longest)
        });
        Self { done, thread }
    }

    /// Ends the client; how many calls were served, and how long the longest took.
    fn leave(self) -> (u64, Duration) {
        self.done.store(true, Ordering::Relaxed);
        self.thread.join().expect("every call is served")
    }
}

/// Makes an upload of one message, which must succeed; how long it takes.
fn upload(client: &Client) -> Duration {
    let started = Instant::now();
    let message = stream::iter([Ok::<_, Status>("a".to_owned())]);
    assert_eq!(soon("an upload", client.put(message)), Ok("1".to_owned()));
    started.elapsed()
}

/// A connection that has acknowledged the server's settings.
fn connect_and_acknowledge(address: SocketAddr) -> Connection {
    let mut connection = connect(address);
    connection.acknowledge_settings();
    connection
}
