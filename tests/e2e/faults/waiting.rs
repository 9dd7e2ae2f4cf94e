//! Results that wait to be written while every processor has something to do.
use super::CLIENT;
use super::behind::n_entries;
use crate::harness::{Sandbox, wait_until};
use cachepot_engine::stats::Stat;
use std::fs;
use std::process::{Child, Command};
use std::thread::available_parallelism;

const LINE: &str = "gcc -c unit.c -Iproject -I../system -o";

/// Programs that keep the machine busy, two for each processor.
struct Busy(Vec<Child>);

impl Busy {
    fn start() -> Self {
        let count = available_parallelism().unwrap().get() * 2;
        let program = || Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap();
        Busy((0..count).map(|_| program()).collect())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        for program in &mut self.0 {
            let _ = program.kill();
            let _ = program.wait();
        }
    }
}

/// `project/p.h` and `system/s.h`, each in one of two versions; links lead to them.
fn sandbox(name: &str) -> Sandbox {
    let text =
        "#include <p.h>\n#include <s.h>\n#if __has_include(<opt.h>)\nint opt;\n#endif\nint unit = P + S;\n";
    let sandbox = Sandbox::new(name).file("unit.c", text).env("CPATH", "");
    sandbox.sh("mkdir -p one two ../s1 ../s2; ln -s one project; ln -s s1 ../system");
    for (at, number) in [("one/p.h", 1), ("two/p.h", 2)] {
        sandbox.write(at, format!("enum {{ P = {number} }};\n"));
    }
    sandbox.sh("echo 'enum { S = 10 };' >../s1/s.h; echo 'enum { S = 20 };' >../s2/s.h; touch one/opt.h");
    sandbox.settle();
    let _ = sandbox.cachepot(["--start-coordinator"]).succeeds();
    sandbox
}

fn compile(sandbox: &Sandbox, output: &str) -> Vec<u8> {
    sandbox.sh(&format!("{CLIENT} {LINE} {output}"));
    fs::read(sandbox.work().join(output)).unwrap()
}

#[test]
fn who_asks_for_what_waits_gets_it() {
    let sandbox = sandbox("waiting");
    let busy = Busy::start();
    let first = compile(&sandbox, "a.o");
    assert_eq!(compile(&sandbox, "a.o"), first);
    sandbox.expect_stat(Stat::CacheHits, 1);
    drop(busy);
    // Another one, which nobody asks for: it is written when the machine has time.
    sandbox.write("unit.c", "int other;\n").settle();
    let _ = compile(&sandbox, "a.o");
    wait_until("the second one", || n_entries(&sandbox) == 2);
}

#[test]
fn the_end_of_the_coordinator_writes_what_waits() {
    let sandbox = sandbox("waiting-end");
    let _busy = Busy::start();
    let first = compile(&sandbox, "a.o");
    let _ = sandbox.cachepot(["--stop-coordinator"]).succeeds();
    assert_eq!(compile(&sandbox, "a.o"), first);
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
        let _busy = Busy::start();
        for line in [change, undo, change] {
            let _ = compile(&sandbox, "a.o");
            sandbox.sh(line);
            sandbox.sh(&format!("{LINE} plain.o"));
            let plain = fs::read(sandbox.work().join("plain.o")).unwrap();
            assert!(compile(&sandbox, "a.o") == plain, "after `{line}`");
        }
    }
}
