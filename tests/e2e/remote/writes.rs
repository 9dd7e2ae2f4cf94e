//! What is written to a remote, and when.
use super::{TEXT, flush, objects, sandbox};
use crate::harness::Went::{Hit, Stored};
use crate::harness::{CLIENT, wait_until};
use cachepot_engine::stats::Stat;
use std::fs;

#[test]
fn t267_writes_that_were_not_done_are_done_by_the_next_coordinator() {
    let sandbox = sandbox("pending");
    let (remote, away) = (sandbox.root().join("remote"), sandbox.root().join("away"));
    fs::rename(&remote, &away).unwrap();
    sandbox.expect(Stored, "gcc -c a.c");
    wait_until("the first try", || sandbox.stats().remotes[0].is_left_alone);
    assert_eq!(sandbox.stats().remotes[0].pending_writes, 1);
    let _ = sandbox.cachepot(["--stop-coordinator"]).succeeds();
    fs::rename(&away, &remote).unwrap();
    let _ = sandbox.cachepot(["--start-coordinator"]).succeeds();
    assert_eq!(flush(&sandbox).count(Stat::RemoteWrites), 1);
    assert_eq!(fs::read_dir(sandbox.root().join("cache/pending/folder")).unwrap().count(), 0);
    sandbox.on_machine("other").expect(Hit, "gcc -c a.c");
}

#[test]
fn the_end_of_a_coordinator_waits_for_its_writes() {
    let one = sandbox("flush");
    let files: Vec<String> = (0..20).map(|n| format!("a{n}.c")).collect();
    for file in &files {
        one.write(file, TEXT);
    }
    one.settle();
    for file in &files {
        one.sh(&format!("{CLIENT} gcc -c {file}"));
    }
    let _ = one.cachepot(["--stop-coordinator"]).succeeds();
    assert_eq!(objects(&one).len(), files.len());
}
