//! Files that are not what was written: a miss, counted, replaced, never a wrong result.
use std::fs;
use std::path::Path;

use cachepot_engine::envelope;

use crate::*;

const BIG: usize = 40_000;

/// Damages one file of a stored entry and expects a counted miss after which the entry can be stored again.
fn expect_miss(suffix: &str, warm: bool, damage: &dyn Fn(&Path)) {
    let sandbox = Sandbox::new(ROOMY);
    let store = &sandbox.store;
    put(store, 1, BIG).unwrap();
    if warm {
        // Long enough for the store to trust its memory of the files.
        std::thread::sleep(Duration::from_millis(40));
        assert!(get(store, 1).is_some() && get(store, 1).is_some());
    }
    damage(&file_of(&sandbox.dir, 1, suffix));
    assert_eq!(get(store, 1), None);
    assert_eq!(store.damaged(), 1);
    assert_eq!(files(&sandbox.dir), [], "removed");
    assert_eq!(get(store, 1), None);
    assert_eq!(store.damaged(), 1, "counted once");
    put(store, 1, BIG).unwrap();
    assert_eq!(get(store, 1), Some(content(1, BIG)));
}

#[test]
fn t247_t257_damaged_files_are_misses() {
    let damages: [&dyn Fn(&Path); 6] = [
        &|file| fs::write(file, b"").unwrap(),
        &|file| {
            let length = fs::metadata(file).unwrap().len();
            fs::File::options().write(true).open(file).unwrap().set_len(length - 1).unwrap();
        },
        &|file| {
            let length = fs::metadata(file).unwrap().len();
            fs::write(file, vec![0; usize::try_from(length).unwrap()]).unwrap();
        },
        &|file| {
            let mut bytes = fs::read(file).unwrap();
            let last = bytes.len() - 1;
            bytes[last] ^= 0x10;
            fs::write(file, bytes).unwrap();
        },
        &|file| {
            let mut bytes = fs::read(file).unwrap();
            bytes.extend(b"garbage");
            fs::write(file, bytes).unwrap();
        },
        // A sparse file that says it is huge.
        &|file| fs::File::options().write(true).open(file).unwrap().set_len(1 << 40).unwrap(),
    ];
    for damage in damages {
        for suffix in ["", ".0"] {
            for warm in [false, true] {
                expect_miss(suffix, warm, damage);
            }
        }
    }
    for warm in [false, true] {
        expect_miss(".0", warm, &|file| fs::remove_file(file).unwrap());
    }
}

#[test]
fn t247_an_entry_cut_at_every_length_is_a_miss() {
    let sandbox = Sandbox::new(ROOMY);
    put(&sandbox.store, 1, 10).unwrap();
    let file = file_of(&sandbox.dir, 1, "");
    let bytes = fs::read(&file).unwrap();
    for length in 0..bytes.len() {
        fs::write(&file, &bytes[..length]).unwrap();
        assert_eq!(get(&sandbox.store, 1), None, "{length}");
        // Below ten bytes it could be anything; all of them are removed.
        assert!(!file.exists(), "{length}");
    }
    assert_eq!(sandbox.store.damaged(), bytes.len() as u64);
}

#[test]
fn a_damaged_manifest_is_a_miss() {
    let sandbox = Sandbox::new(ROOMY);
    sandbox.store.put_manifest(&key(1), b"payload").unwrap();
    let file = file_of(&sandbox.dir, 1, ".m");
    let mut bytes = fs::read(&file).unwrap();
    bytes[20] ^= 1;
    fs::write(&file, bytes).unwrap();
    assert_eq!(sandbox.store.get_manifest(&key(1)).unwrap(), None);
    assert_eq!(sandbox.store.damaged(), 1);
    assert!(!file.exists());
}

#[test]
fn t247_a_folder_in_place_of_a_file() {
    let sandbox = Sandbox::new(ROOMY);
    for suffix in ["", ".0"] {
        put(&sandbox.store, 1, BIG).unwrap();
        let file = file_of(&sandbox.dir, 1, suffix);
        fs::remove_file(&file).unwrap();
        fs::create_dir(&file).unwrap();
        assert_eq!(get(&sandbox.store, 1), None);
        put(&sandbox.store, 1, BIG).unwrap();
        assert_eq!(get(&sandbox.store, 1), Some(content(1, BIG)), "an empty folder is replaced");
        fs::remove_file(&file).unwrap();
        fs::create_dir_all(file.join("somebody's")).unwrap();
        assert!(put(&sandbox.store, 1, BIG).is_err(), "a full one is not");
        assert_eq!(get(&sandbox.store, 1), None);
        assert!(file.join("somebody's").exists());
        fs::remove_dir_all(file).unwrap();
    }
    assert_eq!(leftovers(&sandbox.dir), 0);
}

#[test]
fn a_link_or_a_pipe_in_place_of_a_file_is_not_followed() {
    let sandbox = Sandbox::new(ROOMY);
    let other = Sandbox::new(ROOMY);
    put(&other.store, 1, 10).unwrap();
    let file = file_of(&sandbox.dir, 1, "");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(file_of(&other.dir, 1, ""), &file).unwrap();
    assert_eq!(get(&sandbox.store, 1), None);
    fs::remove_file(&file).unwrap();
    std::process::Command::new("mkfifo").arg(&file).status().unwrap();
    assert_eq!(get(&sandbox.store, 1), None);
    put(&sandbox.store, 1, 10).unwrap();
    assert_eq!(get(&sandbox.store, 1), Some(content(1, 10)));
}

#[test]
fn t248_a_file_of_another_key_is_not_taken() {
    let sandbox = Sandbox::new(ROOMY);
    put(&sandbox.store, 1, 10).unwrap();
    let other = file_of(&sandbox.dir, 2, "");
    fs::create_dir_all(other.parent().unwrap()).unwrap();
    fs::copy(file_of(&sandbox.dir, 1, ""), &other).unwrap();
    assert_eq!(get(&sandbox.store, 2), None);
    assert_eq!(sandbox.store.damaged(), 1);
    assert_eq!(get(&sandbox.store, 1), Some(content(1, 10)));
}

#[test]
fn t264_another_version_is_a_miss_and_left_alone() {
    let sandbox = Sandbox::new(ROOMY);
    put(&sandbox.store, 1, 10).unwrap();
    let file = file_of(&sandbox.dir, 1, "");
    let mut bytes = fs::read(&file).unwrap();
    bytes[8..10].copy_from_slice(&(envelope::VERSION + 1).to_le_bytes());
    fs::write(&file, &bytes).unwrap();
    assert_eq!(get(&sandbox.store, 1), None);
    assert_eq!((sandbox.store.damaged(), fs::read(&file).unwrap()), (0, bytes));
}

/// The blob of one put and the entry of another, as two processes that store different results may leave it.
#[test]
fn t249_a_mixture_of_two_puts_is_a_miss() {
    let sandbox = Sandbox::new(ROOMY);
    put(&sandbox.store, 1, BIG).unwrap();
    let blob = file_of(&sandbox.dir, 1, ".0");
    let mut bytes = fs::read(&blob).unwrap();
    bytes[77] ^= 1;
    let written = sandbox.folder.path().join("other");
    fs::write(&written, bytes).unwrap();
    fs::rename(written, blob).unwrap();
    assert_eq!(get(&sandbox.store, 1), None);
    assert_eq!(files(&sandbox.dir), []);
}
