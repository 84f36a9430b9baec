//! A crowd of grpc-go's clients that upload as fast as they can, each on a connection of its own. Nobody
//! who behaves well is reset, and the server's memory stays within bounds.

use std::time::{Duration, Instant};

use futures::{future, stream, StreamExt};
use grpcio_streams::Status;
use testkit::environment::number;
use testkit::exclusive::whole_machine;
use testkit::process::{command, run_within, text};
use testkit::relay::Relay;
use testkit::wait::PATIENCE;

use crate::support::core::core;
use crate::support::go::go;
use crate::support::{client, server};

/// In KiB.
const MIB: u64 = 1024;

/// How large the crowd is, and what the server gives to it.
struct Crowd {
    clients: u64,
    seconds: u64,
    /// The server's flags of memory and connections.
    limits: &'static [&'static str],
    /// The most memory that the server may take in all, in KiB.
    most: u64,
}

impl Crowd {
    /// A sixteenth of the server's defaults, unless `GREETER_TEST_CROWD` and
    /// `GREETER_TEST_CROWD_SECONDS` in the environment ask for a crowd against the defaults.
    fn of_environment() -> Self {
        match number("GREETER_TEST_CROWD") {
            None => Self {
                clients: 200,
                seconds: 3,
                limits: &[
                    "--max-memory-bytes",
                    "67108864",
                    "--max-connections",
                    "1000",
                ],
                most: 128 * MIB,
            },
            Some(clients) => Self {
                clients,
                seconds: number("GREETER_TEST_CROWD_SECONDS").unwrap_or(30),
                limits: &[],
                most: 600 * MIB,
            },
        }
    }

    fn uploads(&self, retention: &[&str], topics: &str) {
        let _whole_machine = whole_machine();
        let server = server::start_with("127.0.0.1:0", &[self.limits, retention].concat(), "off");
        let mut crowd = command(go("crowd"));
        crowd.args(["-server", &server.address, "-topics", topics]);
        crowd.args(["-clients", &self.clients.to_string()]);
        crowd.args(["-for", &format!("{}s", self.seconds)]);
        let limit = Duration::from_secs(self.seconds) + PATIENCE;
        let ended = run_within(limit, &mut crowd, b"");
        let (said, peak) = (text(&ended.stdout), server.peak());
        println!("{said}{} MiB at most", peak / MIB);
        assert_eq!(
            ended.status.code(),
            Some(0),
            "{said}{}",
            text(&ended.stderr)
        );
        assert!(peak < self.most, "{peak} KiB");
    }
}

/// How many bytes of messages a second one upload brings to a server that is 50 ms away there and back.
fn far_upload(limits: &[&str]) -> f64 {
    const FOR: Duration = Duration::from_secs(2);
    let server = server::start_with("127.0.0.1:0", limits, "off");
    let relay = Relay::far_from(&server.address, Duration::from_millis(25));
    let started = Instant::now();
    let messages = stream::repeat(Ok::<_, Status>("x".repeat(100)));
    let messages = messages.take_while(move |_| future::ready(started.elapsed() < FOR));
    let client = client(&relay.address);
    let count = client
        .clone()
        .run(async move { client.put(messages).await });
    let count: f64 = count.expect("answered").parse().expect("a number");
    count * 100.0 / started.elapsed().as_secs_f64()
}

#[test]
fn a_window_decides_how_fast_an_upload_over_a_long_way_is() {
    let _whole_machine = whole_machine();
    let rates = [&[][..], &["--max-connections", "500"]].map(far_upload);
    println!("{rates:.0?} bytes/s at 50 ms, with the default window and with 1 MiB");
    let faster = rates[1] > 4.0 * rates[0];
    assert!(rates[0] > 300_000.0, "{rates:?}");
    assert_eq!(faster, core().sets_windows, "{rates:?}");
}

#[test]
fn everyone_in_a_crowd_is_answered() {
    Crowd::of_environment().uploads(&[], "");
}

#[test]
fn everyone_in_a_crowd_with_a_topic_each_is_answered() {
    // So that the topics themselves take little of the memory.
    Crowd::of_environment().uploads(&["--retention-bytes", "65536"], "crowd/");
}
