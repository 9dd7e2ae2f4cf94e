//! The cache folder is full, read-only, unreadable or gone.
use super::build::{Build, UNITS};
use super::mounted;
use crate::harness::{COORDINATOR, Sandbox, finish, wait_for, wait_until};
use crate::rust::lib;
use cachepot_engine::stats::Stat;
use cachepot_wire::fd::own_uid;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

/// A mount that ends with the test.
pub(crate) struct Mount(PathBuf);

impl Mount {
    pub(crate) fn new(folder: &Path, options: &[&str]) -> Option<Self> {
        if own_uid() != 0 {
            eprintln!("skipped: only root can mount");
            return None;
        }
        fs::create_dir_all(folder).unwrap();
        let arguments: Vec<&str> = options.iter().copied().chain([folder.to_str().unwrap()]).collect();
        let mount = mounted(&arguments).then(|| Mount(folder.to_owned()));
        if mount.is_none() {
            eprintln!("skipped: this root may not mount");
        }
        mount
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazily: the coordinator may still be there.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn t256_a_full_disk_and_room_again() {
    for size in ["size=256k", "size=1m", "size=4m"] {
        let build = Build::new("full");
        let folder = build.sandbox.root().join("cache");
        let Some(_mount) = Mount::new(&folder, &["-t", "tmpfs", "-o", size, "tmpfs"]) else { return };
        let filler = folder.join("filler");
        // Full from the start, full in the middle, with room again.
        let fill = || drop(fs::write(&filler, vec![1; 8 << 20]));
        fill();
        build.run().clean().run();
        fs::remove_file(&filler).unwrap();
        let room = build.clean().run().again();
        fill();
        build.clean().run();
        fs::remove_file(&filler).unwrap();
        let later = build.clean().run().again();
        if size == "size=4m" {
            assert!(room > 0 && later > 0, "{room} {later}");
            let _ = build.sandbox.cachepot(["--stop-coordinator"]).succeeds();
            assert!(build.again() > 0);
        }
    }
}

/// What observes a compile writes to memory that the compiler shares: it must not be the disk's.
#[test]
fn t256_no_room_beside_the_socket() {
    let sandbox = Sandbox::new("full-run").file("a.rs", "pub fn f() {}");
    let folder = sandbox.places().scratch.parent().unwrap().to_owned();
    let Some(_mount) = Mount::new(&folder, &["-t", "tmpfs", "-o", "size=1m", "tmpfs"]) else { return };
    sandbox.hits(lib(""));
    let filler = folder.join("filler");
    for n_left in [0, 8 << 10, 32 << 10] {
        drop(fs::write(&filler, vec![1; 2 << 20]));
        let size = fs::metadata(&filler).unwrap().len();
        fs::File::options().write(true).open(&filler).unwrap().set_len(size - n_left).unwrap();
        sandbox.write("a.rs", format!("pub fn f() -> u32 {{ {n_left} }}")).expect_same(lib(""));
    }
    let _ = sandbox.cachepot(["--stop-coordinator"]).succeeds();
}

#[test]
fn t258_a_folder_that_becomes_read_only() {
    let build = Build::new("read_only");
    let folder = build.sandbox.root().join("cache");
    let path = folder.to_str().unwrap();
    fs::create_dir(&folder).unwrap();
    let Some(_mount) = Mount::new(&folder, &["--bind", path]) else { return };
    build.run();
    assert!(build.again() >= UNITS as u64 - 1);
    // Not while files are open for writing there.
    super::signal_coordinators("KILL", &build.sandbox);
    wait_until("the end of the writer", || mounted(&["-o", "remount,ro,bind", path]));
    // One that is started there reads what is there and cannot write.
    assert!(build.clean().run().again() >= UNITS as u64 - 1);
    fs::write(build.sandbox.work().join("inc/h0.h"), "static inline int h0(int x) { return x * 0 + 7; }\n\n")
        .unwrap();
    build.clean().run();
    assert!(build.again() > 0);
    let _ = build.sandbox.cachepot(["--stop-coordinator"]).fails_with(0);
    assert!(mounted(&["-o", "remount,rw,bind", path]));
    build.clean().run();
    assert!(build.again() >= UNITS as u64 - 1);
}

#[test]
fn t258_the_folder_deleted_during_builds() {
    let build = Build::new("deleted");
    let folder = build.sandbox.root().join("cache");
    for _ in 0..3 {
        let mut make = build.make().stdout(Stdio::null()).spawn().unwrap();
        while make.try_wait().unwrap().is_none() {
            // It may be filled while it is emptied: then the next turn removes the rest.
            let _ = fs::remove_dir_all(&folder);
            thread::sleep(Duration::from_millis(30));
        }
        assert!(wait_for(&mut make).success());
        build.run().clean();
    }
    build.run();
    assert!(build.again() >= UNITS as u64 - 1);
}

#[test]
fn t258_a_folder_replaced_by_a_link_or_a_file() {
    let build = Build::new("replaced");
    let (folder, moved) = (build.sandbox.root().join("cache"), build.sandbox.root().join("moved"));
    build.run();
    fs::rename(&folder, &moved).unwrap();
    std::os::unix::fs::symlink(&moved, &folder).unwrap();
    assert!(build.again() >= UNITS as u64 - 1);
    fs::remove_file(&folder).unwrap();
    fs::write(&folder, "no folder").unwrap();
    build.clean().run();
    super::signal_coordinators("KILL", &build.sandbox);
    build.clean();
    let finished = finish(&mut build.make());
    assert!(finished.stderr().contains("cachepot: warning: "), "{finished}");
    build.check(&finished);
    assert_eq!(fs::read(&folder).unwrap(), b"no folder");
}

#[test]
fn t258_an_unreadable_folder() {
    if own_uid() != 0 {
        eprintln!("skipped: only root can become another user");
        return;
    }
    let build = Build::new("unreadable");
    let sandbox = &build.sandbox;
    // Another user: nothing is unreadable for root.
    let programs = ["cachepot", "cachepot-coordinator"].map(|name| {
        let to = sandbox.root().join(name);
        fs::copy(Path::new(COORDINATOR).with_file_name(name), &to).unwrap();
        to
    });
    let folder = sandbox.root().join("cache");
    fs::create_dir(&folder).unwrap();
    let shell = |line: &str| finish(Command::new("/bin/sh").args(["-c", line]).current_dir(sandbox.root()));
    let _ = shell("chown -R 65534:65534 . && chmod 000 cache").succeeds();
    let compiler = format!("CC={} gcc", programs[0].display());
    let make = ["make", "-sj8", &compiler].map(OsStr::new);
    let user = ["--reuid=65534", "--regid=65534", "--clear-groups"].map(OsStr::new);
    let as_user = || finish(sandbox.command("setpriv").args(user).args(make));
    build.check(&as_user()).clean();
    let _ = shell("chmod 700 cache").succeeds();
    build.check(&as_user()).clean();
    wait_until("something is stored again", || fs::read_dir(&folder).unwrap().count() > 1);
    // Taken away from one that runs.
    let _ = shell("chmod 000 cache").succeeds();
    build.check(&as_user());
    let _ = shell("chmod 700 cache").succeeds();
}

#[test]
fn t251_two_coordinators_on_one_folder() {
    let build = Build::new("two");
    let second = build.sandbox.root().join("run/second.sock");
    let make = |socket: &Path| {
        build.clean();
        let finished = finish(build.make().env("CACHEPOT_SERVER_UDS", socket));
        build.check(&finished);
    };
    let hits = |socket: &Path| {
        let mut command = build.sandbox.command(COORDINATOR);
        command.args(["-s", "--stats-format=json"]).env("CACHEPOT_SERVER_UDS", socket);
        let json = finish(&mut command).succeeds().stdout();
        cachepot_engine::stats::StatsReport::from_json(&json).unwrap().stats.count(Stat::CacheHits)
    };
    build.run();
    write_all(&build);
    make(&second);
    assert_eq!(build.sandbox.coordinators().len(), 2);
    assert!(hits(&second) >= UNITS as u64 - 1);
    assert!(build.again() >= UNITS as u64 - 1);
    // Together, and the one with the index goes in the middle of it.
    build.clean();
    let mut first = build.make().spawn().unwrap();
    super::signal_coordinators("KILL", &build.sandbox);
    assert!(wait_for(&mut first).success());
    build.run();
    write_all(&build);
    make(&second);
    assert!(build.again() >= UNITS as u64 - 1);
}

/// Results may wait for a free processor, until somebody asks for them or for the numbers.
fn write_all(build: &Build) {
    let _ = build.sandbox.stats();
}
