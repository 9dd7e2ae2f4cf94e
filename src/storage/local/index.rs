//! The index: sizes and last uses, so that a start need not walk over the files. The only user of sled.
//!
//! ```text
//! key   = kind:u8 digest:32 bytes         value = bytes:u64 used:u64    numbers are little-endian
//! "whole"                                 present when the last holder stopped in order: nothing is missing
//! ```
//!
//! sled may be locked by another coordinator, damaged, or panic on what it finds: each becomes a value here.
use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use cachepot_engine::digest::Digest;
use cachepot_engine::envelope::Kind;

use super::evict::Record;
use super::layout::{Key, Layout};

/// Small on purpose: the store keeps what it needs in its own memory and reads the index once.
const CACHE_BYTES: u64 = 8 * 1024 * 1024;
const TREE: &[u8] = b"files 1";
const WHOLE: &[u8] = b"whole";

/// Why there is no index.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoIndex {
    /// Another coordinator has it.
    #[error("held by another coordinator")]
    Held,
    /// It cannot be opened now: no rights, no space.
    #[error("{0}")]
    Unavailable(String),
    /// What is there is no index: it was removed, try again.
    #[error("{0}")]
    Damaged(String),
}

/// An open index. Dropping it gives the lock back.
pub(crate) struct Index {
    db: sled::Db,
    tree: sled::Tree,
    identity: Option<(u64, u64)>,
    // Declared last: dropped after sled has closed its files.
    _lock: File,
}

/// What an index held when it was opened.
pub(crate) struct Opened {
    pub(crate) index: Index,
    pub(crate) records: Vec<(Key, Record)>,
    /// The records are all that there is.
    pub(crate) is_whole: bool,
}

impl Index {
    pub(crate) fn open(layout: &Layout) -> Result<Opened, NoIndex> {
        let lock = take_lock(&layout.lock)?;
        let opened = contain(|| {
            let db = sled::Config::new()
                .path(&layout.index)
                .cache_capacity(CACHE_BYTES)
                .mode(sled::Mode::LowSpace)
                .flush_every_ms(None)
                .open()?;
            let tree = db.open_tree(TREE)?;
            let mut records = Vec::new();
            for pair in &tree {
                let (key, value) = pair?;
                records.extend(read_key(&key).zip(read_record(&value)));
            }
            let is_whole = tree.remove(WHOLE)?.is_some();
            db.flush()?;
            Ok((db, tree, records, is_whole))
        });
        match opened {
            Ok((db, tree, records, is_whole)) => {
                let index = Index { db, tree, identity: identity(&layout.index), _lock: lock };
                Ok(Opened { index, records, is_whole })
            }
            Err(problem) => Err(refuse(layout, problem)),
        }
    }

    /// Writes changes. After an error the index is of no use any more.
    ///
    /// One by one: with `sled::Batch`, 100,000 updates took 260 MB that never came back, against 17 MB.
    pub(crate) fn write(&self, changes: &[(Key, Option<Record>)]) -> Result<(), String> {
        contain(|| {
            for (key, record) in changes {
                match record {
                    Some(record) => self.tree.insert(&key_bytes(key)[..], &record_bytes(record)[..])?,
                    None => self.tree.remove(&key_bytes(key)[..])?,
                };
            }
            self.db.flush()?;
            Ok(())
        })
        .map_err(|problem| problem.text)
    }

    /// Closes the index in order: the next open finds it whole.
    pub(crate) fn close(self) {
        // If this fails the next start walks, that is all.
        let _ = contain(|| {
            self.tree.insert(WHOLE, &[])?;
            self.db.flush()?;
            Ok(())
        });
        self.abandon();
    }
    /// Closes it as it is.
    pub(crate) fn abandon(self) {
        let _ = contain(|| {
            drop(self);
            Ok(())
        });
    }
    /// Whether the folder of the index is still the one that was opened.
    pub(crate) fn is_in_place(&self, layout: &Layout) -> bool {
        self.identity.is_some() && self.identity == identity(&layout.index)
    }
}

struct Problem {
    text: String,
    error: Option<sled::Error>,
}

/// Runs a piece of sled; a panic becomes an error.
fn contain<T>(work: impl FnOnce() -> sled::Result<T>) -> Result<T, Problem> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Problem { text: error.to_string(), error: Some(error) }),
        Err(_) => Err(Problem { text: "sled panicked".to_owned(), error: None }),
    }
}

fn take_lock(path: &Path) -> Result<File, NoIndex> {
    let lock = File::options().create(true).truncate(false).write(true).open(path);
    let lock = lock.map_err(|error| NoIndex::Unavailable(error.to_string()))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(NoIndex::Held),
        // Network file systems without locks: nobody may have the index.
        Err(TryLockError::Error(error)) => Err(NoIndex::Unavailable(error.to_string())),
    }
}

