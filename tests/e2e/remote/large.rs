//! Results that go from a remote into the local store while they come.
use crate::harness::Went::{Hit, Stored};
use crate::harness::{CLIENT, Sandbox, wait_for, wait_until};
use crate::remote::dav::Dav;
use crate::remote::{flush, objects, sandbox};
use crate::rust::lib;
use cachepot_engine::stats::Stat;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

const LINE: &str = "gcc -c -Wall a.c";

/// A machine that has shared a result of some megabytes, which is the larger of two objects.
fn shared(name: &str) -> (Sandbox, PathBuf) {
    let noise: String = (0..400_000_u32).map(|n| format!("{},", n.wrapping_mul(2_654_435_761))).collect();
    let one = sandbox(name).file("a.c", format!("unsigned a[] = {{{noise}}};\n"));
    one.expect(Stored, LINE);
    flush(&one);
    let size = |object: &PathBuf| fs::metadata(object).unwrap().len();
    let result = objects(&one).into_iter().max_by_key(size).unwrap();
    assert!(size(&result) > 1 << 20);
    (one, result)
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for file in fs::read_dir(folder).into_iter().flatten().flatten() {
        match file.file_type().unwrap().is_dir() {
            true => found.extend(files_below(&file.path())),
            false => found.push(file.path()),
        }
    }
    found
}

/// What is large in the cache of a machine, of an entry or half written.
fn large_files(sandbox: &Sandbox, machine: &str) -> Vec<PathBuf> {
    let mut found = files_below(&sandbox.root().join(format!("cache-{machine}")));
    found.retain(|path| fs::metadata(path).is_ok_and(|metadata| metadata.len() > 1 << 20));
    found
}

#[test]
fn t273_t282_of_a_large_result_that_is_damaged_nothing_stays() {
    type Damage = fn(&mut Vec<u8>);
    let damages: [(&str, Damage); 4] = [
        ("short", |bytes| bytes.truncate(bytes.len() / 2)),
        ("long", |bytes| bytes.push(0)),
        ("early", |bytes| bytes[1000] ^= 4),
        ("late", |bytes| *bytes.last_mut().unwrap() ^= 1),
    ];
    let (mut machine, result) = shared("damaged");
    let whole = fs::read(&result).unwrap();
    for (name, damage) in damages {
        let mut bytes = whole.clone();
        damage(&mut bytes);
        fs::write(&result, bytes).unwrap();
        // It may not write, so that what it has is what it was given.
        machine = machine.on_machine(name).env("CACHEPOT_FOLDER_RW_MODE", "READ_ONLY");
        machine.expect(Stored, LINE);
        assert_eq!(machine.stats().stats.count(Stat::RemoteErrors), 1, "{name}");
        let in_tmp = machine.root().join(format!("cache-{name}/tmp"));
        let large = large_files(&machine, name);
        assert!(large.len() == 1 && !large[0].starts_with(in_tmp), "{large:?}");
    }
    machine = machine.on_machine("writer").without("CACHEPOT_FOLDER_RW_MODE");
    machine.expect(Stored, LINE);
    flush(&machine);
    assert!(fs::read(&result).unwrap() == whole);
    // As it is where the user wants all anew.
    let mut damaged = whole.clone();
    damaged[1000] ^= 4;
    fs::write(&result, damaged).unwrap();
    machine.sh(&format!("CACHEPOT_RECACHE=1 {CLIENT} {LINE}"));
    flush(&machine);
    assert!(fs::read(&result).unwrap() == whole);
    // From here on it is believed again that they are there.
    machine = machine.on_machine("another-writer");
    edit_comment(&machine);
    machine.expect(Stored, LINE);
    assert_eq!(flush(&machine).count(Stat::RemoteShared), 1);
}

/// Another result of the same outputs.
fn edit_comment(sandbox: &Sandbox) {
    let text = fs::read_to_string(sandbox.work().join("a.c")).unwrap();
    sandbox.write("a.c", format!("{text}/* Numbers. */\n"));
}

#[test]
fn t282_where_the_local_cache_takes_nothing_a_large_result_is_a_hit() {
    let (mut machine, _) = shared("no-room");
    for (name, size) in [("none", "0"), ("little", "100K")] {
        machine = machine.on_machine(name).env("CACHEPOT_CACHE_SIZE", size);
        machine.expect(Hit, LINE);
        machine.expect(Hit, LINE);
        assert!(large_files(&machine, name).is_empty());
    }
}

