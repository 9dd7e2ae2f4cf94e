//! Units whose texts might make up `__DATE__`: stored at once, and checked behind the build.
use super::{compiler, expect_nobody, signal, signal_coordinators, workers};
use crate::harness::Went::{Hit, Stored};
use crate::harness::{Sandbox, wait_until};
use cachepot_engine::digest::Digest;
use cachepot_engine::envelope::{self, Kind};
use cachepot_engine::manifest::{Manifest, Record};
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

/// Has all the pieces, and joins others.
const SUSPECT: &str = "#define JOIN(a, b) a##b\nenum { JOIN(A, _), DATE_, __ };\n";
/// Joins the pieces.
const USES: &str =
    "#define JOIN(a, b, c) a##b##c\n#define DAY(a, b, c) JOIN(a, b, c)\nchar *d = DAY(__, DATE_, _);\n";
/// For [`compiler`]: a preprocessor run tells that it has begun, and waits while `hold` is there.
const HELD_CHECK: &str =
    "case \"$*\" in *' -E') : >../began; while [ -e ../hold ]; do sleep 0.01; done ;; esac";
/// The policy of sched(7) for those that nobody waits for.
const SCHED_IDLE: &str = "5";

/// A sandbox in which no check of `unit.c` ends while `hold` is there; with `a.c`, a check of which is not held.
fn held(name: &str, unit: &str) -> Sandbox {
    // Results with a date stand for a quarter of an hour; the test must not lie on both sides of its end.
    wait_until("a quarter", || SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs() % 900 < 860);
    let sandbox = compiler(Sandbox::new(name), "held", HELD_CHECK).file("unit.c", unit).file("a.c", SUSPECT);
    fs::write(sandbox.root().join("hold"), "").unwrap();
    sandbox
}

fn let_go(sandbox: &Sandbox) {
    fs::remove_file(sandbox.root().join("hold")).unwrap();
}

fn wait_for_check(sandbox: &Sandbox) {
    wait_until("the check", || sandbox.root().join("began").exists());
}

/// Every file of the cache whose name ends like this, below the folders of its keys.
fn files(sandbox: &Sandbox, is_wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let list = |folder: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect()
    };
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let folders = list(&sandbox.root().join("cache")).into_iter().filter(|folder| name(folder).len() == 1);
    let files = folders.flat_map(|folder| list(&folder)).flat_map(|folder| list(&folder));
    files.filter(|file| is_wanted(&name(file))).collect()
}

pub(super) fn n_entries(sandbox: &Sandbox) -> usize {
    files(sandbox, |name| name.len() == 64).len()
}

/// The records of all manifests.
fn records(sandbox: &Sandbox) -> Vec<Record> {
    let manifests = files(sandbox, |name| name.ends_with(".m")).into_iter().map(|path| {
        let key = Digest::parse(path.file_stem().unwrap().to_str().unwrap()).unwrap();
        let bytes = fs::read(&path).unwrap();
        Manifest::decode(envelope::open(Kind::Manifest, &key, &bytes).unwrap()).unwrap()
    });
    manifests.flat_map(|manifest| manifest.records).collect()
}

/// The sources of the records that stand for a quarter of an hour only, and of those that stand for longer.
fn sources(sandbox: &Sandbox) -> (Vec<String>, Vec<String>) {
    let (brief, lasting): (Vec<_>, Vec<_>) =
        records(sandbox).into_iter().partition(|record| record.window.is_some());
    let names = |records: Vec<Record>| {
        records.into_iter().map(|record| String::from_utf8(record.inputs[0].path.clone()).unwrap()).collect()
    };
    (names(brief), names(lasting))
}

/// Checks come one after the other: waits until a unit that was checked after `unit.c` stands for longer; `unit.c` does not.
fn expect_window(sandbox: &Sandbox) {
    sandbox.hits("./held -c a.c");
    wait_until("the end of the checks", || sources(sandbox).1.contains(&"a.c".to_owned()));
    assert_eq!(sources(sandbox).0, ["unit.c"]);
}

