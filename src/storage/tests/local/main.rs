//! The disk store from outside, on real folders and, as root, on small and read-only file systems.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod damage;
mod faults;
mod keep;
mod upkeep;

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use cachepot_engine::digest::Digest;
use cachepot_engine::job::Role;
use cachepot_storage::error::StoreError;
use cachepot_storage::local::{EntryMeta, LocalSettings, LocalStore};

pub(crate) const ROOMY: u64 = 1 << 30;

pub(crate) fn open(dir: &Path, max_bytes: u64) -> LocalStore {
    LocalStore::open(LocalSettings { dir: dir.to_path_buf(), max_bytes, max_copy: max_bytes }).unwrap()
}

/// A folder that is removed at the end, with a store in it.
pub(crate) struct Sandbox {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) dir: PathBuf,
    pub(crate) store: LocalStore,
}

impl Sandbox {
    pub(crate) fn new(max_bytes: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("cache");
        let store = open(&dir, max_bytes);
        Sandbox { folder, dir, store }
    }
    /// Stops the store as if the process had ended in order, and starts it again.
    pub(crate) fn reopen(self, max_bytes: u64) -> Self {
        let Sandbox { folder, dir, store } = self;
        drop(store);
        // sled gives its lock back in a thread of its own.
        let is_free = || fs::File::open(dir.join("index/db")).is_ok_and(|db| db.try_lock().is_ok());
        let end = Instant::now() + Duration::from_secs(30);
        while dir.join("index/db").exists() && !is_free() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(1));
        }
        let store = open(&dir, max_bytes);
        Sandbox { folder, dir, store }
    }
}

pub(crate) fn key(n: u64) -> Digest {
    Digest::of(&n.to_le_bytes())
}

/// Content that differs per key and cannot be told from noise.
pub(crate) fn content(n: u64, size: usize) -> Vec<u8> {
    let seed = key(n).0;
    (0..size).map(|at| seed[at % 32] ^ at.to_le_bytes()[0] ^ at.to_le_bytes()[1]).collect()
}

pub(crate) fn meta() -> EntryMeta {
    EntryMeta { status: 0, stdout: vec![], stderr: b"a.c:1: warning".to_vec() }
}

/// Stores one output, going the way of the coordinator: by a file.
pub(crate) fn put(store: &LocalStore, n: u64, size: usize) -> Result<(), StoreError> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(&mut file, &content(n, size)).unwrap();
    let ingested = store.ingest(file.as_file(), size as u64)?;
    store.put_entry(&key(n), meta(), vec![(Role::Main, false, ingested)])
}

/// The main output of a hit.
pub(crate) fn get(store: &LocalStore, n: u64) -> Option<Vec<u8>> {
    let fetched = store.fetch(&key(n)).unwrap()?;
    assert_eq!(fetched.entry.stderr, meta().stderr);
    match &fetched.entry.outputs[0].body {
        cachepot_engine::entry::Body::Inline(bytes) => Some(bytes.clone()),
        cachepot_engine::entry::Body::Blob { .. } => Some(read(&fetched.blobs[0])),
    }
}

pub(crate) fn read(mut file: &File) -> Vec<u8> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).unwrap();
    bytes
}

/// Runs the upkeep until the condition holds.
pub(crate) fn maintained(store: &LocalStore, what: &str, until: impl Fn() -> bool) {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let upkeep = scope.spawn(|| store.maintain(&stop));
        let end = Instant::now() + Duration::from_secs(30);
        while !until() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(5));
        }
        stop.store(true, Ordering::Relaxed);
        upkeep.thread().unpark();
    });
    assert!(until(), "never came: {what}");
}

/// Runs the upkeep until the folder is counted.
pub(crate) fn counted(store: &LocalStore) -> u64 {
    maintained(store, "a count", || store.usage().bytes.is_some());
    store.usage().bytes.unwrap()
}

/// All entry files, blobs and manifests with their sizes.
pub(crate) fn files(dir: &Path) -> Vec<(PathBuf, u64)> {
    let mut found = Vec::new();
    for first in fs::read_dir(dir).unwrap().flatten().filter(|f| f.file_name().len() == 1) {
        for second in fs::read_dir(first.path()).unwrap().flatten() {
            for file in fs::read_dir(second.path()).unwrap().flatten() {
                // It may be evicted meanwhile.
                found.extend(file.metadata().ok().map(|metadata| (file.path(), metadata.len())));
            }
        }
    }
    found.sort();
    found
}

pub(crate) fn total(dir: &Path) -> u64 {
    files(dir).iter().map(|(_, size)| size).sum()
}

/// The file of a key with this suffix.
pub(crate) fn file_of(dir: &Path, n: u64, suffix: &str) -> PathBuf {
    let name = key(n).to_string();
    dir.join(&name[..1]).join(&name[1..2]).join(format!("{name}{suffix}"))
}

pub(crate) fn leftovers(dir: &Path) -> usize {
    fs::read_dir(dir.join("tmp")).unwrap().count()
}
