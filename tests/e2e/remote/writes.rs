//! What is written to a remote, and when.
use super::dav::Dav;
use super::{TEXT, flush, noise, objects, sandbox};
use crate::faults::disk::Mount;
use crate::harness::Went::{Hit, Stored};
use crate::harness::{CLIENT, Sandbox, wait_until};
use cachepot_engine::stats::Stat;
use std::fs;
use std::time::{Duration, Instant};

/// Its text might make up the date: elsewhere it is of use only when a preprocessor run has said that it does not.
const SUSPECT: &str = "#define JOIN(a, b) a##b\nenum { JOIN(A, _), DATE_, __ };\n";

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

/// A machine of the CI that wants no cache of its own.
#[test]
fn t282_without_a_local_cache_results_are_written_all_the_same() {
    for (name, text) in results() {
        let one = sandbox(name).file("a.c", text).env("CACHEPOT_CACHE_SIZE", "0");
        one.expect(Stored, "gcc -c -Wall a.c");
        assert_eq!(flush(&one).count(Stat::RemoteWrites), 1, "{name}");
        let other = one.on_machine("other");
        other.expect(Hit, "gcc -c -Wall a.c");
        other.expect(Hit, "gcc -c -Wall a.c");
        // It is as good as any other.
        let usual = other.on_machine("usual").without("CACHEPOT_CACHE_SIZE");
        usual.expect(Hit, "gcc -c -Wall a.c");
    }
}

/// A machine of the CI stops its coordinator when the build has ended, and not a second later.
#[test]
fn the_end_waits_for_what_lets_results_stand() {
    let one = sandbox("checks");
    let files: Vec<String> = (0..8).map(|n| format!("a{n}.c")).collect();
    for file in &files {
        one.write(file, format!("{SUSPECT}int {};\n", file.replace('.', "_")));
    }
    one.settle();
    for file in &files {
        one.sh(&format!("{CLIENT} gcc -c {file}"));
    }
    let _ = one.cachepot(["--stop-coordinator"]).succeeds();
    assert_eq!(objects(&one).len(), files.len());
    let other = one.on_machine("other");
    for file in &files {
        other.expect(Hit, format!("gcc -c {file}"));
    }
}

#[test]
fn without_a_local_cache_the_end_waits_for_the_writes() {
    let one = sandbox("only-remote").env("CACHEPOT_CACHE_SIZE", "0").file("b.c", noise());
    one.settle();
    one.sh(&format!("{CLIENT} gcc -c a.c && {CLIENT} gcc -c b.c"));
    let _ = one.cachepot(["--stop-coordinator"]).succeeds();
    // The large one has an object beside that of its job.
    assert_eq!(objects(&one).len(), 3);
    let other = one.on_machine("other");
    other.expect(Hit, "gcc -c a.c");
    other.expect(Hit, "gcc -c b.c");
}

/// The server answers when the last result has long pushed the first out of the local cache.
#[test]
fn t282_what_a_small_local_cache_lets_go_is_written_before() {
    let dav = Dav::start();
    let one = sandbox("tiny").without("CACHEPOT_FOLDER").env("CACHEPOT_WEBDAV_ENDPOINT", &dav.address);
    let one = one.env("CACHEPOT_CACHE_SIZE", "200k").env("CACHEPOT_WEBDAV_RW_MODE", "WRITE_ONLY");
    let files: Vec<String> = (0..8).map(|n| format!("a{n}.c")).collect();
    for (file, seed) in files.iter().zip(1_u32..) {
        let number = |n: u32| format!("{},", (n ^ (seed << 20)).wrapping_mul(2_654_435_761));
        one.write(file, format!("unsigned a[] = {{{}}};\n", (0..15_000).map(number).collect::<String>()));
    }
    one.expect(Stored, "gcc -c a.c");
    flush(&one);
    dav.close(true);
    for file in &files {
        one.sh(&format!("{CLIENT} gcc -c {file}"));
    }
    one.quiet();
    let report = one.stats();
    assert_eq!((report.stats.count(Stat::CacheWrites), report.remotes[0].pending_writes), (9, 8));
    dav.close(false);
    flush(&one);
    assert_eq!(dav.len(), 9);
    let other = one.on_machine("other").without("CACHEPOT_CACHE_SIZE").without("CACHEPOT_WEBDAV_RW_MODE");
    for file in &files {
        other.expect(Hit, format!("gcc -c {file}").as_str());
    }
}

