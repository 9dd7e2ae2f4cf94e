//! A make project of small C units, and how it looks when it was built without a cache.
use super::{CLIENT, expect_nobody};
use crate::harness::{Finished, Sandbox, finish, wait_until};
use cachepot_engine::stats::Stat;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Translation units of the project.
pub(super) const UNITS: usize = 40;
/// Every so many units is a large one: its object is stored in a file of its own.
const LARGE_EVERY: usize = 4;

const MAKEFILE: &str = "\
units := $(basename $(wildcard *.c))
all: $(units:=.o)
%.o: %.c
\t$(CC) -O1 -Wall -Iinc -MD -MF $*.d -c $< -o $@
";

/// A sandbox with the project in its work folder.
pub(super) struct Build {
    pub(super) sandbox: Sandbox,
}

impl Build {
    /// Makes it.
    pub(super) fn new(name: &str) -> Self {
        Build { sandbox: project(Sandbox::new(name)) }
    }

    /// `make -j8` through cachepot, to be started.
    pub(super) fn make(&self) -> Command {
        let mut make = self.sandbox.command("make");
        make.args(["-sj8", &format!("CC={CLIENT} gcc")]);
        make
    }

    /// Builds without disturbance and checks.
    #[track_caller]
    pub(super) fn run(&self) -> &Self {
        self.check(&finish(&mut self.make()))
    }

    /// Cleans, builds and checks; says how many hits there were.
    #[track_caller]
    pub(super) fn again(&self) -> u64 {
        settle(&self.sandbox);
        let before = self.sandbox.stats().stats.count(Stat::CacheHits);
        self.clean().run();
        self.sandbox.stats().stats.count(Stat::CacheHits) - before
    }

    /// Removes what was built.
    pub(super) fn clean(&self) -> &Self {
        for name in outputs(&self.sandbox.work()).keys() {
            fs::remove_file(self.sandbox.work().join(name)).unwrap();
        }
        self
    }

    /// The build ended well, everything is as in a plain one, and nobody is left.
    #[track_caller]
    pub(super) fn check(&self, finished: &Finished) -> &Self {
        assert!(finished.status.success(), "{finished}");
        let (built, plain) = (outputs(&self.sandbox.work()), plain());
        assert!(built.keys().eq(plain.keys()), "{:?}", built.keys());
        for (name, bytes) in &built {
            assert!(bytes == &plain[name], "{name} differs from the plain build's");
        }
        expect_nobody(&self.sandbox);
        self
    }
}

/// Waits until every result of a compile is stored, or is counted as one that is not. What a coordinator that was
/// killed had counted is lost, so a second without any progress is an end, too.
#[track_caller]
pub(super) fn settle(sandbox: &Sandbox) {
    use Stat::{CacheWriteErrors, CacheWrites, InputsTooNew, NonCacheableCompilations, StoreSkipped};
    let (mut seen, mut since) = (0, Instant::now());
    wait_until("the stores", || {
        let stats = sandbox.stats().stats;
        let ends = [CacheWrites, CacheWriteErrors, InputsTooNew, NonCacheableCompilations, StoreSkipped];
        let ended: u64 = ends.map(|end| stats.count(end)).iter().sum();
        if ended != seen {
            (seen, since) = (ended, Instant::now());
        }
        ended >= stats.count(Stat::CacheMisses) || since.elapsed() > Duration::from_secs(1)
    });
}

/// Writes the project.
fn project(sandbox: Sandbox) -> Sandbox {
    let mut sandbox = sandbox.file("Makefile", MAKEFILE);
    for number in 0..8 {
        let text = format!("static inline int h{number}(int x) {{ return x * {number} + 7; }}\n");
        sandbox = sandbox.file(&format!("inc/h{number}.h"), text);
    }
    for number in 0..UNITS {
        let (first, second) = (number % 8, (number + 3) % 8);
        let mut text = format!("#include \"h{first}.h\"\n#include \"h{second}.h\"\n");
        text += &format!("int f{number}(int x) {{ return h{first}(x) ^ h{second}(x + {number}); }}\n");
        if number % LARGE_EVERY == 0 {
            text += &format!("const int table{number}[60000] = {{ {number}, 1 }};\n");
        }
        sandbox = sandbox.file(&format!("u{number:02}.c"), text);
    }
    sandbox
}

/// Everything that a build may write: all files of the folder that are no sources.
fn outputs(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(folder).unwrap().flatten().filter(|entry| entry.file_type().unwrap().is_file());
    let names = files.map(|entry| entry.file_name().into_string().unwrap());
    let built = names.filter(|name| name != "Makefile" && !name.ends_with(".c"));
    built.map(|name| (name.clone(), fs::read(folder.join(name)).unwrap())).collect()
}

/// What the plain build writes; it is done once.
fn plain() -> &'static BTreeMap<String, Vec<u8>> {
    static PLAIN: OnceLock<BTreeMap<String, Vec<u8>>> = OnceLock::new();
    PLAIN.get_or_init(|| {
        let sandbox = project(Sandbox::new("plain"));
        let _ = finish(sandbox.command("make").args(["-sj8", "CC=gcc"])).succeeds();
        let built = outputs(&sandbox.work());
        assert_eq!(built.len(), 2 * UNITS);
        built
    })
}

/// What the plain compile of a unit writes.
pub(super) fn plain_object(unit: usize) -> &'static [u8] {
    &plain()[&format!("u{unit:02}.o")]
}
