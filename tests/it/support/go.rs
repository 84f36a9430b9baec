//! The programs in Go: the original ones and their neighbours.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use testkit::process::text;

/// A program of the Go module. The module is built once in a run of the tests.
pub fn go(program: &str) -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let folder = BUILT.get_or_init(|| {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("interop-go");
        std::fs::create_dir_all(&folder).expect("folder");
        let built = Command::new("go")
            .args(["build", "-o"])
            .arg(&folder)
            .arg("./...")
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/go"))
            .output()
            .expect("Go is missing; scripts/test.sh installs it");
        assert!(built.status.success(), "go build: {}", text(&built.stderr));
        folder
    });
    folder.join(program)
}
