//! The coordinator goes while a build needs it.
use super::build::{Build, UNITS};
use super::{CLIENT, compiler, signal_coordinators};
use crate::harness::{COORDINATOR, Sandbox, finish, wait_for, wait_until};
use std::fs;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// Builds again and again until `strike` has struck so many times, at random moments; every build is checked.
fn build_under(build: &Build, strikes: u32, strike: impl Fn() -> bool) {
    let mut random = u64::from(SystemTime::UNIX_EPOCH.elapsed().unwrap().subsec_nanos());
    let mut struck = 0;
    while struck < strikes {
        let mut make = build.make().stdout(Stdio::null()).spawn().unwrap();
        let mut next = Instant::now();
        while make.try_wait().unwrap().is_none() && struck < strikes {
            if Instant::now() >= next && strike() {
                struck += 1;
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                next = Instant::now() + Duration::from_millis((random >> 33) % 150);
            }
            thread::sleep(Duration::from_millis(1));
        }
        assert!(wait_for(&mut make).success());
        // Nothing is left to do, so this only checks.
        build.run().clean();
    }
}

#[test]
fn t229_kill_9_at_random_moments_of_builds() {
    let build = Build::new("kill9");
    build_under(&build, 20, || signal_coordinators("KILL", &build.sandbox) > 0);
    // What was stored is whole, and what is missing is stored now.
    build.run();
    // What was being stored when it was killed is stored by the next build.
    assert!((0..3).any(|_| build.again() >= UNITS as u64 - 1));
}

#[test]
fn t232_sigterm_during_builds() {
    let build = Build::new("sigterm");
    build_under(&build, 6, || signal_coordinators("TERM", &build.sandbox) > 0);
    build.run();
    assert!(build.again() >= UNITS as u64 - 1);
}

#[test]
fn t232_stop_orders_during_builds() {
    let build = Build::new("stop_order");
    let stop = || {
        let mut order = build.sandbox.command(COORDINATOR);
        order.arg("--stop-coordinator").stdout(Stdio::null()).stderr(Stdio::null());
        wait_for(&mut order.spawn().unwrap()).success()
    };
    build_under(&build, 4, stop);
}

#[test]
fn t231_idle_ends_and_clients_come_at_the_same_moment() {
    thread::scope(|scope| {
        for number in 0..8 {
            scope.spawn(move || {
                let sandbox = Sandbox::new("idle").env("CACHEPOT_IDLE_TIMEOUT", "1");
                let sandbox = compiler(sandbox, "cc1st", ":");
                let compile = || {
                    let begin = Instant::now();
                    let line = ["gcc", "-c", "unit.c", "-o", "unit.o"];
                    let _ = finish(sandbox.command(CLIENT).args(line)).succeeds();
                    fs::remove_file(sandbox.work().join("unit.o")).unwrap();
                    begin
                };
                compile();
                let last = Instant::now();
                // The moments around the end of the idle second, which is looked for every quarter of one.
                let moment = last + Duration::from_millis(980 + 40 * number);
                thread::sleep(moment.saturating_duration_since(Instant::now()));
                assert!(compile().elapsed() < Duration::from_secs(4));
            });
        }
    });
}

#[test]
fn t231_the_idle_second_does_not_count_while_a_compile_runs() {
    let sandbox = Sandbox::new("busy").env("CACHEPOT_IDLE_TIMEOUT", "1").file("hold", "");
    let sandbox = compiler(sandbox, "held", super::HELD);
    let mut client = sandbox.command(CLIENT).args(["./held", "-c", "unit.c"]).spawn().unwrap();
    crate::harness::wait_until("the compiler", || sandbox.work().join("began").exists());
    let before = sandbox.coordinators();
    let over = Instant::now() + Duration::from_millis(1600);
    while Instant::now() < over {
        assert_eq!(sandbox.coordinators(), before);
        thread::sleep(Duration::from_millis(50));
    }
    fs::remove_file(sandbox.work().join("hold")).unwrap();
    assert!(wait_for(&mut client).success());
    crate::harness::wait_until("the idle end", || sandbox.coordinators().is_empty());
}

#[test]
fn the_runtime_folder_removed_during_a_build() {
    let build = Build::new("run_folder");
    let folder = build.sandbox.root().join("run");
    let remove = || folder.join("c.sock").exists() && fs::remove_dir_all(&folder).is_ok();
    build_under(&build, 3, remove);
}

#[test]
fn t221_the_program_of_the_coordinator_removed_while_it_runs() {
    // Copies: the tests beside this one need theirs.
    let sandbox = compiler(Sandbox::new("removed_program"), "cc1st", ":");
    let copy = |name: &str| {
        let to = sandbox.root().join(name);
        fs::copy(std::path::Path::new(COORDINATOR).with_file_name(name), &to).unwrap();
        to
    };
    let (client, coordinator) = (copy("cachepot"), copy("cachepot-coordinator"));
    let run = |command: &mut Command| finish(command.args(["gcc", "-c", "unit.c"])).fails_with(0);
    let _ = run(&mut sandbox.command(&client)).says("");
    fs::remove_file(&coordinator).unwrap();
    let _ = run(&mut sandbox.command(&client)).says("");
    let _ = sandbox.cachepot(["--stop-coordinator"]).succeeds();
    let said = run(&mut sandbox.command(&client)).stderr();
    assert!(said.starts_with("cachepot: warning: `cachepot-coordinator` is neither beside"), "{said}");
}

/// The dependency file then names the system headers as well, and nothing that was not read.
#[test]
fn t080_kill_9_during_a_compile_that_leaves_system_headers_out() {
    let slow = "#!/bin/sh\n/usr/bin/gcc \"$@\"\nwhile [ ! -e ../go ]; do sleep 0.01; done\n";
    let source = "#include <stdio.h>\n#include \"h.h\"\n";
    let sandbox = Sandbox::new("narrow").file("a.c", source).file("h.h", "int h;\n").file("slow", slow);
    sandbox.sh("chmod +x slow; touch ../go").settle();
    let wide = sandbox.plain("./slow -c a.c -MD");
    // Who the compiler is, is known from here on.
    sandbox.cached("./slow -c a.c -DX");
    sandbox.sh("rm ../go");
    let mut client = sandbox.command(CLIENT).args(["./slow", "-c", "a.c", "-MMD"]).spawn().unwrap();
    wait_until("the object", || sandbox.work().join("a.o").exists());
    assert_eq!(signal_coordinators("KILL", &sandbox), 1);
    sandbox.sh("touch ../go");
    assert!(wait_for(&mut client).success());
    assert_eq!(fs::read(sandbox.work().join("a.d")).unwrap(), wide.file("a.d"));
}
