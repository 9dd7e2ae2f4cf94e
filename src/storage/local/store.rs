//! The disk store: look-ups. Writing is in place.rs, the upkeep of account and index in upkeep.rs.
//!
//! Order of locks: walking, index, evicting, one stripe, then one of ledger, touched, entries, verified.
use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use cachepot_engine::digest::Digest;
use cachepot_engine::entry::{Body, Entry};
use cachepot_engine::envelope::{self, EntryError, Kind};

use super::evict::Ledger;
use super::index::Index;
use super::layout::{Key, Layout};
use super::temp::TempFile;
use super::verify::{self, Stamp};
use crate::error::StoreError;
use crate::recent::Recent;

const ENTRY_MEMORY_BYTES: usize = 16 * 1024 * 1024;
const VERIFIED_MEMORY_BYTES: usize = 8 * 1024 * 1024;
/// What one decoded entry costs beside its content, about.
const ENTRY_BYTES: usize = 400;

/// What a store needs to know.
#[derive(Clone, Debug)]
pub struct LocalSettings {
    /// The folder; absolute.
    pub dir: PathBuf,
    /// Most bytes that entries and manifests may use; 0 stores nothing.
    pub max_bytes: u64,
    /// The largest output that is copied, whether it is kept or not; 0 copies nothing.
    pub max_copy: u64,
}

/// How full the store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Bytes in entries, blobs and manifests, by file length; `None` until the index is read or rebuilt.
    pub bytes: Option<u64>,
    /// The limit.
    pub max_bytes: u64,
    /// Entries known so far, manifests not counted.
    pub entries: u64,
    /// Where, as statistics show it.
    pub location: String,
}

/// An entry with its blobs open: one file per [`Body::Blob`], in the order of the outputs.
#[derive(Debug)]
pub struct Fetched {
    /// The entry.
    pub entry: Arc<Entry>,
    /// Its blobs, verified, readable only.
    pub blobs: Vec<File>,
}

/// The disk store. All methods may be called from any thread; they block on the disk only.
pub struct LocalStore {
    pub(crate) layout: Layout,
    pub(crate) max_bytes: u64,
    pub(crate) max_copy: u64,
    pub(crate) damaged: AtomicU64,
    pub(crate) ledger: Mutex<Ledger>,
    /// Signalled when a put gives back what it had reserved.
    pub(crate) released: Condvar,
    /// Uses that the ledger has not heard of: a hit never waits for an eviction that sorts.
    pub(crate) touched: Mutex<std::collections::HashMap<Key, u64>>,
    pub(crate) index: Mutex<Option<Index>>,
    /// Held from a reservation until its victims are gone from the disk.
    pub(crate) evicting: Mutex<()>,
    pub(crate) walking: Mutex<()>,
    /// The account may be wrong: walk soon.
    pub(crate) walk_wanted: AtomicBool,
    pub(crate) entries: Mutex<Recent<Digest, (Stamp, Arc<Entry>)>>,
    pub(crate) verified: Mutex<Recent<Stamp, Digest>>,
    /// When the disk last refused to be written, in microseconds since 1970.
    pub(crate) refused_at: AtomicU64,
    stripes: Vec<Mutex<()>>,
    last_time: AtomicU64,
}

/// What lies in the place of a key.
pub(crate) enum Content<T> {
    Absent,
    /// Written by another version of this program: a miss, and left alone.
    Foreign,
    Damaged,
    Whole(T, Stamp),
}

