//! The disk store: writing. Everything is written to `tmp/` first and renamed: blobs, then the entry.
use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

use cachepot_engine::digest::Digest;
use cachepot_engine::entry::{Body, Entry, EntryOutput};
use cachepot_engine::envelope::{self, Kind};
use cachepot_engine::job::Role;

use super::evict::{Ledger, Record, Room};
use super::ingest::{Content, Ingested};
use super::layout::Key;
use super::store::{LocalStore, hold};
use super::temp::TempFile;
use super::verify::{MAX_FILE_BYTES, digest_of};
use crate::error::StoreError;

/// A put waits this long for others to end when together they would pass the limit.
const RESERVE_WAIT: Duration = Duration::from_secs(10);

/// A disk that has refused a write is taken for one that refuses them for so long.
const REFUSING: Duration = Duration::from_secs(60);

/// What a compile said, beside its outputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryMeta {
    /// Exit status.
    pub status: i32,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
}

/// Bytes set aside; given back when dropped.
struct Reservation<'a> {
    store: &'a LocalStore,
    bytes: u64,
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        hold(&self.store.ledger).release(self.bytes);
        self.store.released.notify_all();
    }
}

/// Refuses early what can never be stored, or is not to be copied.
pub(crate) fn fits(bytes: u64, limit: u64) -> Result<(), StoreError> {
    if bytes > limit || limit == 0 { Err(StoreError::TooLarge { bytes, limit }) } else { Ok(()) }
}

impl LocalStore {
    /// Stores an entry, replacing whatever the key had, and makes room for it first. At most one output per role.
    ///
    /// # Errors
    /// `TooLarge`, `Full`, `ReadOnly`, `Io`. Nothing of the entry is left then, and the store stays usable.
    pub fn put_entry(
        &self,
        digest: &Digest,
        meta: EntryMeta,
        outputs: Vec<(Role, bool, Ingested)>,
    ) -> Result<(), StoreError> {
        // Before anything is read.
        fits(outputs.iter().map(|(_, _, output)| output.size()).sum(), self.max_bytes)?;
        let EntryMeta { status, stdout, stderr } = meta;
        let mut entry = Entry { status, stdout, stderr, outputs: Vec::with_capacity(outputs.len()) };
        let mut blobs = Vec::new();
        let mut bytes = 0;
        for (role, executable, Ingested(content)) in outputs {
            let body = match content {
                Content::Inline(content) => Body::Inline(content),
                Content::File { file, size, digest } => {
                    let read = || digest_of(&file.file);
                    let digest = digest.map_or_else(read, Ok);
                    let digest = digest.map_err(|error| StoreError::of_read(file.path(), error))?;
                    bytes += size;
                    blobs.push(file);
                    Body::Blob { size, digest }
                }
            };
            entry.outputs.push(EntryOutput { role, executable, body });
        }
        self.noted(self.put(&Key::result(digest), &entry.encode(digest), blobs, bytes))
    }

    /// Stores a manifest, replacing the one that the key had.
    ///
    /// # Errors
    /// As [`LocalStore::put_entry`].
    pub fn put_manifest(&self, digest: &Digest, payload: &[u8]) -> Result<(), StoreError> {
        let file = envelope::seal(Kind::Manifest, digest, payload);
        self.noted(self.put(&Key::manifest(digest), &file, Vec::new(), 0))
    }

    fn put(&self, key: &Key, head: &[u8], blobs: Vec<TempFile>, blob_bytes: u64) -> Result<(), StoreError> {
        let bytes = blob_bytes.saturating_add(head.len() as u64);
        fits(bytes, self.max_bytes)?;
        if head.len() as u64 > MAX_FILE_BYTES {
            return Err(StoreError::TooLarge { bytes, limit: MAX_FILE_BYTES });
        }
        let head = self.write_temp(head)?;
        let _reservation = self.reserve(bytes)?;
        let _stripe = self.stripe(key);
        match rename_all(self, key, head, blobs) {
            Ok(n_blobs) => {
                if key.kind == Kind::Result {
                    self.delete_blobs(&key.digest, n_blobs);
                    hold(&self.entries).remove(&key.digest);
                }
                let used = self.now();
                hold(&self.ledger).set(*key, Record { bytes, used });
                Ok(())
            }
            Err(error) => {
                // An old entry beside a new blob would only be found damaged later.
                let _ = self.delete(key);
                Err(StoreError::of_write("rename into", &self.layout.head(key), error))
            }
        }
    }

