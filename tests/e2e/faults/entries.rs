//! Damaged files in the cache: each costs one compile, never a wrong byte, and is as new after it.
use super::build::{Build, UNITS};
use crate::harness::Sandbox;
use cachepot_engine::stats::Stat;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What of the cache is damaged.
#[derive(Clone, Copy, Debug, PartialEq)]
enum What {
    Entry,
    Blob,
    Manifest,
}

/// All files of a sort, in the order of their names.
fn files(sandbox: &Sandbox, what: What) -> Vec<PathBuf> {
    let below = |folder: PathBuf| fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
    let is_shard = |path: &PathBuf| path.is_dir() && path.file_name().unwrap().len() == 1;
    let shards = below(sandbox.root().join("cache")).filter(is_shard).flat_map(below);
    let wanted = |path: &PathBuf| match path.extension().and_then(|suffix| suffix.to_str()) {
        None => what == What::Entry,
        Some("m") => what == What::Manifest,
        Some(_) => what == What::Blob,
    };
    let mut found: Vec<_> = shards.flat_map(below).filter(wanted).collect();
    found.sort();
    assert!(found.len() >= UNITS / 4, "{what:?}: {found:?}");
    found
}

/// Damages every file of each sort in its own way, with the coordinator away or there; builds twice.
fn damage(name: &str, with_coordinator: bool, harm: impl Fn(usize, &[PathBuf])) {
    let build = Build::new(name);
    build.run();
    assert!(build.again() >= UNITS as u64 - 1);
    for what in [What::Entry, What::Blob, What::Manifest] {
        let _ = build.sandbox.cachepot(["--stop-coordinator"]).succeeds();
        if with_coordinator {
            let _ = build.sandbox.cachepot(["--start-coordinator"]).succeeds();
            build.again();
        }
        let harmed = files(&build.sandbox, what);
        for number in 0..harmed.len() {
            harm(number, &harmed);
        }
        let before = build.sandbox.stats().stats;
        let hits = build.again();
        let after = build.sandbox.stats().stats;
        assert!(hits <= UNITS as u64, "{what:?}");
        if !with_coordinator {
            // Nothing of it is in memory: whatever is damaged is compiled.
            assert_eq!(hits, (UNITS - harmed.len()) as u64, "{what:?}");
            let damaged = after.count(Stat::DamagedEntries) - before.count(Stat::DamagedEntries);
            // What is no file at all is not there, rather than damaged.
            assert!(
                damaged <= harmed.len() as u64 && (damaged > 0 || name == "other"),
                "{what:?}: {damaged}"
            );
        }
        // Without its manifest an entry is not looked for.
        let more = |stat| after.count(stat) - before.count(stat);
        assert_eq!(more(Stat::CacheErrors), more(Stat::CacheReadErrors), "{what:?}");
        assert!(with_coordinator || (more(Stat::CacheErrors) > 0) == (what != What::Manifest), "{what:?}");
        let misses = after.count(Stat::CacheMisses) - before.count(Stat::CacheMisses);
        assert_eq!(hits + misses, UNITS as u64, "{what:?}");
        // A folder with something inside stays: what is inside is not ours.
        let stays = |path: &&PathBuf| path.is_dir() && path.join("inside").exists();
        let stay = harmed.iter().filter(stays).count();
        assert!(build.again() >= (UNITS - 1 - stay) as u64, "{what:?}: not healed");
        for path in harmed.iter().filter(stays) {
            fs::remove_dir_all(path).unwrap();
        }
        build.again();
    }
}

fn rewrite(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

#[test]
fn t247_cut_short_or_too_long() {
    damage("cut", false, |number, all| {
        rewrite(&all[number], |bytes| {
            let end = bytes.len();
            let lengths = [0, 1, 8, 9, 10, 11, 42, 43, 50, 51, end / 4, end / 2, end - 33, end - 32, end - 1];
            match lengths.get(number % (lengths.len() + 1)) {
                Some(&length) => bytes.truncate(length.min(end - 1)),
                None => bytes.push(0),
            }
        });
    });
}

#[test]
fn t247_t257_one_bit_flipped_or_a_hole() {
    damage("bits", false, |number, all| {
        rewrite(&all[number], |bytes| {
            // One file, one place: all of them together touch every region.
            let at = bytes.len() * number / all.len();
            if number % 5 == 4 {
                bytes[at..].fill(0xa5);
            } else {
                bytes[at] ^= 1 << (number % 8);
            }
        });
    });
}

#[test]
fn t247_damaged_under_a_running_coordinator() {
    damage("running", true, |number, all| {
        rewrite(&all[number], |bytes| {
            let at = bytes.len() * number / all.len();
            bytes[at] ^= 0x10;
        });
    });
}

#[test]
fn t248_files_of_other_keys() {
    damage("swapped", false, |number, all| {
        // The whole row moves on by one name.
        let keep = all[0].with_extension("kept");
        match number {
            0 => {
                fs::rename(&all[0], keep).unwrap();
                fs::rename(&all[1], &all[0]).unwrap();
            }
            _ if number + 1 == all.len() => fs::rename(keep, &all[number]).unwrap(),
            _ => fs::rename(&all[number + 1], &all[number]).unwrap(),
        }
    });
}

#[test]
fn t247_something_else_in_its_place() {
    damage("other", false, |number, all| {
        let path = &all[number];
        fs::remove_file(path).unwrap();
        match number % 6 {
            0 => fs::create_dir(path).unwrap(),
            1 => {
                fs::create_dir(path).unwrap();
                fs::write(path.join("inside"), "x").unwrap();
            }
            2 => symlink("/dev/zero", path).unwrap(),
            3 => symlink("nowhere", path).unwrap(),
            4 => assert!(Command::new("mkfifo").arg(path).status().unwrap().success()),
            _ => {}
        }
    });
}
