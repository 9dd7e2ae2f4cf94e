//! A cache that several machines share. Machines are coordinators with cache folders of their own; the remote here is a
//! folder, so that a test can look into it. What servers do is in `src/storage/tests/remote/`.
mod dav;
mod large;
mod packing;
mod servers;
mod writes;

use crate::harness::Went::{Hit, Stored};
use crate::harness::{CLIENT, Sandbox, wait_for, wait_until};
use cachepot_engine::stats::{Snapshot, Stat};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

const TEXT: &str = "#include \"a.h\"\nint f(void) { return A; }\n";

/// Large enough for an object of its own.
fn noise() -> String {
    let numbers: String = (0..120_000_u32).map(|n| format!("{},", n.wrapping_mul(2_654_435_761))).collect();
    format!("unsigned a[] = {{{numbers}}};\n")
}

pub(crate) fn sandbox(name: &str) -> Sandbox {
    let sandbox = Sandbox::new(name).file("a.c", TEXT).file("a.h", "#define A 1\n");
    let remote = sandbox.root().join("remote");
    fs::create_dir(&remote).unwrap();
    sandbox.env("CACHEPOT_FOLDER", remote)
}

fn is_check(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("cachepot-check-"))
}

/// The files in the remote, but for the one that the check leaves.
pub(crate) fn objects(sandbox: &Sandbox) -> Vec<PathBuf> {
    let folders = fs::read_dir(sandbox.root().join("remote")).unwrap().flatten();
    let files = folders.flat_map(|folder| fs::read_dir(folder.path()).unwrap().flatten());
    files.map(|file| file.path()).filter(|path| !is_check(path)).collect()
}

/// Waits until everything is written to the remote.
pub(crate) fn flush(sandbox: &Sandbox) -> Snapshot {
    sandbox.quiet();
    wait_until("the writes", || sandbox.stats().remotes.iter().all(|remote| remote.pending_writes == 0));
    sandbox.stats().stats
}

#[test]
fn another_machine_hits_what_one_has_compiled() {
    for (name, text) in [("small", TEXT.to_owned()), ("large", noise())] {
        let one = sandbox(name).file("a.c", text);
        one.expect(Stored, "gcc -c -Wall a.c");
        assert_eq!(flush(&one).count(Stat::RemoteWrites), 1);
        let other = one.on_machine("other");
        other.expect(Hit, "gcc -c -Wall a.c");
        // The next time it is local.
        let asked = other.stats().stats.count(Stat::RemoteHits);
        other.expect(Hit, "gcc -c -Wall a.c");
        assert_eq!(other.stats().stats.count(Stat::RemoteHits), asked);
    }
}

#[test]
fn t283_results_of_several_machines_stand_beside_each_other() {
    let one = sandbox("several");
    let line = "gcc -c a.c";
    one.expect(Stored, line);
    flush(&one);
    one.write("a.h", "#define A 2\n");
    let two = one.on_machine("two");
    two.expect(Stored, line);
    flush(&two);
    two.write("a.h", "#define A 3\n");
    let three = two.on_machine("three");
    three.expect(Stored, line);
    flush(&three);
    let four = three.on_machine("four");
    for number in [1, 2, 3] {
        four.write("a.h", format!("#define A {number}\n"));
        four.expect(Hit, line);
    }
    // What one machine has made meanwhile, the first finds as well.
    let one = four.on_machine("one-again");
    one.expect(Hit, line);
}