    /// Sets bytes aside and removes who has to go for them.
    fn reserve(&self, bytes: u64) -> Result<Reservation<'_>, StoreError> {
        let _evicting = hold(&self.evicting);
        let mut ledger = hold(&self.ledger);
        let victims = loop {
            if ledger.is_tight(bytes) {
                self.apply_touches(&mut ledger);
            }
            match ledger.reserve(bytes) {
                Room::After(victims) => break victims,
                Room::Never => return Err(StoreError::TooLarge { bytes, limit: self.max_bytes }),
                Room::Later => {
                    let (guard, wait) = self
                        .released
                        .wait_timeout(ledger, RESERVE_WAIT)
                        .unwrap_or_else(std::sync::PoisonError::into_inner);
                    ledger = guard;
                    if wait.timed_out() {
                        let source = io::ErrorKind::TimedOut.into();
                        return Err(StoreError::of_write("make room in", &self.layout.dir, source));
                    }
                }
            }
        };
        drop(ledger);
        let reservation = Reservation { store: self, bytes };
        self.evict(victims)?;
        Ok(reservation)
    }

    /// Removes the files of those whom the ledger let go, and others in place of those that cannot be removed.
    /// The caller holds `evicting`.
    pub(crate) fn evict(&self, mut victims: Vec<(Key, Record)>) -> Result<(), StoreError> {
        for _ in 0..3 {
            let Some(problem) = self.evict_once(victims) else { return Ok(()) };
            victims = hold(&self.ledger).shrink();
            if victims.is_empty() {
                return Err(problem);
            }
        }
        // Back on the account: their files are still there.
        let problem = self.evict_once(victims);
        problem.map_or(Ok(()), Err)
    }

    /// The last failure, if any. What cannot be removed is on the account again, as used just now.
    fn evict_once(&self, victims: Vec<(Key, Record)>) -> Option<StoreError> {
        let mut problem = None;
        for (key, record) in victims {
            let _stripe = self.stripe(&key);
            if hold(&self.ledger).get(&key).is_some() {
                // Stored again meanwhile.
                continue;
            }
            match self.delete(&key) {
                Ok(()) => {}
                Err(error) => {
                    problem = Some(error);
                    let used = self.now();
                    hold(&self.ledger).set(key, Record { used, ..record });
                }
            }
        }
        problem
    }

    /// Tells the ledger of uses. Those of keys that it may still get to know are kept.
    pub(crate) fn apply_touches(&self, ledger: &mut Ledger) -> Vec<(Key, u64)> {
        let mut touched = std::mem::take(&mut *hold(&self.touched));
        let mut applied = Vec::new();
        touched.retain(|key, used| {
            let is_known = ledger.touch(key, *used);
            if is_known {
                applied.push((*key, *used));
            }
            !is_known && !ledger.is_complete()
        });
        if !touched.is_empty() {
            let mut newer = hold(&self.touched);
            for (key, used) in touched {
                newer.entry(key).or_insert(used);
            }
        }
        applied
    }

    /// Whether so much can be stored: not where it never can, nor while the disk refuses what is written.
    pub fn takes(&self, bytes: u64) -> bool {
        let refused = Duration::from_micros(self.refused_at.load(Ordering::Relaxed));
        let is_refusing = Duration::from_micros(self.now()).saturating_sub(refused) < REFUSING;
        fits(bytes, self.max_bytes).is_ok() && !is_refusing
    }

    /// Remembers for a while that the disk does not take what is written.
    pub(crate) fn noted<T>(&self, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
        if outcome.as_ref().is_err_and(StoreError::is_of_disk) {
            self.refused_at.store(self.now(), Ordering::Relaxed);
        }
        outcome
    }

    /// A new file in `tmp/`, making the folder again if somebody removed it.
    pub(crate) fn new_temp(&self) -> Result<TempFile, StoreError> {
        let folder = &self.layout.tmp;
        TempFile::create(folder)
            .or_else(|error| {
                if error.kind() != io::ErrorKind::NotFound {
                    return Err(error);
                }
                self.make_folders()?;
                self.walk_wanted.store(true, Ordering::Relaxed);
                TempFile::create(folder)
            })
            .map_err(|error| StoreError::of_write("write into", folder, error))
    }
}

/// Renames blobs and head into place; says how many blobs.
fn rename_all(store: &LocalStore, key: &Key, mut head: TempFile, blobs: Vec<TempFile>) -> io::Result<u32> {
    let mut n_blobs = 0;
    for mut blob in blobs {
        blob.rename(&store.layout.blob(&key.digest, n_blobs))?;
        n_blobs += 1;
    }
    head.rename(&store.layout.head(key))?;
    Ok(n_blobs)
}
