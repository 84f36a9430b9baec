//! A machine that loses power: afterwards a file system has only what was synced.
//!
//! The ioctl EXT4_IOC_SHUTDOWN does to an ext4 file system what a power failure does. Its flag 2 leaves
//! the journal as it is on the disk (linux/fs/ext4/ext4.h: `_IOR('X', 125, __u32)`).

use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use testkit::environment::number;
use testkit::exclusive::whole_machine;
use testkit::folder::Folder;
use testkit::helper;
use testkit::ledger::{Acknowledged, Id};
use testkit::process::{run_within, text};
use testkit::wait::PATIENCE;
use topic_log::StartAt;

use crate::support::account::{Account, TOPIC};
use crate::support::durable::{Durable, KEEP_ALL};

/// How often the power is cut, unless `GREETER_TEST_CUTS` in the environment says otherwise.
const CUTS: u64 = 5;

const PUBLISHERS: u64 = 4;

const SHUT_DOWN: &str = "
import fcntl, os, struct, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587d, struct.pack('I', 2))";

/// A file system in a file, which is mounted.
struct Disk {
    /// Where it is mounted. Its file is beside that.
    path: String,
}

impl Disk {
    /// The shell commands that make it and mount it.
    fn make(path: &str) -> String {
        let image = format!("{path}.image");
        format!(
            "command -v python3 >/dev/null; truncate -s 2G {image}; mkfs.ext4 -q -F {image}; \
             mkdir -p {path}; mount -o loop {image} {path}"
        )
    }

    fn cut_power(&self) {
        succeed(&["python3", "-c", SHUT_DOWN, &self.path]);
    }

    fn restore_power(&self) {
        succeed(&["umount", &self.path]);
        let image = format!("{}.image", self.path);
        succeed(&["mount", "-o", "loop", &image, &self.path]);
    }
}

fn succeed(command: &[&str]) {
    let mut program = Command::new(command[0]);
    program
        .args(&command[1..])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let output = run_within(PATIENCE, &mut program, b"");
    assert!(
        output.status.success(),
        "{command:?}: {}",
        text(&output.stderr)
    );
}

/// Publishes and reads at full speed, and cuts the power some time after the first acknowledgement;
/// what a subscriber has seen, and what was acknowledged when the time `before` the cut began.
fn live_and_die(
    disk: &Disk,
    server: &mut Durable,
    account: &Account,
    cut: u64,
    before: Duration,
) -> (Vec<Id>, Acknowledged) {
    thread::scope(|scope| {
        let total = account.ledger.total();
        for publisher in 0..PUBLISHERS {
            let name = format!("{cut}-{publisher}");
            let batch = [1, 10, 100, 1000][publisher as usize % 4];
            scope.spawn(move || account.publish_in_batches(&name, u64::MAX, batch));
        }
        let reader = scope.spawn(|| account.follow());
        assert!(account.ledger.wait_for_more(total, PATIENCE), "it works");
        thread::sleep(Duration::from_millis(fastrand::u64(1..500)));
        let acknowledged = account.ledger.acknowledgements();
        thread::sleep(before);
        // The kernel may report a sync as done that the cut interrupts. So the server is stopped first,
        // and no sync is under way.
        server.server().process.freeze();
        disk.cut_power();
        server.kill();
        (reader.join().expect("no panic"), acknowledged)
    })
}

fn cuts() -> u64 {
    number("GREETER_TEST_CUTS").unwrap_or(CUTS)
}

#[test]
fn what_was_acknowledged_is_there_after_power_was_lost() {
    let _alone = whole_machine();
    let folder = Folder::new();
    let limit = PATIENCE * 3 + Duration::from_secs(10) * cuts() as u32;
    for name in ["synced_always", "synced_in_time"] {
        let disk = folder.path("disk");
        helper::run_with_mounts(module_path!(), name, &Disk::make(&disk), &disk, limit);
    }
}

#[test]
#[ignore = "a helper process of another test"]
fn synced_always() {
    let disk = Disk {
        path: helper::folder(),
    };
    let data = format!("{}/data", disk.path);
    let mut server = Durable::start(&data, &KEEP_ALL);
    let account = &Account::of(&server.address);
    for cut in 0..cuts() {
        let (seen, _) = live_and_die(&disk, &mut server, account, cut, Duration::ZERO);
        disk.restore_power();
        server.start_again();
        let there = account.read(StartAt::Earliest);
        account.ledger.check(TOPIC, &there);
        assert!(
            there.starts_with(&seen),
            "a subscriber saw what is not there"
        );
        println!(
            "cut {cut}: {} acknowledged, {} seen, {} there",
            account.ledger.total(),
            seen.len(),
            there.len()
        );
    }
}

#[test]
#[ignore = "a helper process of another test"]
fn synced_in_time() {
    const TIME: Duration = Duration::from_millis(100);
    // How long a sync may take.
    const SYNCED_WITHIN: Duration = Duration::from_millis(400);
    let disk = Disk {
        path: helper::folder(),
    };
    let (mut lost, mut cut) = (0, 0);
    // Something must be lost at last, or the power was not really cut.
    while cut < cuts() || lost == 0 {
        assert!(cut < cuts() + 20, "nothing that was not synced was lost");
        let data = format!("{}/data-{cut}", disk.path);
        let flags = [&KEEP_ALL[..], &["--sync", "100ms"]].concat();
        let mut server = Durable::start(&data, &flags);
        let account = &Account::of(&server.address);
        let before = TIME + SYNCED_WITHIN;
        let (_, acknowledged) = live_and_die(&disk, &mut server, account, cut, before);
        disk.restore_power();
        server.start_again();
        let there = account.read(StartAt::Earliest);
        account.ledger.check_against(TOPIC, &there, &acknowledged);
        let missing = account.ledger.missing(TOPIC, &there);
        lost += missing;
        println!(
            "cut {cut}: {} acknowledged, of these {missing} not there",
            account.ledger.total()
        );
        cut += 1;
    }
}