/// Sorts what sled said. Our own lock is held, so what it cannot read is damaged and is removed.
fn refuse(layout: &Layout, problem: Problem) -> NoIndex {
    let raw = match &problem.error {
        // sled still closes the files of a store that ended a moment ago in this process.
        Some(sled::Error::Io(error)) if error.to_string().contains("acquire lock") => return NoIndex::Held,
        Some(sled::Error::Io(error)) => error.raw_os_error(),
        _ => None,
    };
    let blameless = [
        libc::ENOSPC,
        libc::EDQUOT,
        libc::EROFS,
        libc::EACCES,
        libc::EPERM,
        libc::EIO,
        libc::EMFILE,
        libc::ENOMEM,
    ];
    if raw.is_some_and(|raw| blameless.contains(&raw)) {
        return NoIndex::Unavailable(problem.text);
    }
    match remove(&layout.index) {
        Ok(()) => NoIndex::Damaged(problem.text),
        Err(error) => NoIndex::Unavailable(format!("{}, and it cannot be removed: {error}", problem.text)),
    }
}

/// Removes the files of the index. The caller holds the lock, or nobody does.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

fn key_bytes(key: &Key) -> [u8; 33] {
    let mut bytes = [key.kind.tag(); 33];
    if let Some(digest) = bytes.last_chunk_mut::<32>() {
        *digest = key.digest.0;
    }
    bytes
}

fn read_key(bytes: &[u8]) -> Option<Key> {
    let (tag, digest) = bytes.split_first()?;
    Some(Key { kind: Kind::from_tag(*tag)?, digest: Digest(digest.try_into().ok()?) })
}

fn record_bytes(record: &Record) -> [u8; 16] {
    (u128::from(record.bytes) | u128::from(record.used) << 64).to_le_bytes()
}

fn read_record(bytes: &[u8]) -> Option<Record> {
    let both = u128::from_le_bytes(bytes.try_into().ok()?);
    let half = |shift: u32| u64::try_from(both >> shift & u128::from(u64::MAX)).ok();
    Some(Record { bytes: half(0)?, used: half(64)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(n: u8) -> (Key, Record) {
        (Key::result(&Digest([n; 32])), Record { bytes: u64::from(n) * 3, used: u64::MAX - u64::from(n) })
    }

    fn written(folder: &Path) -> Layout {
        let layout = Layout::new(folder);
        let opened = Index::open(&layout).unwrap_or_else(|_| panic!("cannot open"));
        assert!(!opened.is_whole && opened.records.is_empty());
        let changes: Vec<_> = (0..100).map(sample).map(|(key, record)| (key, Some(record))).collect();
        opened.index.write(&changes).unwrap();
        opened.index.write(&[(sample(7).0, None)]).unwrap();
        opened.index.close();
        layout
    }

    /// sled gives its own lock back in a thread of its own.
    fn open_soon(layout: &Layout) -> Result<Opened, NoIndex> {
        for _ in 0..200 {
            match Index::open(layout) {
                Err(NoIndex::Held) => std::thread::sleep(std::time::Duration::from_millis(10)),
                other => return other,
            }
        }
        Err(NoIndex::Held)
    }

    #[test]
    fn what_was_written_is_read_once_whole() {
        let folder = tempfile::tempdir().unwrap();
        let layout = written(folder.path());
        let mut opened = open_soon(&layout).unwrap_or_else(|error| panic!("{error:?}"));
        opened.records.sort();
        let mut expected: Vec<_> = (0..100).filter(|n| *n != 7).map(sample).collect();
        expected.sort();
        assert!(opened.is_whole && opened.records == expected);
        assert!(matches!(Index::open(&layout), Err(NoIndex::Held)), "one holder at a time");
        opened.index.abandon();
        let opened = open_soon(&layout).unwrap_or_else(|error| panic!("{error:?}"));
        assert!(!opened.is_whole && opened.records.len() == 99, "not closed in order");
    }

    /// Each file of the index in turn is filled with garbage, cut, or replaced by a folder.
    #[test]
    fn a_damaged_index_is_removed_and_never_a_panic() {
        let kinds: [fn(&Path); 4] = [
            |file| fs::write(file, [0x5a; 3000]).unwrap(),
            |file| fs::write(file, []).unwrap(),
            |file| {
                let mut content = fs::read(file).unwrap();
                content.iter_mut().step_by(97).for_each(|byte| *byte ^= 0xff);
                fs::write(file, content).unwrap();
            },
            |file| {
                fs::remove_file(file).unwrap();
                fs::create_dir(file).unwrap();
            },
        ];
        for (kind, damage) in kinds.into_iter().enumerate() {
            for name in ["conf", "db", "snap"] {
                let folder = tempfile::tempdir().unwrap();
                let layout = written(folder.path());
                open_soon(&layout).unwrap_or_else(|error| panic!("{error:?}")).index.close();
                for file in fs::read_dir(&layout.index).unwrap().flatten() {
                    if file.file_name().to_str().unwrap().starts_with(name) && file.path().is_file() {
                        damage(&file.path());
                    }
                }
                // Refused at most once; sled may also find enough in the other files.
                let opened = match open_soon(&layout) {
                    Err(NoIndex::Damaged(_)) => open_soon(&layout),
                    other => other,
                };
                let opened = opened.unwrap_or_else(|error| panic!("{kind} {name}: {error:?}"));
                let truth = |pair: &(Key, Record)| (0..100).map(sample).any(|known| known == *pair);
                assert!(opened.records.iter().all(truth), "{kind} {name}: made up");
                assert!(opened.records.len() >= 99 || !opened.is_whole, "{kind} {name}: not whole");
                opened.index.abandon();
            }
        }
    }
}