#[test]
fn t324_a_large_result_that_many_want_at_once_is_asked_for_once() {
    let (one, _) = shared("many-large");
    let other = one.on_machine("other");
    let _ = other.cachepot(["--start-coordinator"]).succeeds();
    let call = || other.command(CLIENT).args(["gcc", "-c", "-Wall", "a.c"]).spawn().unwrap();
    let calls: Vec<_> = (0..6).map(|_| call()).collect();
    for mut call in calls {
        assert!(wait_for(&mut call).success());
    }
    let object = fs::read(other.work().join("a.o")).unwrap();
    let stats = other.stats().stats;
    // The job and the result.
    assert_eq!((stats.count(Stat::CacheHits), stats.count(Stat::RemoteHits)), (6, 2));
    assert!(other.expect(Hit, LINE).file("a.o") == object);
}

/// It does not travel with its job, for which only the first one asks.
#[test]
fn t324_who_comes_while_a_large_result_is_coming_waits_for_that() {
    let server = Dav::start();
    let machine = library("second", &server).on_machine("other");
    let _ = machine.cachepot(["--start-coordinator"]).succeeds();
    machine.sh("rm -f liba.*");
    server.pause_after(8_000_000);
    let line = format!("exec {CLIENT} {}", lib(""));
    let call = || machine.command("/bin/sh").args(["-c", &line]).spawn().unwrap();
    let mut first = call();
    wait_until("half of it", || {
        unnamed(first.id(), &machine.work()).is_some_and(|file| file.len() > 4_000_000)
    });
    let mut second = call();
    // Long enough to ask for what it does not wait for.
    std::thread::sleep(Duration::from_millis(300));
    server.pause_after(0);
    assert!(wait_for(&mut first).success() && wait_for(&mut second).success());
    let stats = machine.stats().stats;
    assert_eq!((stats.count(Stat::CacheHits), stats.count(Stat::RemoteHits)), (2, 2));
}

#[test]
fn outputs_that_a_remote_has_are_not_written_again() {
    let (one, blobs) = shared("comment");
    let before = one.stats().stats;
    let text = fs::read_to_string(one.work().join("a.c")).unwrap();
    edit_comment(&one);
    one.expect(Stored, LINE);
    let after = flush(&one);
    assert_eq!(after.count(Stat::RemoteShared), 1);
    let written = after.count(Stat::RemoteBytesWritten) - before.count(Stat::RemoteBytesWritten);
    assert!(written < 4096, "{written}");
    let large = |object: &PathBuf| fs::metadata(object).unwrap().len() > 1 << 20;
    assert_eq!(objects(&one).into_iter().filter(large).collect::<Vec<_>>(), [blobs]);
    // Both results, the older one of its own object, and neither for the other.
    let mut other = one.on_machine("other");
    other.expect(Hit, LINE);
    other.write("a.c", &text).settle();
    other.expect(Hit, LINE);
    // Whoever has some of it gets the rest.
    other = other.on_machine("third");
    other.expect(Hit, LINE);
}

/// The largest file that a process has open and that has no name in this folder.
fn unnamed(process: u32, folder: &Path) -> Option<fs::Metadata> {
    let open = fs::read_dir(format!("/proc/{process}/fd")).ok()?.flatten().map(|entry| entry.path());
    let is_it = |path: &PathBuf| {
        fs::read_link(path)
            .is_ok_and(|link| link.starts_with(folder) && link.to_string_lossy().ends_with(" (deleted)"))
    };
    open.filter(is_it).filter_map(|path| fs::metadata(path).ok()).max_by_key(fs::Metadata::len)
}

/// A library of 12 MB that cannot be packed, at a server that is a machine's only remote.
fn library(name: &str, server: &Dav) -> Sandbox {
    let text = "pub static A: &[u8; 12_000_000] = include_bytes!(\"noise\");\n";
    let machine = sandbox(name).file("a.rs", text).without("CACHEPOT_FOLDER");
    machine.sh("head -c 12000000 /dev/urandom > noise");
    let machine = machine.env("CACHEPOT_WEBDAV_ENDPOINT", &server.address);
    machine.expect(Stored, lib(""));
    flush(&machine);
    machine
}

