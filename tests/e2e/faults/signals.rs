//! Signals to clients, to compilers and to a whole build.
use super::build::Build;
use super::{CLIENT, HELD, compiler, expect_nobody, signal, workers};
use crate::harness::{Sandbox, finish, wait_for, wait_until};
use cachepot_engine::stats::Stat;
use std::fs;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::Stdio;

fn held(name: &str) -> Sandbox {
    compiler(Sandbox::new(name).file("hold", ""), "held", HELD)
}

#[test]
fn t228_sigint_to_a_build() {
    let build = Build::new("interrupt");
    for unfinished in [30, 10] {
        let mut make = build.make();
        let mut make = make.process_group(0).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let objects = || {
            let files = fs::read_dir(build.sandbox.work()).unwrap().flatten();
            files.filter(|file| file.path().extension().is_some_and(|suffix| suffix == "o")).count()
        };
        wait_until("some objects", || objects() >= super::build::UNITS - unfinished);
        signal("INT", -i64::from(make.id()));
        let status = wait_for(&mut make);
        assert!(status.signal() == Some(2) || status.code() == Some(2), "{status}");
        expect_nobody(&build.sandbox);
        assert!(objects() < super::build::UNITS);
        let names = fs::read_dir(build.sandbox.work()).unwrap().flatten().map(|file| file.file_name());
        assert!(names.into_iter().all(|name| !name.to_string_lossy().starts_with(".cachepot")));
    }
    assert_eq!(build.sandbox.coordinators().len(), 1);
    // `as` makes its file before it writes to it. A plain build that is interrupted in between leaves an empty object, too,
    // and make goes by its time; anything else that is left must be whole.
    build.sandbox.sh("find . -name '*.o' -empty -delete");
    // Make goes on from there.
    build.run();
}

#[test]
fn t228_a_signal_to_the_client_alone() {
    for (name, number) in [("TERM", 15), ("INT", 2), ("HUP", 1)] {
        let sandbox = held("signal");
        let mut client = sandbox.command(CLIENT).args(["./held", "-c", "unit.c"]).spawn().unwrap();
        wait_until("the compiler", || sandbox.work().join("began").exists());
        signal(name, client.id().into());
        assert_eq!(wait_for(&mut client).signal(), Some(number));
        expect_nobody(&sandbox);
        assert!(!sandbox.work().join("unit.o").exists());
        fs::remove_file(sandbox.work().join("hold")).unwrap();
        let _ = finish(sandbox.command(CLIENT).args(["./held", "-c", "unit.c"])).succeeds();
    }
}

/// Nobody else would end it: whoever kills the compiler's process means the compiler.
#[test]
fn t228_a_client_that_is_killed_takes_its_compiler_along() {
    let sandbox = held("killed");
    let mut client = sandbox.command(CLIENT).args(["./held", "-c", "unit.c"]).spawn().unwrap();
    wait_until("the compiler", || sandbox.work().join("began").exists());
    signal("KILL", client.id().into());
    assert_eq!(wait_for(&mut client).signal(), Some(9));
    expect_nobody(&sandbox);
    assert!(!sandbox.work().join("unit.o").exists());
}

#[test]
fn t228_an_ignored_signal_stays_ignored() {
    let sandbox = held("nohup");
    let mut shell = sandbox.command("/bin/sh");
    shell.args(["-c", &format!("trap '' HUP; exec '{CLIENT}' ./held -c unit.c")]);
    let mut client = shell.spawn().unwrap();
    wait_until("the compiler", || sandbox.work().join("began").exists());
    signal("HUP", client.id().into());
    fs::remove_file(sandbox.work().join("hold")).unwrap();
    assert!(wait_for(&mut client).success());
    assert!(sandbox.work().join("unit.o").exists());
}

#[test]
fn t228_t229_a_client_killed_in_mid_compile() {
    let sandbox = held("killed");
    let mut client = sandbox.command(CLIENT).args(["./held", "-c", "unit.c"]).spawn().unwrap();
    wait_until("the compiler", || sandbox.work().join("began").exists());
    signal("KILL", client.id().into());
    assert_eq!(wait_for(&mut client).signal(), Some(9));
    // As with a killed shell: the compiler goes on until it is done.
    assert!(!workers(&sandbox).is_empty());
    fs::remove_file(sandbox.work().join("hold")).unwrap();
    expect_nobody(&sandbox);
    let line = ["./held", "-c", "unit.c"];
    for hits in [0, 1] {
        let _ = finish(sandbox.command(CLIENT).args(line)).succeeds();
        wait_until("the store", || sandbox.stats().stats.count(Stat::CacheWrites) == 1);
        sandbox.expect_stat(Stat::CacheHits, hits);
    }
}

#[test]
fn t228_a_compiler_that_dies_by_a_signal() {
    for (name, number) in [("SEGV", 11), ("KILL", 9), ("ABRT", 6)] {
        let sandbox = compiler(Sandbox::new("dies"), "dies", &format!("ulimit -c 0; kill -{name} $$"));
        for _ in 0..2 {
            let mut line = sandbox.command("/bin/sh");
            // A core file of the client itself is switched off with the limit.
            line.args(["-c", &format!("ulimit -c 0; exec '{CLIENT}' ./dies -c unit.c")]);
            assert_eq!(wait_for(&mut line.spawn().unwrap()).signal(), Some(number));
        }
        sandbox.expect_stat(Stat::CacheHits, 0).expect_stat(Stat::CompileFails, 2);
    }
}
