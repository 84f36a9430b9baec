//! Disks that are full or fail, and folders that a server cannot use.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use grpcio::RpcStatusCode;
use grpcio_streams::Status;
use rustix::process::{getrlimit, prlimit, Resource, Rlimit};
use testkit::exclusive::whole_machine;
use testkit::folder::Folder;
use testkit::helper;
use testkit::wait::PATIENCE;
use topic_log::StartAt;

use crate::support::account::{Account, TOPIC};
use crate::support::durable::{Durable, KEEP_ALL};
use crate::support::server;

/// How soon the server has to notice that it can write again.
const NOTICED_WITHIN: Duration = Duration::from_secs(5);

/// Sets the flag when it is dropped, so that publishers end when the test fails as well.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// Makes a disk fail and work again. While it fails, publishers are refused and subscribers are
/// served. Nothing that was acknowledged is lost.
fn fails_and_works_again(
    server: &mut Durable,
    folder: &str,
    fail: impl FnOnce(&mut Durable),
    mend: impl FnOnce(&mut Durable),
) {
    let account = &Account::of(&server.address);
    account.publish("before", 200).expect("it works");
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let follower = scope.spawn(|| account.follow());
        let patient = scope.spawn(|| account.publish_patiently("patient", &over));
        let over = Over(&over);
        assert!(account.ledger.wait_for_more(200, PATIENCE), "it works");

        fail(server);
        let refused = |status: Status| {
            let why = format!("topics in {folder} cannot be ");
            assert_eq!(status.code(), RpcStatusCode::UNAVAILABLE, "{status}");
            assert!(status.message().contains(&why), "{status}");
        };
        let fill = |name: &str| {
            let full = account.publish_in_batches(name, u64::MAX, 20);
            refused(full.expect_err("it fails"));
        };
        fill("impatient");
        // New publishers are refused as well, at once. A few last messages may still fit.
        for n in 0..5 {
            let begun = Instant::now();
            match account.publish(&format!("late-{n}"), 1_000) {
                Err(status) => {
                    refused(status);
                    assert!(begun.elapsed() < NOTICED_WITHIN, "{:?}", begun.elapsed());
                }
                // On a busy machine the store has time to open its files again meanwhile, and to
                // remove those that it could not finish.
                Ok(()) => fill(&format!("again-full-{n}")),
            }
        }
        // Messages in memory can still be read, by old and by new subscribers.
        account.until_followed(account.ledger.total());
        assert!(account.read(StartAt::Last(100)).len() >= 100);

        mend(server);
        let begun = Instant::now();
        for n in 0.. {
            match account.publish(&format!("again-{n}"), 10) {
                Ok(()) => break,
                Err(status) => refused(status),
            }
            assert!(begun.elapsed() < NOTICED_WITHIN, "it does not notice");
            thread::park_timeout(Duration::from_millis(50));
        }
        println!("publishing works again after {:?}", begun.elapsed());
        // This publisher tries again within five seconds.
        let before = account.ledger.of("patient");
        while account.ledger.of("patient") == before {
            assert!(
                begun.elapsed() < PATIENCE,
                "a publisher that waits is served again"
            );
            thread::park_timeout(Duration::from_millis(50));
        }
        drop(over);
        patient.join().expect("no panic");

        let there = account.read(StartAt::Earliest);
        account.ledger.check(TOPIC, &there);
        account.until_followed(there.len() as u64);
        let log = server.server().log.so_far();
        let told = log.iter().filter(|line| line.contains(folder)).count();
        // The server logs when the disk fails and when it works again, and not each refusal.
        assert!((2..20).contains(&told), "{log:#?}");
        server.kill();
        assert_eq!(follower.join().expect("no panic"), there);
        server.start_again();
        assert_eq!(account.read(StartAt::Earliest), there);
        account.publish("after", 10).expect("it works");
    });
}

#[test]
fn a_full_disk_refuses_publishers_until_there_is_room() {
    let _alone = whole_machine();
    let folder = Folder::new();
    let disk = folder.path("disk");
    let mounts = format!("mkdir -p {disk}; mount -t tmpfs -o size=128m tmpfs {disk}");
    for name in [
        "a_small_disk",
        "a_disk_that_fills_up",
        "a_disk_that_is_full_at_the_start",
    ] {
        helper::run_with_mounts(module_path!(), name, &mounts, &disk, 5 * PATIENCE);
    }
}

/// Fills a disk with the file `ballast` until `left` bytes are left.
fn fill(ballast: &str, left: u64) {
    let mut file = File::create(ballast).expect("room");
    while file.write_all(&[1; 4096]).is_ok() {}
    let length = file.metadata().expect("a file").len() - left;
    file.set_len(length).expect("shorter");
}

/// Fills the disk of a server until `left` bytes are left, and makes room again.
fn fills_up(left: u64) {
    let disk = helper::folder();
    let (data, ballast) = (format!("{disk}/data"), format!("{disk}/ballast"));
    let mut server = Durable::start(&data, &KEEP_ALL);
    let fail = |_: &mut Durable| fill(&ballast, left);
    let make_room = |_: &mut Durable| fs::remove_file(&ballast).expect("removed");
    fails_and_works_again(&mut server, &data, fail, make_room);
}

