//! A cache that several machines share. Machines are coordinators with cache folders of their own; the remote here is a
//! folder, so that a test can look into it. What servers do is in `src/storage/tests/remote/`.
use crate::harness::Went::{Hit, Stored};
use crate::harness::{CLIENT, Sandbox, wait_for, wait_until};
use cachepot_engine::stats::{Snapshot, Stat};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Stdio;

const TEXT: &str = "#include \"a.h\"\nint f(void) { return A; }\n";

pub(crate) fn sandbox(name: &str) -> Sandbox {
    let sandbox = Sandbox::new(name).file("a.c", TEXT).file("a.h", "#define A 1\n");
    let remote = sandbox.root().join("remote");
    fs::create_dir(&remote).unwrap();
    sandbox.env("CACHEPOT_FOLDER", remote)
}

/// The files in the remote, but for the one that the check leaves.
pub(crate) fn objects(sandbox: &Sandbox) -> Vec<PathBuf> {
    let folders = fs::read_dir(sandbox.root().join("remote")).unwrap().flatten();
    let files = folders.flat_map(|folder| fs::read_dir(folder.path()).unwrap().flatten());
    files.map(|file| file.path()).filter(|path| !path.ends_with("cachepot-check")).collect()
}

/// Waits until everything is written to the remote.
pub(crate) fn flush(sandbox: &Sandbox) -> Snapshot {
    sandbox.quiet();
    wait_until("the writes", || sandbox.stats().remotes.iter().all(|remote| remote.pending_writes == 0));
    sandbox.stats().stats
}

