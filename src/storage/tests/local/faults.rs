//! Disks that are full, read-only or gone, and many at once.
use std::fs;
use std::process::Command;

use cachepot_engine::entry::Body;
use cachepot_engine::envelope::Kind;
use cachepot_storage::error::StoreError;

use crate::*;

/// A small file system of its own; unmounted at the end.
struct Mount(tempfile::TempDir);

impl Mount {
    /// `None`, said aloud, without the rights to mount.
    fn new(options: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", options, "none"]).arg(folder.path()).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Mount(folder));
        }
        println!("SKIPPED: no rights to mount a file system here");
        None
    }
    fn remount(&self, options: &str) {
        let output =
            Command::new("mount").args(["-o", &format!("remount,{options}")]).arg(self.0.path()).output();
        assert!(output.unwrap().status.success());
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        Command::new("umount").arg("-l").arg(self.0.path()).status().unwrap();
    }
}

#[test]
fn t256_a_full_disk_fails_the_put_and_nothing_else() {
    let Some(mount) = Mount::new("size=1m") else { return };
    let dir = mount.0.path().join("cache");
    let store = open(&dir, ROOMY);
    let mut stored = 0;
    let error = loop {
        match put(&store, stored, 100_000) {
            Ok(()) => stored += 1,
            Err(error) => break error,
        }
        assert!(stored < 20);
    };
    assert!(matches!(error, StoreError::Full { .. }), "{error}");
    assert_eq!(leftovers(&dir), 0, "no half file stays");
    assert!(stored > 3 && (0..stored).all(|n| get(&store, n) == Some(content(n, 100_000))));
    assert_eq!(get(&store, stored), None);
    // Space again: the store goes on.
    store.remove(Kind::Result, &key(0)).unwrap();
    store.remove(Kind::Result, &key(1)).unwrap();
    put(&store, stored, 100_000).unwrap();
    assert_eq!(get(&store, stored), Some(content(stored, 100_000)));
}

/// An output that comes in pieces, from a remote.
#[test]
fn t256_what_a_full_disk_does_not_take_stays_in_memory() {
    let Some(mount) = Mount::new("size=1m") else { return };
    let dir = mount.0.path().join("cache");
    let store = open(&dir, ROOMY);
    let (small, large) = (content(1, 100_000), content(2, 3 << 20));
    let expected = |content: &[u8]| (content.len() as u64, Digest::of(content));
    let mut incoming = store.incoming([&small, &large].map(|content| content.len() as u64).into_iter());
    let body = incoming.take(expected(&small), &mut small.as_slice(), &mut |_| ()).unwrap();
    assert_eq!(body, Body::Blob { size: 100_000, digest: Digest::of(&small) });
    let body = incoming.take(expected(&large), &mut large.as_slice(), &mut |_| ()).unwrap();
    assert!(body == Body::Inline(large));
    assert_eq!(leftovers(&dir), 1, "the small one");
    let files = incoming.into_files();
    assert!(files.len() == 1 && files[0].read().unwrap() == small);
    drop(files);
    assert_eq!(leftovers(&dir), 0);
}

#[test]
fn t256_an_index_on_a_full_disk_is_done_without() {
    let Some(mount) = Mount::new("size=1m") else { return };
    let dir = mount.0.path().join("cache");
    let store = open(&dir, ROOMY);
    put(&store, 1, 20_000).unwrap();
    let rest = fs::File::create(mount.0.path().join("rest")).unwrap();
    let fill = |block: usize| while std::io::Write::write_all(&mut &rest, &vec![1; block]).is_ok() {};
    fill(4096);
    fill(1);
    assert_eq!(counted(&store), total(&dir));
    store.touch(Kind::Result, &key(1));
    store.flush();
    assert!(get(&store, 1).is_some());
}