#[test]
fn t273_t282_an_object_that_is_not_as_it_was_written_is_a_miss_and_is_written_anew() {
    let line = "gcc -c a.c";
    type Damage = fn(&mut Vec<u8>);
    let damages: [(&str, Damage); 5] = [
        ("empty", Vec::clear),
        ("short", |bytes| bytes.truncate(bytes.len() / 2)),
        ("long", |bytes| bytes.push(0)),
        ("flipped", |bytes| bytes[200] ^= 4),
        ("html", |bytes| *bytes = b"<html>Please log in</html>".to_vec()),
    ];
    for (name, damage) in damages {
        let one = sandbox(name);
        one.expect(Stored, line);
        flush(&one);
        let [object] = objects(&one).try_into().unwrap();
        let whole = fs::read(&object).unwrap();
        let mut bytes = whole.clone();
        damage(&mut bytes);
        fs::write(&object, bytes).unwrap();
        let other = one.on_machine("other");
        other.expect(Stored, line);
        assert_eq!(flush(&other).count(Stat::RemoteErrors), 1, "{name}");
        assert!(fs::read(&object).unwrap() == whole, "{name}");
    }
}

#[test]
fn t283_a_result_that_is_gone_is_made_and_written_anew() {
    let one = sandbox("gone").file("a.c", noise());
    one.expect(Stored, "gcc -c a.c");
    flush(&one);
    let mut written = objects(&one);
    written.sort_by_key(|object| fs::metadata(object).unwrap().len());
    let [_job, result] = written.try_into().unwrap();
    fs::remove_file(&result).unwrap();
    let other = one.on_machine("other");
    other.expect(Stored, "gcc -c a.c");
    flush(&other);
    assert!(result.exists());
    other.on_machine("third").expect(Hit, "gcc -c a.c");
}

#[test]
fn what_many_want_at_once_is_asked_for_once() {
    let one = sandbox("many");
    one.expect(Stored, "gcc -c a.c");
    flush(&one);
    let other = one.on_machine("other");
    let _ = other.cachepot(["--start-coordinator"]).succeeds();
    let call = || other.command(CLIENT).args(["gcc", "-c", "a.c"]).spawn().unwrap();
    let calls: Vec<_> = (0..12).map(|_| call()).collect();
    for mut call in calls {
        assert!(wait_for(&mut call).success());
    }
    let stats = other.stats().stats;
    assert_eq!((stats.count(Stat::CacheHits), stats.count(Stat::RemoteHits)), (12, 1));
}

#[test]
fn modes_are_kept_to() {
    let line = "gcc -c a.c";
    let one = sandbox("modes").env("CACHEPOT_FOLDER_RW_MODE", "READ_ONLY");
    one.expect(Stored, line);
    flush(&one);
    // Not even to find out what may be done.
    assert_eq!(fs::read_dir(one.root().join("remote")).unwrap().count(), 0);
    let two = one.on_machine("two").env("CACHEPOT_FOLDER_RW_MODE", "WRITE_ONLY");
    two.expect(Stored, line);
    assert_eq!(flush(&two).count(Stat::RemoteMisses), 0);
    assert_eq!(objects(&two).len(), 1);
    let three = two.on_machine("three");
    three.expect(Stored, line);
    let four = three.on_machine("four").env("CACHEPOT_FOLDER_RW_MODE", "READ_ONLY");
    four.expect(Hit, line);
}

#[test]
fn t282_a_local_cache_that_takes_nothing_is_no_hindrance() {
    let one = sandbox("no-room");
    one.expect(Stored, "gcc -c a.c");
    flush(&one);
    let other = one.on_machine("other").env("CACHEPOT_CACHE_SIZE", "0");
    other.expect(Hit, "gcc -c a.c");
    other.expect(Hit, "gcc -c a.c");
}

#[test]
fn one_of_several_remotes_is_enough() {
    let one = sandbox("chain").config("[cache]\nchain = 'disk, folder'\n");
    one.expect(Stored, "gcc -c a.c");
    flush(&one);
    let other = one.on_machine("other").config("[cache]\nchain = 'disk'\n");
    other.expect(Stored, "gcc -c a.c");
    let other = other.on_machine("wrong").config("[cache]\nchain = 'redis'\n");
    // Said to whoever asks, and not to a build.
    let said = other.cachepot(["--show-config"]).fails_with(0).stderr();
    assert!(said.contains("config:2: `cache.chain` names `redis`, which has no settings"), "{said}");
    other.sh(&format!("{CLIENT} gcc -c a.c"));
    let third = other.on_machine("third").config("[cache]\nchain = 'floppy'\n");
    let said = third.cachepot(["--show-config"]).fails_with(2);
    assert!(said.stderr().contains("no remote is called `floppy`"), "{}", said.stderr());
}