/// Results of several sizes, and one whose text might make up the date.
fn results() -> [(&'static str, String); 3] {
    [("small", TEXT.to_owned()), ("large", noise()), ("suspect", SUSPECT.to_owned())]
}

/// The disk takes nothing: the other machine hits nevertheless.
fn is_shared(one: Sandbox, name: &str) {
    let line = "gcc -c -Wall a.c";
    if name == "suspect" {
        // That the disk refuses shows with the first result.
        one.expect_same("gcc -c -O1 a.c");
    }
    one.expect_same(line);
    let stats = flush(&one);
    assert!(stats.count(Stat::CacheWrites) == 0 && stats.count(Stat::CacheWriteErrors) > 0, "{name}");
    let other = one.on_machine("other");
    other.expect(Hit, line);
}

#[test]
fn for_a_remote_that_refuses_writes_nothing_is_carried() {
    let dav = Dav::start();
    dav.refuse_writes(403);
    let log = "../log";
    let one = sandbox("refuses").without("CACHEPOT_FOLDER").env("CACHEPOT_WEBDAV_ENDPOINT", &dav.address);
    let one = one.env("CACHEPOT_CACHE_SIZE", "0").env("CACHEPOT_LOG", "warn").env("CACHEPOT_ERROR_LOG", log);
    let _ = one.cachepot(["--start-coordinator"]).succeeds();
    wait_until("the refusal", || {
        fs::read_to_string(one.work().join(log)).is_ok_and(|log| log.contains("is read only"))
    });
    one.expect_same("gcc -c a.c");
    let stats = flush(&one);
    let counts = [Stat::CacheWrites, Stat::CacheWriteErrors, Stat::RemoteWriteErrors];
    assert_eq!(counts.map(|stat| stats.count(stat)), [0, 1, 0]);
}

#[test]
fn what_a_local_cache_that_cannot_be_written_refuses_is_written_to_remotes() {
    for (name, text) in results() {
        let one = sandbox(name).file("a.c", text);
        // Not even root can write there.
        fs::create_dir(one.root().join("cache")).unwrap();
        fs::write(one.root().join("cache/tmp"), "").unwrap();
        is_shared(one, name);
    }
}

#[test]
fn what_has_no_room_on_a_full_disk_is_written_to_remotes() {
    for (name, text) in results() {
        let one = sandbox(name).file("a.c", text);
        let folder = one.root().join("cache");
        let Some(_mount) = Mount::new(&folder, &["-t", "tmpfs", "-o", "size=1m", "tmpfs"]) else { return };
        drop(fs::write(folder.join("filler"), vec![1; 2 << 20]));
        is_shared(one, name);
    }
}

/// A server that is there, and then takes no write and refuses none.
#[test]
fn t267_the_end_does_not_wait_for_writes_that_stall() {
    let dav = Dav::start();
    let one = sandbox("stall").without("CACHEPOT_FOLDER").env("CACHEPOT_WEBDAV_ENDPOINT", &dav.address);
    dav.ignore_writes(true);
    one.expect(Stored, "gcc -c a.c");
    one.quiet();
    let report = &one.stats().remotes[0];
    assert!(report.pending_writes == 1 && !report.is_left_alone, "{report:?}");
    let began = Instant::now();
    let _ = one.cachepot(["--stop-coordinator"]).succeeds();
    // The write itself is given up after 20 seconds, and the server after two of them.
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    let waiting = || fs::read_dir(one.root().join("cache/pending/webdav")).unwrap().count();
    assert_eq!((waiting(), dav.len()), (1, 0));
    dav.ignore_writes(false);
    let _ = one.cachepot(["--start-coordinator"]).succeeds();
    assert_eq!(flush(&one).count(Stat::RemoteWrites), 1);
    assert_eq!((waiting(), dav.len()), (0, 1));
    one.on_machine("other").expect(Hit, "gcc -c a.c");
}