#[test]
fn t258_a_read_only_folder_is_read() {
    let Some(mount) = Mount::new("size=4m") else { return };
    let dir = mount.0.path().join("cache");
    {
        let store = open(&dir, ROOMY);
        put(&store, 1, 50_000).unwrap();
        put(&store, 2, 50_000).unwrap();
    }
    fs::write(file_of(&dir, 2, ".0"), "damaged").unwrap();
    mount.remount("ro");
    let store = open(&dir, 60_000);
    assert_eq!(get(&store, 1), Some(content(1, 50_000)));
    assert_eq!(get(&store, 2), None, "damaged, and it stays");
    assert!(store.takes(1));
    assert!(matches!(put(&store, 3, 50_000), Err(StoreError::ReadOnly { .. })));
    assert!(!store.takes(1));
    assert!(matches!(store.put_manifest(&key(3), b""), Err(StoreError::ReadOnly { .. })));
    assert!(matches!(store.remove(Kind::Result, &key(1)), Err(StoreError::ReadOnly { .. })));
    assert!(store.clear().is_err());
    counted(&store);
    store.flush();
    assert_eq!(get(&store, 1), Some(content(1, 50_000)));
    mount.remount("rw");
    put(&store, 3, 50_000).unwrap();
    assert_eq!(get(&store, 3), Some(content(3, 50_000)));
}

#[test]
fn t258_the_folder_is_deleted_or_replaced_while_in_use() {
    let sandbox = Sandbox::new(ROOMY);
    let store = &sandbox.store;
    counted(store);
    put(store, 1, 50_000).unwrap();
    let ingested = store.ingest_bytes(vec![1; 50_000]).unwrap();
    fs::remove_dir_all(&sandbox.dir).unwrap();
    assert_eq!(get(store, 1), None);
    assert!(store.put_entry(&key(9), meta(), vec![(Role::Main, false, ingested)]).is_err());
    put(store, 2, 50_000).unwrap();
    assert_eq!(get(store, 2), Some(content(2, 50_000)));
    store.flush();
    maintained(store, "the true sum", || store.usage().bytes == Some(total(&sandbox.dir)));
    // Replaced by a link to another place.
    let moved = sandbox.folder.path().join("moved");
    fs::rename(&sandbox.dir, &moved).unwrap();
    std::os::unix::fs::symlink(&moved, &sandbox.dir).unwrap();
    assert_eq!(get(store, 2), Some(content(2, 50_000)));
    put(store, 3, 50_000).unwrap();
    // Replaced by a file.
    fs::remove_file(&sandbox.dir).unwrap();
    fs::write(&sandbox.dir, "no folder").unwrap();
    assert_eq!(get(store, 2), None);
    assert!(put(store, 4, 50_000).is_err());
    store.flush();
    assert_eq!(fs::read(&sandbox.dir).unwrap(), b"no folder");
}

#[test]
fn t249_t250_many_writers_and_readers_of_few_keys() {
    let sandbox = Sandbox::new(500_000);
    let store = &sandbox.store;
    counted(store);
    let sizes = [10_usize, 30_000, 90_000];
    std::thread::scope(|scope| {
        for thread in 0..6_u64 {
            scope.spawn(move || {
                for round in 0..60_u64 {
                    let n = (round * 7 + thread) % 9;
                    if (round + thread) % 3 == 0 {
                        put(store, n, sizes[usize::try_from(round % 3).unwrap()]).unwrap();
                    } else if let Some(found) = get(store, n) {
                        assert!(sizes.iter().any(|size| found == content(n, *size)), "whole, old or new");
                    }
                }
            });
        }
        scope.spawn(|| {
            for _ in 0..100 {
                assert!(total_now(&sandbox.dir) <= 500_000);
            }
        });
    });
    assert_eq!(store.usage().bytes, Some(total(&sandbox.dir)));
    assert_eq!((store.damaged(), leftovers(&sandbox.dir)), (0, 0));
}

/// As [`total`], while files come and go. One that is renamed away counts as nothing.
fn total_now(dir: &Path) -> u64 {
    let list = |path: &Path| {
        fs::read_dir(path).map(|listing| listing.flatten().collect::<Vec<_>>()).unwrap_or_default()
    };
    let shards = list(dir).into_iter().filter(|file| file.file_name().len() == 1);
    let files = shards.flat_map(|first| list(&first.path())).flat_map(|second| list(&second.path()));
    files.filter_map(|file| file.metadata().ok()).map(|metadata| metadata.len()).sum()
}

#[test]
fn t252_puts_that_together_pass_the_limit_wait_for_each_other() {
    let sandbox = Sandbox::new(100_000);
    let store = &sandbox.store;
    std::thread::scope(|scope| {
        for n in 0..8 {
            scope.spawn(move || put(store, n, 60_000).unwrap());
        }
    });
    assert_eq!((0..8).filter(|n| get(store, *n).is_some()).count(), 1);
}