#[test]
fn t285_signed_and_encrypted_results() {
    for (name, text) in [("keys", TEXT.to_owned()), ("keys-large", noise())] {
        with_keys(sandbox(name).file("a.c", text));
    }
}

fn with_keys(one: Sandbox) {
    let line = "gcc -c a.c";
    let said = one.cachepot(["--generate-keys", "../keys"]).succeeds();
    let again = one.cachepot(["--generate-keys", "../keys"]).fails_with(2);
    assert!(again.stderr().contains("sign.key") && again.stderr().contains("exists"), "{again}");
    let keys = one.root().join("keys");
    let (sign, public, encryption) =
        (keys.join("sign.key"), keys.join("sign.pub"), keys.join("encryption.key"));
    let secret = fs::read_to_string(&sign).unwrap();
    assert!(
        !said.stdout().contains(secret.trim()) && said.stdout().contains("CACHEPOT_TRUSTED_KEYS="),
        "{said}"
    );
    // Somebody writes what nobody has signed.
    one.expect(Stored, line);
    flush(&one);
    let careful = one.on_machine("careful").env("CACHEPOT_TRUSTED_KEYS", &public);
    careful.expect(Stored, line);
    assert_eq!(flush(&careful).count(Stat::RemoteErrors), 1);
    // CI signs, and is believed.
    let ci = careful.on_machine("ci").env("CACHEPOT_SIGN_KEY_FILE", &sign).without("CACHEPOT_TRUSTED_KEYS");
    ci.expect(Stored, line);
    flush(&ci);
    let reader =
        ci.on_machine("reader").without("CACHEPOT_SIGN_KEY_FILE").env("CACHEPOT_TRUSTED_KEYS", &public);
    reader.expect(Hit, line);
    // What is encrypted is there for those who have the key.
    let hidden = reader.on_machine("hidden").env("CACHEPOT_ENCRYPTION_KEY_FILE", &encryption);
    let hidden = hidden.without("CACHEPOT_TRUSTED_KEYS");
    hidden.expect(Stored, line);
    flush(&hidden);
    let hidden = hidden.on_machine("hidden-too");
    hidden.expect(Hit, line);
    // With a key that others may read, no remote is used at all.
    fs::set_permissions(&encryption, fs::Permissions::from_mode(0o644)).unwrap();
    let open = hidden.on_machine("open");
    open.expect(Stored, line);
    let text = open.cachepot(["--show-stats"]).succeeds().stdout();
    assert!(text.contains("folder: not used, because its settings cannot be: encryption_key_file"), "{text}");
    assert!(open.stats().remotes[0].unusable.as_ref().is_some_and(|why| why.contains("chmod 600")));
    let said = open.cachepot(["--storage-check"]).fails_with(2);
    assert!(said.stdout().contains("chmod 600"), "{said}");
}

#[test]
fn t281_what_was_not_there_is_found_a_little_later() {
    let line = "gcc -c a.c";
    let early = sandbox("late").env("CACHEPOT_FOLDER_RW_MODE", "READ_ONLY");
    early.expect(Stored, line);
    let writer = early.on_machine("writer").env("CACHEPOT_FOLDER_RW_MODE", "READ_WRITE");
    writer.expect(Stored, line);
    flush(&writer);
    let home = writer.root().join("cache");
    let early = writer.env("CACHEPOT_DIR", &home).env("CACHEPOT_FOLDER_RW_MODE", "READ_ONLY");
    let socket = early.root().join("run/c.sock");
    let early = early.env("CACHEPOT_SERVER_UDS", socket);
    wait_until("the remote to be asked again", || {
        let _ = early.cachepot(["--clear-cache"]).succeeds();
        early.cached(line).1 == Hit
    });
}