#[test]
fn the_user_s_file_grows_with_what_comes_and_has_no_name_before_its_end() {
    let (server, line) = (Dav::start(), lib(""));
    let mut machine = library("growing", &server);
    for (name, is_to_end) in [("whole", true), ("cut", false)] {
        machine = machine.on_machine(name);
        let _ = machine.cachepot(["--start-coordinator"]).succeeds();
        machine.sh("rm -f liba.*");
        server.pause_after(8_000_000);
        // A shell tells the working directory to what it runs, as before.
        let mut call =
            machine.command("/bin/sh").args(["-c", &format!("exec {CLIENT} {line}")]).spawn().unwrap();
        let mut inode = 0;
        wait_until("half of it", || {
            let file = unnamed(call.id(), &machine.work()).filter(|file| file.len() > 4_000_000);
            file.inspect(|file| inode = file.ino()).is_some()
        });
        assert!(!machine.work().join("liba.rlib").exists());
        if is_to_end {
            server.pause_after(0);
        }
        assert!(wait_for(&mut call).success());
        server.pause_after(0);
        let made = machine.work().join("liba.rlib");
        assert_eq!(fs::metadata(&made).unwrap().ino() == inode, is_to_end);
        let made = fs::read(made).unwrap();
        // What came too late is there all the same.
        let stats = flush(&machine);
        let _ = machine.cachepot(["--stop-coordinator"]).succeeds();
        let left = files_below(&machine.root().join(format!("cache-{name}/tmp")));
        assert_eq!(left, Vec::<PathBuf>::new());
        let counted = [Stat::CacheHits, Stat::RemoteShared].map(|stat| stats.count(stat));
        assert_eq!(counted, [u64::from(is_to_end), u64::from(!is_to_end)]);
        machine.sh(&line);
        assert!(fs::read(machine.work().join("liba.rlib")).unwrap() == made);
    }
}

/// One remote has lost the outputs, or has damaged ones; the next one has them.
#[test]
fn another_remote_is_asked_for_outputs_that_one_does_not_have() {
    let (one, blobs) = shared("two-remotes");
    let second = one.root().join("second");
    one.sh(&format!("cp -r '{}' '{}'", one.root().join("remote").display(), second.display()));
    let server = Dav::start();
    let writer = one.on_machine("writer").without("CACHEPOT_FOLDER");
    let writer = writer.env("CACHEPOT_WEBDAV_ENDPOINT", &server.address);
    writer.expect(Stored, LINE);
    flush(&writer);
    let mut machine = writer.env("CACHEPOT_FOLDER", &second).env("CACHEPOT_CHAIN", "folder webdav");
    let blobs = second.join(blobs.strip_prefix(machine.root().join("remote")).unwrap());
    let mut damaged = fs::read(&blobs).unwrap();
    damaged[1_000_000] ^= 1;
    fs::write(&blobs, damaged).unwrap();
    machine = machine.on_machine("damaged");
    machine.expect(Hit, LINE);
    flush(&machine);
    fs::remove_file(&blobs).unwrap();
    machine = machine.on_machine("gone");
    machine.expect(Hit, LINE);
    flush(&machine);
    assert!(blobs.exists(), "what one remote has is written to those before it");
}

#[test]
fn what_comes_too_late_is_let_go() {
    let server = Dav::start();
    let machine = library("late", &server).on_machine("other");
    let _ = machine.cachepot(["--start-coordinator"]).succeeds();
    // All of it takes longer than a client waits.
    server.pace(6_000_000);
    server.pause_after(1_000_000);
    let resume = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(300));
            server.pause_after(0);
        });
        machine.shell(&format!("exec {CLIENT} {}", lib("")))
    });
    let _ = resume.succeeds();
    let tmp = machine.root().join("cache-other/tmp");
    wait_until("the transfer is over", || files_below(&tmp).is_empty());
    machine.sh("rm -f liba.*");
    let _ = machine.shell(&format!("exec {CLIENT} {}", lib(""))).succeeds();
    assert_eq!(machine.stats().stats.count(Stat::CacheHits), 1);
}

#[test]
fn a_client_that_is_killed_leaves_no_large_file_beside_its_output() {
    let (one, _) = shared("killed");
    one.expect(Hit, LINE);
    let before = files_below(&one.work());
    let killed = one.shell(&format!("ulimit -f 1000; exec {CLIENT} {LINE}"));
    assert!(!killed.status.success());
    assert_eq!(files_below(&one.work()), before);
}