#[test]
#[ignore = "a helper process of another test"]
fn a_small_disk() {
    fills_up(1 << 20);
}

/// The disk fills up while the store rewrites its files, and not only its journal.
#[test]
#[ignore = "a helper process of another test"]
fn a_disk_that_fills_up() {
    fills_up(60 << 20);
}

#[test]
#[ignore = "a helper process of another test"]
fn a_disk_that_is_full_at_the_start() {
    let disk = helper::folder();
    let (data, ballast) = (format!("{disk}/data"), format!("{disk}/ballast"));
    let mut server = Durable::start(&data, &KEEP_ALL);
    let account = &Account::of(&server.address);
    account.publish("before", 200).expect("it works");
    fill(&ballast, 0);
    let status = account
        .publish("meanwhile", u64::MAX)
        .expect_err("it fails");
    assert_eq!(status.code(), RpcStatusCode::UNAVAILABLE, "{status}");
    server.kill();
    // The server is started once without any room, and once with too little.
    for left in [0, 64 * 1024] {
        fill(&ballast, left);
        match server::try_start(&server.address, &["--data", &data], "warn") {
            Ok(_server) => account
                .ledger
                .check(TOPIC, &account.read(StartAt::Earliest)),
            Err(refusal) => {
                let said = refusal.said.join("\n");
                println!("{said}");
                assert_eq!(refusal.status.code(), Some(1), "{said}");
                assert!(
                    said.contains(&data) && said.contains("No space left"),
                    "{said}"
                );
            }
        }
    }
    fs::remove_file(&ballast).expect("removed");
    server.start_again();
    account
        .ledger
        .check(TOPIC, &account.read(StartAt::Earliest));
    account.publish("after", 10).expect("it works");
}

#[test]
fn a_write_that_fails_refuses_publishers_until_one_succeeds() {
    let _alone = whole_machine();
    let folder = Folder::new();
    let data = folder.path("data");
    let mut server = Durable::start(&data, &KEEP_ALL);
    let usual = getrlimit(Resource::Fsize);
    let limit = |server: &mut Durable, limit| {
        // A write that makes a file longer than this fails with EFBIG.
        let process = server.server().process.pid();
        prlimit(Some(process), Resource::Fsize, limit).expect("limited");
    };
    let few = Rlimit {
        current: Some(4096),
        ..usual
    };
    let fail = |server: &mut Durable| limit(server, few);
    let mend = |server: &mut Durable| limit(server, usual);
    fails_and_works_again(&mut server, &data, fail, mend);
}

/// Checks that a server does not start with its topics in `folder`, and says why and what to do.
fn refuses(folder: &str, why: &str) {
    let refusal = match server::try_start("127.0.0.1:0", &["--data", folder], "warn") {
        Err(refusal) => refusal,
        Ok(_) => panic!("it starts with {folder}"),
    };
    let said = refusal.said.join("\n");
    assert_eq!(refusal.status.code(), Some(1), "{said}");
    assert!(said.starts_with("greeter-server: "), "{said}");
    for text in [folder, why, "use another folder (--data)"] {
        assert!(said.contains(text), "{text}: {said}");
    }
}

#[test]
fn a_folder_is_used_by_one_server_at_a_time() {
    let folder = Folder::new();
    let data = folder.path("data");
    let mut server = Durable::start(&data, &[]);
    refuses(&data, "another process uses the topics in");
    server.kill();
    server.start_again();
}

#[test]
fn a_file_is_no_folder() {
    let folder = Folder::new();
    refuses(&folder.write("file", "text"), "not a directory");
}

#[test]
fn a_folder_of_another_version_is_left_alone() {
    let folder = Folder::new();
    let data = folder.path("data");
    Durable::start(&data, &[]).stop();
    let format = folder.path("data/topics/format");
    let ours = fs::read_to_string(&format).expect("a file");
    fs::write(&format, "1000\n").expect("written");
    refuses(
        &data,
        "contains \"1000\", and this version knows only format",
    );
    fs::write(&format, ours).expect("written");
    Durable::start(&data, &[]).stop();
}

#[test]
fn a_folder_that_cannot_be_written_is_refused() {
    let folder = Folder::new();
    let data = folder.path("data");
    Durable::start(&data, &[]).stop();
    let mounts = format!("mount --bind {data} {data}; mount -o remount,bind,ro {data}");
    let name = "a_read_only_folder";
    helper::run_with_mounts(module_path!(), name, &mounts, &data, PATIENCE);
}

#[test]
#[ignore = "a helper process of another test"]
fn a_read_only_folder() {
    let data = helper::folder();
    assert!(fs::write(Path::new(&data).join("file"), "text").is_err());
    refuses(&data, "Read-only file system");
    refuses(&format!("{data}/new"), "Read-only file system");
}
