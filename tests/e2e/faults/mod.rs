//! Whatever breaks under a build, the build ends as the plain one: same files, same status, nothing hangs and no
//! process is left behind. Real programs, real gcc, real make.
mod behind;
mod build;
mod clients;
pub(crate) mod disk;
mod entries;
mod kill;
mod signals;
mod stuck;
mod surroundings;
mod waiting;

use crate::harness::{Sandbox, wait_until};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

/// The program that stands in front of the compiler.
const CLIENT: &str = env!("CARGO_BIN_EXE_cachepot");

/// Sends a signal to a process, or to a group when the number is negative; it may have ended.
fn signal(name: &str, pid: i64) {
    let _ = Command::new("kill").args([&format!("-{name}"), "--", &pid.to_string()]).output().unwrap();
}

/// Sends a signal to the coordinators of a sandbox; says how many there were.
fn signal_coordinators(name: &str, sandbox: &Sandbox) -> usize {
    let pids = sandbox.coordinators();
    for &pid in &pids {
        signal(name, pid.into());
    }
    pids.len()
}

/// Processes that work in this sandbox and are no coordinators: make, clients, compilers.
fn workers(sandbox: &Sandbox) -> Vec<u32> {
    let here = [b"CACHEPOT_DIR=", sandbox.root().join("cache").as_os_str().as_bytes()].concat();
    let coordinators = sandbox.coordinators();
    let pids = fs::read_dir("/proc").unwrap().flatten().filter_map(|e| e.file_name().to_str()?.parse().ok());
    let is_ours = |pid: &u32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|&byte| byte == 0).any(|variable| variable == here)
    };
    pids.filter(is_ours).filter(|pid| !coordinators.contains(pid)).collect()
}

/// Waits until nothing of a build is left but coordinators.
#[track_caller]
fn expect_nobody(sandbox: &Sandbox) {
    wait_until("the end of all clients and compilers", || workers(sandbox).is_empty());
}

/// Puts a compiler `name` into the work folder: a script that does `what` for `unit.c`, then is gcc.
fn compiler(sandbox: Sandbox, name: &str, what: &str) -> Sandbox {
    let script = format!("#!/bin/sh\ncase \"$*\" in *unit.c*) {what} ;; esac\nexec gcc \"$@\"\n");
    let sandbox = sandbox.file(name, script).file("unit.c", "int unit(int x) { return x * 3; }\n");
    fs::set_permissions(sandbox.work().join(name), fs::Permissions::from_mode(0o755)).unwrap();
    sandbox
}

/// For [`compiler`]: tells that it has begun, and waits while the file `hold` is there.
const HELD: &str = ": >began; while [ -e hold ]; do sleep 0.01; done";

/// Whether a `mount` went well.
fn mounted(arguments: &[&str]) -> bool {
    Command::new("mount").args(arguments).output().unwrap().status.success()
}
