//! The programs of `docs/protocol.md`, run as they stand there.
//!
//! Each language has two blocks, `subscribe` and `publish`. The first line of a block is a comment
//! that begins with the name of the program.

use std::fs;
use std::ops::Range;
use std::process::Command;

use serde_json::{json, Value};
use testkit::environment::installed;
use testkit::folder::Folder;
use testkit::lines::Lines;
use testkit::process::{command, run, text, Process};
use testkit::relay::Relay;
use testkit::wait::PATIENCE;

use crate::support::durable::{Durable, KEEP_ALL};

const DOCUMENT: &str = include_str!("../../../docs/protocol.md");
const PROTO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/proto");
const GO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/go");
const TOPIC: &str = "notes";
/// So many messages that the server is killed while some of them are on their way.
const MESSAGES: usize = 20_000;

/// The two programs of a language, in a folder with all that they need.
struct Programs {
    folder: Folder,
    /// The command that runs the program of a name.
    command: fn(&Folder, &str) -> Command,
}

impl Programs {
    /// Writes the programs of a language. `file` is the name of the file of a program.
    fn write(
        language: &str,
        file: fn(&str) -> String,
        command: fn(&Folder, &str) -> Command,
    ) -> Self {
        let folder = Folder::new();
        for name in ["subscribe", "publish"] {
            let file = file(name);
            if let Some((parent, _)) = file.split_once('/') {
                fs::create_dir(folder.path(parent)).expect("a folder");
            }
            folder.write(&file, block(language, name));
        }
        Self { folder, command }
    }

    fn command(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = (self.command)(&self.folder, name);
        command.current_dir(&self.folder).args(arguments);
        command
    }

    /// Publishes these numbers as messages, each with itself as its sequence number; the receipt.
    fn publish(&self, address: &str, first: usize, end: usize) -> Value {
        receipt(&run(&mut self.publisher(address, first, end), b"").stdout)
    }

    fn publisher(&self, address: &str, first: usize, end: usize) -> Command {
        let first_text = first.to_string();
        let mut publisher = self.command("publish", &[address, TOPIC, "desk", &first_text]);
        publisher.args((first..end).map(|n| n.to_string()));
        publisher
    }
}

/// The block of this language whose program has this name.
fn block(language: &str, name: &str) -> String {
    let fence = format!("\n```{language}\n");
    let mut blocks = DOCUMENT.split(&fence).skip(1);
    let is_it = |block: &&str| {
        let word = block.split_whitespace().nth(1).unwrap_or_default();
        word.split('.').next() == Some(name)
    };
    let block = blocks.find(is_it).and_then(|block| block.split_once("```"));
    let (block, _) = block.unwrap_or_else(|| panic!("no program {name} in {language}"));
    block.to_owned()
}

/// A receipt without its epoch, which differs in each run.
fn receipt(output: &[u8]) -> Value {
    let mut receipt: Value = serde_json::from_slice(output)
        .unwrap_or_else(|e| panic!("no receipt, {e}: {}", text(output)));
    let epoch = receipt["epoch"].take();
    assert_eq!(epoch.as_str().map(str::len), Some(16), "{epoch}");
    receipt
}

fn succeed(what: &str, command: &mut Command) {
    let output = run(command, b"");
    let said = text(&output.stderr);
    assert!(output.status.success(), "{what}: {said}");
}

fn python() -> Programs {
    fn with_packages(mut command: Command) -> Command {
        command.env("PYTHONPATH", installed("GREETER_TEST_PYTHON_PACKAGES"));
        command
    }
    let programs = Programs::write(
        "python",
        |name| format!("{name}.py"),
        |folder, name| {
            let mut python = with_packages(command("python3"));
            python.arg(folder.path(&format!("{name}.py")));
            python
        },
    );
    let mut generate = with_packages(command("python3"));
    generate.args(["-m", "grpc_tools.protoc", "-I", PROTO]);
    generate.args(["--python_out=.", "--grpc_python_out=.", "greeter.proto"]);
    succeed("generating", generate.current_dir(&programs.folder));
    programs
}

