//! A clock for a program, which a test sets while the program runs.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::process::Command;

use crate::folder::Folder;
use crate::process::run;

/// What the program loads before the C library. It adds the seconds in a file to the time of day, and
/// leaves all other clocks as they are.
const SOURCE: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

static const long long *moved;

__attribute__((constructor)) static void map(void) {
    int file = open(getenv("CLOCK_MOVED"), O_RDONLY);
    const void *at = mmap(0, sizeof *moved, PROT_READ, MAP_SHARED, file, 0);
    if (at != MAP_FAILED) moved = at;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    static int (*machine)(clockid_t, struct timespec *);
    if (!machine) machine = dlsym(RTLD_NEXT, "clock_gettime");
    int failed = machine(clock, time);
    if (!failed && clock == CLOCK_REALTIME && moved) time->tv_sec += *moved;
    return failed;
}
"#;

/// The clock of the programs that are started with it. At first it is that of the machine.
pub struct MovedClock {
    library: String,
    moved: String,
    file: File,
    _folder: Folder,
}

impl MovedClock {
    /// Compiles it, with the C compiler that the C core needs as well.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        let folder = Folder::new();
        let source = folder.write("clock.c", SOURCE);
        let library = folder.path("clock.so");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-o", &library, &source, "-ldl"]);
        let compiled = run(&mut compiler, b"");
        assert!(compiled.status.success(), "{compiled:?}");
        let moved = folder.write("moved", 0_i64.to_ne_bytes());
        let file = File::options().write(true).open(&moved);
        Self {
            library,
            moved,
            file: file.expect("a file"),
            _folder: folder,
        }
    }

    /// Has a program use this clock.
    pub fn apply<'c>(&self, program: &'c mut Command) -> &'c mut Command {
        program.env("LD_PRELOAD", &self.library);
        program.env("CLOCK_MOVED", &self.moved)
    }

    /// Sets the clock so many seconds before or behind that of the machine.
    pub fn set(&self, seconds: i64) {
        let written = self.file.write_all_at(&seconds.to_ne_bytes(), 0);
        written.expect("written");
    }
}