#[test]
fn a_unit_that_only_might_name_the_day_is_a_hit_at_once_and_later_for_ever() {
    let lines = [
        ("./held -c unit.c", "gcc"),
        ("./held -c unit.c -g -O1", "clang"),
        ("./held -c unit.c -MMD -MF unit.d", "gcc"),
    ];
    for (line, compiler) in lines {
        let sandbox = held("suspect", SUSPECT);
        sandbox.sh(&format!("sed -i 's/exec gcc/exec {compiler}/' held"));
        assert_eq!(sandbox.cached(line).1, Stored);
        wait_for_check(&sandbox);
        assert_eq!((sources(&sandbox).0, n_entries(&sandbox)), (vec!["unit.c".to_owned()], 1));
        assert_eq!(sandbox.cached(line).1, Hit);
        let_go(&sandbox);
        wait_until("a result without window", || sources(&sandbox).1 == ["unit.c"]);
        assert!(sources(&sandbox).0.is_empty());
        sandbox.expect(Hit, line);
        assert_eq!(n_entries(&sandbox), 1);
    }
}

#[test]
fn a_unit_that_names_the_day_by_pieces_keeps_its_window() {
    let sandbox = held("pieces", USES);
    let_go(&sandbox);
    sandbox.hits("./held -c unit.c");
    expect_window(&sandbox);
    sandbox.expect(Hit, "./held -c unit.c");
}

#[test]
fn a_file_that_changes_before_the_check_leaves_the_window() {
    let sandbox = held("changes", SUSPECT);
    assert_eq!(sandbox.cached("./held -c unit.c").1, Stored);
    wait_for_check(&sandbox);
    sandbox.sh("touch unit.c");
    let_go(&sandbox);
    expect_window(&sandbox);
}

#[test]
fn a_check_gives_way_to_everything() {
    let sandbox = held("idle", SUSPECT);
    assert_eq!(sandbox.cached("./held -c unit.c").1, Stored);
    wait_for_check(&sandbox);
    let running = workers(&sandbox);
    assert!(!running.is_empty());
    for process in running.iter().map(|pid| Path::new("/proc").join(pid.to_string())) {
        // A `sleep` may have ended.
        let Ok(stat) = fs::read_to_string(process.join("stat")) else { continue };
        // Field 41, counted after the name.
        assert_eq!(stat.rsplit_once(") ").unwrap().1.split(' ').nth(38).unwrap(), SCHED_IDLE, "{stat}");
        let share = || fs::read_to_string(process.join("autogroup")).unwrap_or("nice 19".to_owned());
        wait_until("the smallest share", || share().trim_end().ends_with("nice 19"));
    }
    let_go(&sandbox);
}

#[test]
fn a_check_ends_with_the_coordinator() {
    // Beside what it waits for, it has started something that does not end by itself.
    let sandbox = held("ends", SUSPECT);
    sandbox.sh("sed -i 's/: >/sleep 1000 \\& : >/' held");
    assert_eq!(sandbox.cached("./held -c unit.c").1, Stored);
    wait_for_check(&sandbox);
    wait_until("what it has started", || workers(&sandbox).len() >= 2);
    let _ = sandbox.cachepot(["--stop-coordinator"]).succeeds();
    expect_nobody(&sandbox);
    assert_eq!(sources(&sandbox).0, ["unit.c"]);
    // One that is killed can clean up nothing.
    let sandbox = held("killed", SUSPECT);
    assert_eq!(sandbox.cached("./held -c unit.c").1, Stored);
    wait_for_check(&sandbox);
    signal_coordinators("KILL", &sandbox);
    expect_nobody(&sandbox);
}

#[test]
fn a_coordinator_does_not_end_by_idleness_before_its_checks() {
    let sandbox = held("patient", SUSPECT).env("CACHEPOT_IDLE_TIMEOUT", "1");
    assert_eq!(sandbox.cached("./held -c unit.c").1, Stored);
    wait_for_check(&sandbox);
    thread::sleep(Duration::from_secs(2));
    assert_eq!(sandbox.coordinators().len(), 1);
    let_go(&sandbox);
    wait_until("the end", || sandbox.coordinators().is_empty());
    assert_eq!(sources(&sandbox).1, ["unit.c"]);
}

#[test]
fn a_check_that_is_killed_leaves_the_window() {
    let sandbox = held("given_up", SUSPECT);
    assert_eq!(sandbox.cached("./held -c unit.c").1, Stored);
    wait_for_check(&sandbox);
    for pid in workers(&sandbox) {
        signal("KILL", pid.into());
    }
    let_go(&sandbox);
    expect_window(&sandbox);
    sandbox.expect(Hit, "./held -c unit.c");
}