#[test]
fn another_machine_hits_what_one_has_compiled() {
    let noise: String = (0..120_000_u32).map(|n| format!("{},", n.wrapping_mul(2_654_435_761))).collect();
    for (name, text) in [("small", TEXT.to_owned()), ("large", format!("unsigned a[] = {{{noise}}};\n"))] {
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
    let noise: String = (0..120_000_u32).map(|n| format!("{},", n.wrapping_mul(2_654_435_761))).collect();
    let one = sandbox("gone").file("a.c", format!("unsigned a[] = {{{noise}}};\n"));
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

#[test]
fn one_of_several_remotes_is_enough() {
    let one = sandbox("chain").config("[cache]\nchain = 'disk, folder'\n");
    one.expect(Stored, "gcc -c a.c");
    flush(&one);
    let other = one.on_machine("other").config("[cache]\nchain = 'redis'\n");
    other.expect(Stored, "gcc -c a.c");
    let third = other.on_machine("third").config("[cache]\nchain = 'floppy'\n");
    let said = third.cachepot(["--show-config"]).fails_with(2);
    assert!(said.stderr().contains("no remote is called `floppy`"), "{}", said.stderr());
}

/// A server that takes connections and never answers: it costs the first requests a moment, and nothing after that.
#[test]
fn t266_t271_a_remote_that_never_answers_stops_nothing() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let sandbox = sandbox("silent").without("CACHEPOT_FOLDER");
    let sandbox = sandbox.env("CACHEPOT_REDIS", format!("redis://:s3cret@127.0.0.1:{port}"));
    sandbox.expect(Stored, "gcc -c a.c");
    sandbox.expect(Hit, "gcc -c a.c");
    sandbox.expect(Stored, "gcc -c -O1 a.c");
    let report = sandbox.stats();
    assert!(report.remotes[0].pending_writes == 2 && !format!("{report:?}").contains("s3cret"), "{report:?}");
    // What is pending at a dead remote keeps no coordinator.
    wait_until("the first try", || sandbox.stats().remotes[0].is_left_alone);
    let said = sandbox.cachepot(["--stop-coordinator"]).succeeds();
    assert!(said.stdout().contains("left alone"), "{said}");
}

/// A server that ends with the test.
struct Server(std::process::Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A redis-server that asks for a password, in the sandbox's folder.
fn redis(sandbox: &Sandbox, port: u16) -> Server {
    let words =
        format!("--bind 127.0.0.1 --port {port} --requirepass s3cret --save  --appendonly no --dir .");
    let mut command = sandbox.command("redis-server");
    let child =
        command.args(words.split(' ')).current_dir(sandbox.root()).stdout(Stdio::null()).spawn().unwrap();
    wait_until("redis-server", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    Server(child)
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn t284_redis_is_shared_and_its_password_is_told_to_nobody() {
    let port = free_port();
    let one = sandbox("redis").without("CACHEPOT_FOLDER");
    let one = one.env("CACHEPOT_REDIS", format!("redis://:s3cret@127.0.0.1:{port}"));
    let one = one.env("CACHEPOT_LOG", "trace").env("CACHEPOT_ERROR_LOG", one_log());
    let server = redis(&one, port);
    one.expect(Stored, "gcc -c a.c");
    flush(&one);
    let other = one.on_machine("other");
    other.expect(Hit, "gcc -c a.c");
    for options in [["--show-stats"], ["--show-config"], ["--storage-check"]] {
        let said = other.cachepot(options).succeeds();
        assert!(said.stdout().contains("*****@127.0.0.1") && !said.stdout().contains("s3cret"), "{said}");
    }
    let log = fs::read_to_string(other.work().join(one_log())).unwrap();
    assert!(log.contains("hit") && !log.contains("s3cret"));
    // Killed in the middle of a build, and back again.
    drop(server);
    other.expect(Stored, "gcc -c -O1 a.c");
    other.expect(Stored, "gcc -c -O2 a.c");
    other.expect(Hit, "gcc -c a.c");
    let _server = redis(&other, port);
    flush(&other);
    other.on_machine("third").expect(Hit, "gcc -c -O2 a.c");
}

fn one_log() -> &'static str {
    "../log"
}

#[test]
fn storage_check_says_what_is_wrong_and_how_to_mend_it() {
    let fine = sandbox("check");
    let said = fine.cachepot(["--storage-check"]).succeeds().stdout();
    assert_eq!(said.lines().filter(|line| line.contains(": can be read and written")).count(), 2, "{said}");
    let (port, nobody) = (free_port(), free_port());
    let wrong = fine.env("CACHEPOT_REDIS", format!("redis://:wr0ng@127.0.0.1:{port}"));
    let wrong = wrong.env("CACHEPOT_MEMCACHED", format!("tcp://127.0.0.1:{nobody}"));
    let _server = redis(&wrong, port);
    let said = wrong.cachepot(["--storage-check"]).fails_with(2);
    let (out, error) = (said.stdout(), said.stderr());
    assert!(
        out.contains("neither read nor written") && out.contains("check user, password and rights"),
        "{out}"
    );
    assert!(out.contains("cannot be reached") && out.contains("check address, port"), "{out}");
    assert!(error.contains("redis, memcached") && !format!("{out}{error}").contains("wr0ng"), "{error}");
    let unusable = wrong.env("CACHEPOT_REDIS", "http://:wr0ng@host");
    let said = unusable.cachepot(["--storage-check"]).fails_with(2).stdout();
    assert!(said.contains("its settings cannot be used: URL") && !said.contains("wr0ng"), "{said}");
}

#[test]
fn t285_signed_and_encrypted_results() {
    let line = "gcc -c a.c";
    let one = sandbox("keys");
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
    assert!(open.stats().remotes.is_empty());
    let said = open.cachepot(["--storage-check"]).fails_with(2);
    assert!(said.stdout().contains("chmod 600"), "{said}");
}

#[test]
fn t272_one_that_takes_no_writes_is_read_and_the_others_are_written() {
    let port = free_port();
    let one = sandbox("no-writes").env("CACHEPOT_REDIS", format!("redis://:s3cret@127.0.0.1:{port}"));
    let _server = redis(&one, port);
    one.expect(Stored, "gcc -c a.c");
    flush(&one);
    one.sh(&format!(
        "redis-cli -p {port} --no-auth-warning -a s3cret ACL SETUSER reader on '>pw' '~*' +get +getrange"
    ));
    let other = one.on_machine("other").env("CACHEPOT_REDIS", format!("redis://reader:pw@127.0.0.1:{port}"));
    let before = objects(&other).len();
    // From Redis, with no folder beside it.
    let apart = other.env("CACHEPOT_CHAIN", "redis");
    apart.expect(Hit, "gcc -c a.c");
    let both = apart.on_machine("both").env("CACHEPOT_CHAIN", "redis, folder");
    both.expect(Stored, "gcc -c -O1 a.c");
    let stats = flush(&both);
    assert_eq!((objects(&both).len(), stats.count(Stat::RemoteWrites)), (before + 1, 1));
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

#[test]
fn a_read_fills_the_remotes_above() {
    let port = free_port();
    let one = sandbox("above");
    one.expect(Stored, "gcc -c a.c");
    flush(&one);
    let two = one.on_machine("two").env("CACHEPOT_REDIS", format!("redis://:s3cret@127.0.0.1:{port}"));
    let _server = redis(&two, port);
    let two = two.env("CACHEPOT_CHAIN", "redis folder");
    two.expect(Hit, "gcc -c a.c");
    wait_until("the write", || two.stats().stats.count(Stat::RemoteWrites) == 1);
    let three = two.on_machine("three").env("CACHEPOT_CHAIN", "redis");
    three.expect(Hit, "gcc -c a.c");
}
