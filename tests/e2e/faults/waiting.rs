//! Results that wait to be written while every processor has something to do.
use super::behind::n_entries;
use super::{CLIENT, compiler};
use crate::harness::{Sandbox, wait_until};
use cachepot_engine::stats::Stat;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::thread::available_parallelism;

const LINE: &str = "gcc -c unit.c -Iproject -I../system -o";

/// For [`compiler`]: tells that it has begun, and waits while the file `hold` is there.
const HELD: &str = ": >../began/$$; while [ -e ../hold ]; do sleep 0.01; done";

/// A build that keeps the machine busy: a compile for each processor that does not end, and two programs that do something.
struct Busy {
    hold: PathBuf,
    compiles: Vec<Child>,
    programs: Vec<Child>,
}

impl Busy {
    fn start(sandbox: &Sandbox) -> Self {
        let (hold, began) = (sandbox.root().join("hold"), sandbox.root().join("began"));
        let count = available_parallelism().unwrap().get();
        let program = || Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap();
        let compile = |n: usize| {
            let output = format!("held{n}.o");
            let mut command = sandbox.command(CLIENT);
            command
                .args(["./held", "-c", "unit.c", "-Iproject", "-I../system", "-o", &output])
                .spawn()
                .unwrap()
        };
        fs::write(&hold, "").unwrap();
        let compiles = (0..count).map(compile).collect();
        wait_until("all compiles", || fs::read_dir(&began).unwrap().count() == count);
        fs::remove_dir_all(&began).and_then(|()| fs::create_dir(&began)).unwrap();
        Busy { hold, compiles, programs: (0..2 * count).map(|_| program()).collect() }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        for program in &mut self.programs {
            let _ = program.kill();
            let _ = program.wait();
        }
        let _ = fs::remove_file(&self.hold);
        self.compiles.iter_mut().for_each(|compile| drop(compile.wait()));
    }
}

/// `project/p.h` and `system/s.h`, each in one of two versions; links lead to them.
fn sandbox(name: &str) -> Sandbox {
    let text =
        "#include <p.h>\n#include <s.h>\n#if __has_include(<opt.h>)\nint opt;\n#endif\nint unit = P + S;\n";
    let sandbox = compiler(Sandbox::new(name), "held", HELD).file("unit.c", text);
    fs::create_dir(sandbox.root().join("began")).unwrap();
    sandbox.sh("mkdir -p one two ../s1 ../s2; ln -s one project; ln -s s1 ../system");
    for (at, number) in [("one/p.h", 1), ("two/p.h", 2)] {
        sandbox.write(at, format!("enum {{ P = {number} }};\n"));
    }
    sandbox.sh("echo 'enum { S = 10 };' >../s1/s.h; echo 'enum { S = 20 };' >../s2/s.h; touch one/opt.h");
    sandbox.settle();
    let _ = sandbox.cachepot(["--start-coordinator"]).succeeds();
    sandbox
}

fn compiled(sandbox: &Sandbox, output: &str) -> Vec<u8> {
    sandbox.sh(&format!("{CLIENT} {LINE} {output}"));
    fs::read(sandbox.work().join(output)).unwrap()
}

#[test]
fn who_asks_for_what_waits_gets_it() {
    let sandbox = sandbox("waiting");
    let busy = Busy::start(&sandbox);
    let first = compiled(&sandbox, "a.o");
    assert_eq!(compiled(&sandbox, "a.o"), first);
    sandbox.expect_stat(Stat::CacheHits, 1);
    drop(busy);
    let _ = sandbox.quiet();
    let before = n_entries(&sandbox);
    // What nobody asks for is written when the machine has time.
    sandbox.write("unit.c", "int other;\n").settle();
    let busy = Busy::start(&sandbox);
    let _ = compiled(&sandbox, "a.o");
    assert_eq!(n_entries(&sandbox), before);
    drop(busy);
    wait_until("one more", || n_entries(&sandbox) > before);
}

#[test]
fn the_end_of_the_coordinator_writes_what_waits() {
    let sandbox = sandbox("waiting-end");
    let _busy = Busy::start(&sandbox);
    let first = compiled(&sandbox, "a.o");
    let _ = sandbox.cachepot(["--stop-coordinator"]).succeeds();
    assert_eq!(compiled(&sandbox, "a.o"), first);
    sandbox.expect_stat(Stat::CacheHits, 1);
}

/// Trap T126, beyond the end of the compile.
#[test]
fn t126_what_changes_while_a_result_waits_is_not_taken_for_what_was_compiled() {
    let changes = [
        "ln -sfn two project",
        "ln -sfn s2 ../system",
        "rm one/opt.h",
        "mv one three; mv two one",
        "mv ../s1 ../s3; mv ../s2 ../s1",
        "sed s/1/3/ one/p.h >n; touch -r one/p.h n; mv n one/p.h",
        "echo 'enum { S = 5 };' >p.h; mv p.h one/s.h",
    ];
    let undo = [
        "ln -sfn one project",
        "ln -sfn s1 ../system",
        "touch one/opt.h",
        "mv one two; mv three one",
        "mv ../s1 ../s2; mv ../s3 ../s1",
        "echo 'enum { P = 1 };' >one/p.h",
        "rm one/s.h",
    ];
    for (change, undo) in changes.into_iter().zip(undo) {
        let sandbox = sandbox("waiting-changes");
        let _busy = Busy::start(&sandbox);
        for line in [change, undo, change] {
            let _ = compiled(&sandbox, "a.o");
            sandbox.sh(line);
            sandbox.sh(&format!("{LINE} plain.o"));
            let plain = fs::read(sandbox.work().join("plain.o")).unwrap();
            assert!(compiled(&sandbox, "a.o") == plain, "after `{line}`");
        }
    }
}
