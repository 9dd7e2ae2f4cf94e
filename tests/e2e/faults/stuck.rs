//! A coordinator that is there and does not answer.
use super::build::{Build, UNITS, plain_object};
use super::{CLIENT, HELD, compiler, expect_nobody, signal_coordinators};
use crate::harness::{Sandbox, finish, wait_for, wait_until};
use cachepot_engine::stats::Stat;
use std::fs;
use std::io::Write;
use std::time::{Duration, Instant};

/// A client waits at most 5 s for an answer; the rest is for a loaded machine.
const PATIENCE: Duration = Duration::from_secs(15);

#[test]
fn t230_a_stopped_coordinator_delays_but_never_blocks() {
    let build = Build::new("stopped");
    build.run();
    signal_coordinators("STOP", &build.sandbox);
    let begin = Instant::now();
    // The second one sends more than a socket holds.
    let large = "x".repeat(100_000);
    let mut clients: Vec<_> = (0..8)
        .map(|number| {
            let mut command = build.sandbox.command(CLIENT);
            command.args(["gcc", "-O1", "-Wall", "-Iinc", "-c"]);
            command.arg(format!("u{number:02}.c")).args(["-o", &format!("s{number}.o")]);
            for variable in 0..(number % 2) * 10 {
                command.env(format!("LARGE_{variable}"), &large);
            }
            command.spawn().unwrap()
        })
        .collect();
    assert!(clients.iter_mut().all(|client| wait_for(client).success()));
    assert!(begin.elapsed() < PATIENCE, "{:?}", begin.elapsed());
    for number in 0..8 {
        let object = build.sandbox.work().join(format!("s{number}.o"));
        assert!(fs::read(&object).unwrap() == plain_object(number));
        fs::remove_file(object).unwrap();
    }
    expect_nobody(&build.sandbox);
    signal_coordinators("CONT", &build.sandbox);
    assert!(build.again() >= UNITS as u64 - 1);
}

#[test]
fn t230_t260_what_the_build_changed_after_the_client_had_given_up_is_not_stored() {
    let sandbox = compiler(Sandbox::new("torn").file("hold", ""), "held", HELD);
    let (work, line) = (sandbox.work(), ["./held", "-c", "unit.c"]);
    let mut client = sandbox.command(CLIENT).args(line).spawn().unwrap();
    wait_until("the compiler", || work.join("began").exists());
    signal_coordinators("STOP", &sandbox);
    fs::remove_file(work.join("hold")).unwrap();
    let begin = Instant::now();
    assert!(wait_for(&mut client).success());
    assert!(begin.elapsed() < PATIENCE, "{:?}", begin.elapsed());
    let object = fs::read(work.join("unit.o")).unwrap();
    // As `strip` or `objcopy` in place would.
    fs::File::options().append(true).open(work.join("unit.o")).unwrap().write_all(b"changed").unwrap();
    signal_coordinators("CONT", &sandbox);
    wait_until("the report", || sandbox.stats().stats.count(Stat::StoreSkipped) == 1);
    sandbox.expect_stat(Stat::CacheHits, 0);
    let again = || {
        fs::remove_file(work.join("unit.o")).unwrap();
        let _ = finish(sandbox.command(CLIENT).args(line)).succeeds();
        assert!(fs::read(work.join("unit.o")).unwrap() == object);
    };
    // On a busy machine the coordinator that was stopped may need a moment before it takes a result.
    wait_until("a hit", || {
        again();
        sandbox.stats().stats.count(Stat::CacheHits) == 1
    });
}
