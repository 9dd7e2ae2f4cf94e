//! Digests of large files that have long been as they are, such as the parts of a compiler: remembered by stamp in the
//! cache folder, so that the next coordinator need not read hundreds of megabytes.
//!
//! ```text
//! file  = magic entry* checksum         numbers are little-endian
//! entry = device:u64 inode:u64 size:i64 modified changed digest:32 bytes
//! modified, changed = seconds:i64 nanoseconds:i64
//! checksum = 32 bytes                   blake3 of everything before it
//! ```
use crate::inputs::{Stamp, now};
use cachepot_engine::digest::Digest;
use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

const FILE: &str = "settled-files";
const MAGIC: &[u8] = b"cachepot settled files 1\n";
const ENTRY_BYTES: usize = 7 * 8 + 32;
const CHECKSUM_BYTES: usize = 32;
/// Smaller ones are read faster than found.
const MIN_BYTES: i64 = 1 << 18;
/// Some hundred for each toolchain; beyond it the memory starts anew.
const MAX_ENTRIES: usize = 1 << 12;

/// See the file's head.
pub struct Settled {
    path: PathBuf,
    memory: Mutex<Memory>,
    saving: Mutex<()>,
}

#[derive(Default)]
struct Memory {
    is_read: bool,
    has_news: bool,
    known: HashMap<(u64, u64), (Stamp, Digest)>,
    /// Those that somebody reads just now.
    being_read: HashMap<Stamp, Arc<OnceLock<Option<Digest>>>>,
}

impl Settled {
    /// What is remembered in a cache folder; it is read when first asked.
    pub fn new(folder: &Path) -> Self {
        Settled { path: folder.join(FILE), memory: Mutex::default(), saving: Mutex::default() }
    }

    /// The digest of a file as it is now; `None` where it cannot be read.
    pub fn digest(&self, path: &Path) -> Option<Digest> {
        let file = File::open(path).ok()?;
        // The clock before the content: see `FileMemory`.
        let (began, stamp) = (now(), Stamp::of_metadata(&file.metadata().ok()?));
        if stamp.size < MIN_BYTES || !stamp.is_settled(began) {
            return read(&file);
        }
        let reading = {
            let mut memory = self.memory();
            if let Some((then, digest)) = memory.known.get(&stamp.identity())
                && *then == stamp
            {
                return Some(*digest);
            }
            Arc::clone(memory.being_read.entry(stamp).or_default())
        };
        // Whoever else wants it waits here.
        let digest = *reading.get_or_init(|| read(&file));
        let is_as_before = file.metadata().is_ok_and(|metadata| Stamp::of_metadata(&metadata) == stamp);
        let mut memory = self.memory();
        memory.being_read.remove(&stamp);
        if let Some(digest) = digest.filter(|_| is_as_before) {
            if memory.known.len() >= MAX_ENTRIES {
                memory.known.clear();
            }
            memory.known.insert(stamp.identity(), (stamp, digest));
            memory.has_news = true;
        }
        digest
    }

    /// Writes down what is new while others go on: nobody waits for it, and without it the next coordinator reads
    /// everything again.
    pub fn save_behind(self: &Arc<Self>) {
        let settled = Arc::clone(self);
        drop(tokio::task::spawn_blocking(move || settled.save()));
    }

    /// Writes down what is new. A failure costs time only.
    fn save(&self) {
        // One at a time: they write one file.
        let _saving = self.saving.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = {
            let mut memory = self.memory();
            if !std::mem::take(&mut memory.has_news) {
                return;
            }
            encode(memory.known.values())
        };
        if let Err(error) = write(&self.path, &bytes) {
            tracing::debug!(%error, "cannot keep digests of large files");
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        if !memory.is_read {
            memory.is_read = true;
            let stored = fs::read(&self.path).ok().and_then(|bytes| decode(&bytes));
            memory.known =
                stored.unwrap_or_default().into_iter().map(|one| (one.0.identity(), one)).collect();
        }
        memory
    }
}

fn read(file: &File) -> Option<Digest> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(file).ok()?;
    Some(Digest(*hasher.finalize().as_bytes()))
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension(std::process::id().to_string());
    let written = fs::write(&temporary, bytes).and_then(|()| fs::rename(&temporary, path));
    written.inspect_err(|_| drop(fs::remove_file(&temporary)))
}

fn encode<'a>(known: impl Iterator<Item = &'a (Stamp, Digest)>) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    for (stamp, digest) in known {
        let Stamp { device, inode, size, modified, changed } = stamp;
        bytes.extend(device.to_le_bytes());
        bytes.extend(inode.to_le_bytes());
        for number in [*size, modified.0, modified.1, changed.0, changed.1] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(digest.0);
    }
    let checksum = Digest::of(&bytes);
    bytes.extend(checksum.0);
    bytes
}

/// `None` where it is not whole, or of another version.
fn decode(bytes: &[u8]) -> Option<Vec<(Stamp, Digest)>> {
    let (content, checksum) = bytes.split_last_chunk::<CHECKSUM_BYTES>()?;
    let entries = content.strip_prefix(MAGIC).filter(|_| Digest::of(content).0 == *checksum)?;
    entries.chunks(ENTRY_BYTES).map(entry).collect()
}

fn entry(bytes: &[u8]) -> Option<(Stamp, Digest)> {
    let (numbers, digest) = bytes.split_last_chunk::<32>()?;
    let mut numbers = numbers.chunks_exact(8).filter_map(|number| number.try_into().ok());
    let mut unsigned = || Some(u64::from_le_bytes(numbers.next()?));
    let (device, inode) = (unsigned()?, unsigned()?);
    let mut signed = || Some(unsigned()?.cast_signed());
    let (size, modified, changed) = (signed()?, (signed()?, signed()?), (signed()?, signed()?));
    Some((Stamp { device, inode, size, modified, changed }, Digest(*digest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes a file and waits until its stamp is settled.
    fn settled_file(path: &Path, byte: u8) {
        fs::write(path, vec![byte; 1 << 19]).unwrap();
        let stamp = || Stamp::of_metadata(&fs::metadata(path).unwrap());
        while !stamp().is_settled(now()) {
            std::thread::yield_now();
        }
    }

    #[test]
    fn the_next_one_knows_what_was_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("large");
        settled_file(&file, 1);
        let first = Settled::new(folder.path());
        let digest = first.digest(&file).unwrap();
        assert_eq!(digest, Digest::of(&vec![1; 1 << 19]));
        first.save();
        let next = Settled::new(folder.path());
        assert_eq!(next.memory().known.len(), 1);
        // Told apart by what is remembered: another digest shows that nothing was read.
        let stamp = Stamp::of_metadata(&fs::metadata(&file).unwrap());
        next.memory().known.insert(stamp.identity(), (stamp, Digest::of(b"remembered")));
        assert_eq!(next.digest(&file), Some(Digest::of(b"remembered")));
        settled_file(&file, 2);
        assert_eq!(next.digest(&file), Some(Digest::of(&vec![2; 1 << 19])));
        assert_eq!(next.digest(folder.path()), None);
    }

    #[test]
    fn what_is_damaged_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("large");
        settled_file(&file, 1);
        let first = Settled::new(folder.path());
        first.digest(&file).unwrap();
        first.save();
        let stored = fs::read(folder.path().join(FILE)).unwrap();
        assert_eq!(decode(&stored).unwrap().len(), 1);
        for at in 0..stored.len() {
            let mut damaged = stored.clone();
            damaged[at] ^= 1;
            assert!(decode(&damaged).is_none(), "{at}");
            assert!(decode(&stored[..at]).is_none(), "{at}");
        }
    }
}
