//! Results that wait to be written while every processor has something to do.
use super::behind::n_entries;
use super::{CLIENT, compiler};
use crate::harness::{Sandbox, wait_until};
use cachepot_engine::stats::Stat;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::thread::available_parallelism;

const LINE: &str = "gcc -c unit.c -Iproject -I../system";

/// Words for the line: who asks for a dependency file of the user's headers gets it at once, and the rest waits as well.
const KINDS: [&str; 2] = ["", "-MMD -MF unit.d"];

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

/// What a compile makes: the object, and the dependency file where it is asked for.
fn made(sandbox: &Sandbox, launcher: &str, words: &str) -> [Option<Vec<u8>>; 2] {
    sandbox.sh(&format!("rm -f a.o unit.d; {launcher} {LINE} {words} -o a.o"));
    let made = ["a.o", "unit.d"].map(|name| fs::read(sandbox.work().join(name)).ok());
    assert_eq!(made.each_ref().map(Option::is_some), [true, !words.is_empty()]);
    made
}

fn compiled(sandbox: &Sandbox, words: &str) -> [Option<Vec<u8>>; 2] {
    made(sandbox, CLIENT, words)
}

#[test]
fn who_asks_for_what_waits_gets_it() {
    let sandbox = sandbox("waiting");
    let busy = Busy::start(&sandbox);
    for (n, words) in (1..).zip(KINDS) {
        let first = compiled(&sandbox, words);
        assert!(compiled(&sandbox, words) == first, "{words}");
        sandbox.expect_stat(Stat::CacheHits, n);
    }
    drop(busy);
    let _ = sandbox.quiet();
    let before = n_entries(&sandbox);
    // What nobody asks for is written when the machine has time.
    sandbox.write("unit.c", "int other;\n").settle();
    let busy = Busy::start(&sandbox);
    for words in KINDS {
        let _ = compiled(&sandbox, words);
        assert_eq!(n_entries(&sandbox), before, "{words}");
    }
    drop(busy);
    wait_until("two more", || n_entries(&sandbox) >= before + 2);
}

#[test]
fn the_end_of_the_coordinator_writes_what_waits() {
    let sandbox = sandbox("waiting-end");
    let _busy = Busy::start(&sandbox);
    let first = KINDS.map(|words| compiled(&sandbox, words));
    let _ = sandbox.cachepot(["--stop-coordinator"]).succeeds();
    assert!(KINDS.map(|words| compiled(&sandbox, words)) == first);
    sandbox.expect_stat(Stat::CacheHits, 2);
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
            let _ = KINDS.map(|words| compiled(&sandbox, words));
            sandbox.sh(line);
            for words in KINDS {
                let plain = made(&sandbox, "", words);
                assert!(compiled(&sandbox, words) == plain, "after `{line}`, {words}");
            }
        }
    }
}