fn node() -> Programs {
    let programs = Programs::write(
        "js",
        |name| format!("{name}.js"),
        |folder, name| {
            let mut node = command("node");
            node.env("NODE_PATH", installed("GREETER_TEST_NODE_MODULES"));
            node.arg(folder.path(&format!("{name}.js")));
            node
        },
    );
    let proto = fs::read(format!("{PROTO}/greeter.proto")).expect("the contract");
    programs.folder.write("greeter.proto", proto);
    programs
}

/// The generated code and the versions are those of the interop tests. The module has the name that
/// the document imports.
fn go() -> Programs {
    let programs = Programs::write(
        "go",
        |name| format!("{name}/main.go"),
        |folder, name| command(folder.path(&format!("bin/{name}"))),
    );
    let folder = &programs.folder;
    let read = |file: &str| fs::read_to_string(format!("{GO}/{file}")).expect("a file");
    let module = read("go.mod").replacen("module start\n", "module example.com/greeter\n", 1);
    folder.write("go.mod", module);
    folder.write("go.sum", read("go.sum"));
    fs::create_dir(folder.path("proto")).expect("a folder");
    for file in ["greeter.pb.go", "greeter_grpc.pb.go"] {
        let generated = read(&format!("new_stream/proto/{file}"));
        folder.write(&format!("proto/{file}"), generated);
    }
    let mut build = command("go");
    build.args(["build", "-o", "bin/", "./..."]);
    succeed("go build", build.current_dir(folder));
    programs
}

/// Expects the messages of these numbers, and no others between them.
fn expect(seen: &mut Lines, numbers: Range<usize>) {
    for n in numbers {
        assert_eq!(seen.next(PATIENCE), Some(n.to_string()));
    }
}

/// Publishes and subscribes while a receipt gets lost and the server is killed and started again, and
/// at last with a server that has lost its topics.
fn nothing_is_lost_or_repeated(programs: &Programs) {
    let data = Folder::new();
    let data = data.path("topics");
    let mut server = Durable::start(&data, &KEEP_ALL);
    let address = server.address.clone();
    let mut subscriber = Process::start(&mut programs.command("subscribe", &[&address, TOPIC]));
    let (mut seen, mut errors) = (subscriber.lines(), subscriber.error_lines());

    let relay = Relay::to(&address);
    relay.lose_next_data_frame();
    let again = programs.publish(&relay.address, 0, 3);
    let stored = json!({"accepted": 0, "duplicates": 3, "earliest": 0, "epoch": null, "expected": 3, "first": null, "last": null, "topic": TOPIC});
    assert_eq!(again, stored);
    let more = programs.publish(&address, 2, 5);
    let stored = json!({"accepted": 2, "duplicates": 1, "earliest": 0, "epoch": null, "expected": 5, "first": 3, "last": 4, "topic": TOPIC});
    assert_eq!(more, stored);

    let mut publisher = Process::start(&mut programs.publisher(&address, 5, MESSAGES));
    let mut receipts = publisher.lines();
    expect(&mut seen, 0..6);
    server.kill();
    server.start_again();
    expect(&mut seen, 6..MESSAGES);
    let line = receipts.next(PATIENCE).expect("a receipt");
    let published = receipt(line.as_bytes());
    let count = |field: &str| published[field].as_u64().expect("a number");
    let all = MESSAGES as u64 - 5;
    assert_eq!(count("accepted") + count("duplicates"), all, "{published}");
    assert_eq!(publisher.wait(PATIENCE).code(), Some(0));

    server.kill();
    fs::remove_dir_all(&data).expect("the topics");
    server.start_again();
    errors.wait_for_all(PATIENCE, &["messages are lost: ", "is in epoch"]);
    assert_eq!(subscriber.wait(PATIENCE).code(), Some(1));
    assert_eq!(seen.next(PATIENCE), None);
}

#[test]
fn the_programs_in_python() {
    nothing_is_lost_or_repeated(&python());
}

#[test]
fn the_programs_in_go() {
    nothing_is_lost_or_repeated(&go());
}

#[test]
fn the_programs_in_node() {
    nothing_is_lost_or_repeated(&node());
}
