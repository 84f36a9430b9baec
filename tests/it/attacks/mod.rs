//! Clients that keep to no rule. Each attack is bounded; each test says what a well-behaved client
//! sees while it lasts and after it, and that the server's memory comes back.

mod reset;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use futures::stream;
use greeter_stream::client::Client;
use greeter_stream::stream::Status;

use crate::support::process::Server;
use crate::support::{client, soon, PATIENCE};

/// How long a client may wait that calls when an attack is over.
const WELL_WITHIN: Duration = Duration::from_secs(2);

/// What an attack may leave in the server's memory, in KiB. The allocator gives back what is free
/// within ten seconds.
const LEFT: u64 = 64 * 1024;

/// Has `attack` attack a server of its own; says what it did. The server serves others meanwhile,
/// serves them well as soon as it is over, and keeps nothing of it.
fn survives(what: &str, attack: impl FnOnce(SocketAddr) -> String) {
    // One attack at a time: they measure how long others wait.
    static ALONE: Mutex<()> = Mutex::new(());
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let server = Server::start_quiet(&["--tick-interval", "1h"]);
    let neighbour = Neighbour::of(&server);
    let before = server.resident();

    let started = Instant::now();
    let done = attack(server.address.parse().expect("an address"));
    let lasted = started.elapsed();
    let peak = server.resident().saturating_sub(before);
    let after = upload(&client(&server.address));
    let (calls, longest) = neighbour.leave();
    drop(alone);
    let left = settle(&server, before);

    println!(
        "{what}: {done} in {lasted:.1?}. Meanwhile {calls} calls were served, in {longest:.1?} at \
         the longest, and afterwards one in {after:.1?}. Memory grew by {} MiB; {} MiB were left.",
        peak / 1024,
        left / 1024,
    );
    assert!(after < WELL_WITHIN, "{what}: afterwards {after:?}");
    assert!(left < LEFT, "{what}: {left} KiB more than before");
}

/// How much more the server holds than `before`, once that is little or does not change soon.
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

/// A client that calls again and again, as anybody may.
struct Neighbour {
    done: Arc<AtomicBool>,
    thread: JoinHandle<(u64, Duration)>,
}

impl Neighbour {
    fn of(server: &Server) -> Self {
        let client = client(&server.address);
        // Connected when the attack begins.
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

    /// How many calls were served, and how long the longest took.
    fn leave(self) -> (u64, Duration) {
        self.done.store(true, Ordering::Relaxed);
        self.thread.join().expect("every call is served")
    }
}

/// How long an upload of one message takes, which must end well.
fn upload(client: &Client) -> Duration {
    let started = Instant::now();
    let message = stream::iter([Ok::<_, Status>("a".to_owned())]);
    assert_eq!(soon("an upload", client.put(message)), Ok("1".to_owned()));
    started.elapsed()
}
