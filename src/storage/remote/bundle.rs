//! The objects that a remote holds. Whoever reads one believes nothing: the claimed size is compared with a limit and never
//! trusted for an allocation, the object and the entry in it have a checksum and the key that was asked for, and a blob its digest.
//!
//! ```text
//! object  = the envelope of every file of the cache, kind 3, around: size:u64 zstd(content)
//! content = 0 manifest:bytes 0               of a job
//!         | 0 manifest:bytes 1 entry         with its newest result
//!         | 1 entry                          of a result that does not travel with its job
//!         | 2 byte*                          the blobs of results, see blobs.rs
//! bytes   = length:u64 byte*
//! entry   = an entry file: a small result with all outputs inside, else with large ones as blobs
//! ```
use std::io::Read;

use cachepot_engine::digest::Digest;
use cachepot_engine::entry::Entry;
use cachepot_engine::envelope::{self, EntryError, Kind, ReadError};
use cachepot_engine::manifest::Manifest;

use super::unpack::Content;

/// The outputs of a result that has no more than this are all inside, and an entry that has no more inside travels with its job.
pub const SMALL_BYTES: usize = 256 << 10;
/// The most that an object may hold, unpacked.
pub const MAX_CONTENT_BYTES: u64 = 256 << 20;
/// The most that is unpacked in memory: a manifest of 32 MiB, and an entry.
const MAX_IN_MEMORY_BYTES: u64 = 33 << 20;
/// Of zstd, for what is small.
const LEVEL: i32 = 3;
/// What is not small are mostly crates, whose metadata is in two of their files: a search far back finds it. 69 of them (257 MB) are
/// 57 MB at level 1 with that, and 62 MB at level 3 without, which takes a fifth more of the processor.
const LEVEL_FAR: i32 = 1;
/// How far back, as the logarithm of bytes: who reads holds so much in memory, and another 24 MB make it 2 % smaller.
const WINDOW_LOG_FAR: u32 = 23;

/// Why an object cannot be made or is not the one that was asked for: a miss in either case.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The envelope, or the entry inside.
    #[error("the object is damaged: {0}")]
    Envelope(#[from] EntryError),
    /// It holds more than [`MAX_CONTENT_BYTES`], or says so.
    #[error("the object is too large")]
    TooLarge,
    /// It is whole, but does not follow the grammar.
    #[error("the object is malformed: {0}")]
    Malformed(&'static str),
    /// It cannot be packed or unpacked.
    #[error("the object cannot be packed or unpacked: {0}")]
    Zstd(#[from] std::io::Error),
}

impl From<ReadError> for BundleError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::File(error) => BundleError::Envelope(error),
            ReadError::Read(error) => BundleError::Zstd(error),
        }
    }
}

/// The object of a job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobBundle {
    /// Its earlier results.
    pub manifest: Manifest,
    /// The entry of the first of them, where it [`travels_with_job`].
    pub newest: Option<Entry>,
}

impl JobBundle {
    /// The object before it is packed. A newest result that is not to travel is left out.
    pub fn content(&self) -> Vec<u8> {
        let manifest = self.manifest.encode();
        let mut content = vec![0];
        content.extend_from_slice(&(manifest.len() as u64).to_le_bytes());
        content.extend_from_slice(&manifest);
        let first = self.manifest.records.front().zip(self.newest.as_ref());
        match first.filter(|(_, entry)| travels_with_job(entry)) {
            Some((record, entry)) => {
                content.push(1);
                content.extend_from_slice(&entry.encode(&record.result));
            }
            None => content.push(0),
        }
        content
    }

    /// Reads and verifies the object of a job.
    ///
    /// # Errors
    /// Whatever is not [`JobBundle::content`], [`pack`]ed for this very key.
    pub fn open(job: &Digest, object: impl Read) -> Result<Self, BundleError> {
        let content = in_memory(job, object)?;
        let Some(([0], rest)) = content.split_first_chunk() else {
            return Err(BundleError::Malformed("no job"));
        };
        let (length, rest) = rest.split_first_chunk().ok_or(BundleError::Malformed("cut short"))?;
        let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| BundleError::TooLarge)?;
        let (manifest, rest) = rest.split_at_checked(length).ok_or(BundleError::Malformed("cut short"))?;
        let manifest = Manifest::decode(manifest).ok_or(BundleError::Malformed("no manifest"))?;
        let newest = match (rest.split_first(), manifest.records.front()) {
            (Some((0, [])), _) => None,
            (Some((1, file)), Some(record)) => Some(entry_of(file, &record.result)?),
            _ => return Err(BundleError::Malformed("unknown newest result")),
        };
        Ok(JobBundle { manifest, newest })
    }
}

/// The object of a result before it is packed.
pub fn result_content(result: &Digest, entry: &Entry) -> Vec<u8> {
    [&[1], entry.encode(result).as_slice()].concat()
}

/// Reads and verifies the object of a result.
///
/// # Errors
/// Whatever is not [`result_content`], [`pack`]ed for this very key.
pub fn read_result(result: &Digest, object: impl Read) -> Result<Entry, BundleError> {
    let content = in_memory(result, object)?;
    let Some(([1], file)) = content.split_first_chunk() else {
        return Err(BundleError::Malformed("no result"));
    };
    entry_of(file, result)
}

/// Whether a result travels with its job; else it needs an object of its own.
pub fn travels_with_job(entry: &Entry) -> bool {
    entry.bytes_inside() <= SMALL_BYTES
}

/// Whether who reads it takes an entry of this size.
pub fn is_readable(entry: &Entry) -> bool {
    // Beside this it has a few words for each output.
    entry.bytes_inside() as u64 + SMALL_BYTES as u64 <= MAX_IN_MEMORY_BYTES
}

/// The content of an object that is not large.
fn in_memory(key: &Digest, object: impl Read) -> Result<Vec<u8>, BundleError> {
    let mut unpacked = Content::open(key, object)?;
    let mut content = Vec::new();
    (&mut unpacked).take(MAX_IN_MEMORY_BYTES + 1).read_to_end(&mut content)?;
    if content.len() as u64 > MAX_IN_MEMORY_BYTES {
        return Err(BundleError::TooLarge);
    }
    unpacked.finish()?;
    Ok(content)
}

fn entry_of(file: &[u8], result: &Digest) -> Result<Entry, BundleError> {
    let entry = Entry::decode(file, result)?;
    expect_success(&entry)?;
    Ok(entry)
}

/// Nobody stores a failure: whoever writes one wants a build to fail.
fn expect_success(entry: &Entry) -> Result<(), BundleError> {
    if entry.status == 0 { Ok(()) } else { Err(BundleError::Malformed("a failure")) }
}

/// The object of a content.
///
/// # Errors
/// [`BundleError::TooLarge`], and [`BundleError::Zstd`] from the library.
pub fn pack(key: &Digest, content: &[u8]) -> Result<Vec<u8>, BundleError> {
    let size = content.len() as u64;
    if size > MAX_CONTENT_BYTES {
        return Err(BundleError::TooLarge);
    }
    let packed = compress(content)?;
    Ok(envelope::seal(Kind::Bundle, key, &[&size.to_le_bytes(), packed.as_slice()].concat()))
}

fn compress(content: &[u8]) -> std::io::Result<Vec<u8>> {
    if content.len() <= SMALL_BYTES {
        return zstd::bulk::compress(content, LEVEL);
    }
    let mut far = zstd::bulk::Compressor::new(LEVEL_FAR)?;
    far.long_distance_matching(true)?;
    far.window_log(WINDOW_LOG_FAR)?;
    far.compress(content)
}