/// Takes a lock. What it protects is whole after every statement, so a panic elsewhere does not matter.
pub(crate) fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl LocalStore {
    /// Makes the folders and is ready. Neither the files nor the index are read; [`LocalStore::maintain`] does that.
    ///
    /// # Errors
    /// [`StoreError::Place`] for a path that can never be a cache folder. A folder that cannot be written is no
    /// error here: see [`LocalStore::check`].
    pub fn open(settings: LocalSettings) -> Result<Self, StoreError> {
        let LocalSettings { dir, max_bytes, max_copy } = settings;
        if !dir.is_absolute() {
            return Err(StoreError::Place { path: dir, reason: "the path is not absolute" });
        }
        if fs::metadata(&dir).is_ok_and(|metadata| !metadata.is_dir()) {
            return Err(StoreError::Place { path: dir, reason: "it is no folder" });
        }
        let store = LocalStore {
            layout: Layout::new(&dir),
            max_bytes,
            max_copy,
            damaged: AtomicU64::new(0),
            ledger: Mutex::new(Ledger::new(max_bytes)),
            released: Condvar::new(),
            touched: Mutex::default(),
            index: Mutex::new(None),
            evicting: Mutex::default(),
            walking: Mutex::default(),
            walk_wanted: AtomicBool::new(false),
            entries: Mutex::new(Recent::new(ENTRY_MEMORY_BYTES)),
            verified: Mutex::new(Recent::new(VERIFIED_MEMORY_BYTES)),
            refused_at: AtomicU64::new(0),
            stripes: (0..64).map(|_| Mutex::default()).collect(),
            last_time: AtomicU64::new(0),
        };
        // A failure shows again, with its error, at the first put.
        let _ = store.make_folders();
        Ok(store)
    }

    /// Looks an entry up, in memory if its file has not changed, else on the disk. A damaged one is removed,
    /// counted, and is a miss.
    ///
    /// # Errors
    /// [`StoreError::Io`] if the disk cannot say whether there is one.
    pub fn look_up(&self, digest: &Digest) -> Result<Option<Arc<Entry>>, StoreError> {
        let key = Key::result(digest);
        let path = self.layout.head(&key);
        let remembered = hold(&self.entries).get(digest);
        if let Some((stamp, entry)) = remembered
            && fs::symlink_metadata(&path).is_ok_and(|metadata| Stamp::of(&metadata) == stamp)
        {
            return Ok(Some(entry));
        }
        match self.load(&key, |file| Entry::decode(file, digest))? {
            Content::Whole(entry, stamp) => {
                let entry = Arc::new(entry);
                if stamp.is_settled() {
                    hold(&self.entries).insert(*digest, (stamp, Arc::clone(&entry)), memory_of(&entry));
                }
                Ok(Some(entry))
            }
            other => {
                hold(&self.entries).remove(digest);
                self.miss(&key, &other, |file| Entry::decode(file, digest).map(drop))?;
                Ok(None)
            }
        }
    }

    /// Looks an entry up, opens its blobs and notes the use. What is missing or damaged is `None`.
    ///
    /// # Errors
    /// As [`LocalStore::look_up`].
    pub fn fetch(&self, digest: &Digest) -> Result<Option<Fetched>, StoreError> {
        // The second try is for an entry that was replaced between the two steps.
        for _ in 0..2 {
            let Some(entry) = self.look_up(digest)? else { return Ok(None) };
            match self.open_blobs(digest, &entry) {
                Ok(blobs) => {
                    self.touch(Kind::Result, digest);
                    return Ok(Some(Fetched { entry, blobs }));
                }
                Err(StoreError::Vanished(_)) => {}
                Err(StoreError::Damaged(_)) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Whether there may be a manifest; costs one question to the kernel.
    pub fn may_hold_manifest(&self, digest: &Digest) -> bool {
        let found = fs::symlink_metadata(self.layout.head(&Key::manifest(digest)));
        !found.is_err_and(|error| verify::is_absence(&error))
    }

    /// Reads a manifest. A damaged one is removed, counted, and is a miss.
    ///
    /// # Errors
    /// As [`LocalStore::look_up`].
    pub fn get_manifest(&self, digest: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        let key = Key::manifest(digest);
        let open = |file: &[u8]| envelope::open(Kind::Manifest, digest, file).map(<[u8]>::to_vec);
        match self.load(&key, open)? {
            Content::Whole(payload, _) => Ok(Some(payload)),
            other => {
                self.miss(&key, &other, |file| open(file).map(drop))?;
                Ok(None)
            }
        }
    }

    /// Notes a use, in memory only: a hit writes nothing.
    pub fn touch(&self, kind: Kind, digest: &Digest) {
        let now = self.now();
        hold(&self.touched).insert(Key { kind, digest: *digest }, now);
    }

    /// Removes an entry, with its blobs, or a manifest.
    ///
    /// # Errors
    /// `ReadOnly` and `Io` if its file stays.
    pub fn remove(&self, kind: Kind, digest: &Digest) -> Result<(), StoreError> {
        let key = Key { kind, digest: *digest };
        let _stripe = self.stripe(&key);
        self.delete(&key)
    }

    /// How full the store is.
    pub fn usage(&self) -> Usage {
        let ledger = hold(&self.ledger);
        let location = format!("Local disk: {:?}", self.layout.dir);
        Usage { bytes: ledger.bytes(), max_bytes: self.max_bytes, entries: ledger.results(), location }
    }

    /// How many entries and manifests did not pass their check since the start.
    pub fn damaged(&self) -> u64 {
        self.damaged.load(Ordering::Relaxed)
    }

    /// Reads and verifies the file of a key.
    pub(crate) fn load<T>(
        &self,
        key: &Key,
        decode: impl Fn(&[u8]) -> Result<T, EntryError>,
    ) -> Result<Content<T>, StoreError> {
        let path = self.layout.head(key);
        let read = || -> io::Result<Content<T>> {
            let Some((mut file, metadata)) = verify::open_plain(&path)? else { return Ok(Content::Absent) };
            let Some(bytes) = verify::read_whole(&mut file, metadata.len())? else {
                return Ok(Content::Damaged);
            };
            Ok(match decode(&bytes) {
                Ok(value) => Content::Whole(value, Stamp::of(&metadata)),
                Err(EntryError::OtherVersion(_)) => Content::Foreign,
                Err(_) => Content::Damaged,
            })
        };
        read().map_err(|error| StoreError::of_read(&path, error))
    }

    /// Draws the consequences of a look-up that found nothing whole. Looks again under the lock of the key: a
    /// put may have come in between.
    fn miss<T>(
        &self,
        key: &Key,
        content: &Content<T>,
        decode: impl Fn(&[u8]) -> Result<(), EntryError>,
    ) -> Result<(), StoreError> {
        let is_known = || hold(&self.ledger).get(key).is_some();
        match content {
            Content::Damaged => {}
            Content::Absent if is_known() => {}
            _ => return Ok(()),
        }
        let _stripe = self.stripe(key);
        match self.load(key, decode)? {
            Content::Damaged => {
                self.damaged.fetch_add(1, Ordering::Relaxed);
                // In a folder that cannot be written it stays, and stays a miss.
                let _ = self.delete(key);
            }
            Content::Absent => drop(self.delete(key)),
            _ => {}
        }
        Ok(())
    }

    /// Removes the files of a key and takes it off the account. The caller holds the stripe.
    pub(crate) fn delete(&self, key: &Key) -> Result<(), StoreError> {
        let path = self.layout.head(key);
        match fs::remove_file(&path) {
            // What is no file is not ours, and not counted either.
            Err(error) if !verify::is_absence(&error) && error.kind() != io::ErrorKind::IsADirectory => {
                return Err(StoreError::of_write("remove", &path, error));
            }
            _ => {}
        }
        if key.kind == Kind::Result {
            self.delete_blobs(&key.digest, 0);
            hold(&self.entries).remove(&key.digest);
        }
        hold(&self.ledger).remove(key);
        Ok(())
    }

    /// Removes the blobs of a key from this number on.
    pub(crate) fn delete_blobs(&self, digest: &Digest, from: u32) {
        let mut numbers = from..;
        while numbers.next().is_some_and(|number| fs::remove_file(self.layout.blob(digest, number)).is_ok()) {
        }
    }

    pub(crate) fn make_folders(&self) -> io::Result<()> {
        fs::create_dir_all(&self.layout.tmp)?;
        if fs::symlink_metadata(&self.layout.tag).is_err() {
            // The first line is fixed: see bford.info/cachedir.
            let tag =
                "Signature: 8a477f597d28d172789f06886806bc55\n# A cache of cachepot; it may be deleted.\n";
            let mut temp = TempFile::create(&self.layout.tmp)?;
            io::Write::write_all(&mut temp.file, tag.as_bytes())?;
            temp.rename(&self.layout.tag)?;
        }
        Ok(())
    }

    /// The lock of a key, shared with some others.
    pub(crate) fn stripe(&self, key: &Key) -> MutexGuard<'_, ()> {
        let [first, ..] = key.digest.0;
        #[allow(clippy::indexing_slicing, reason = "the remainder is below the length, which is 64")]
        hold(&self.stripes[usize::from(first) % self.stripes.len()])
    }

    /// Microseconds since 1970, never the same twice.
    pub(crate) fn now(&self) -> u64 {
        let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let clock = u64::try_from(clock.as_micros()).unwrap_or(u64::MAX);
        let next = |last: u64| Some(clock.max(last + 1));
        let last = self.last_time.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        last.map_or(clock, |last| clock.max(last + 1))
    }
}

fn memory_of(entry: &Entry) -> usize {
    let inline = entry.outputs.iter().map(|output| match &output.body {
        Body::Inline(content) => content.len(),
        Body::Blob { .. } => 0,
    });
    ENTRY_BYTES + entry.stdout.len() + entry.stderr.len() + inline.sum::<usize>()
}
