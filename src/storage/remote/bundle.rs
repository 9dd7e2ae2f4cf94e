//! The objects that a remote holds. Whoever reads one believes nothing: the claimed size is compared with a limit and never
//! trusted for an allocation, and both the object and each part in it have a checksum and the key that was asked for.
//!
//! ```text
//! object  = the envelope of every file of the cache, kind 3, around: size:u64 zstd(content)
//! content = 0 manifest:bytes 0               of a job
//!         | 0 manifest:bytes 1 entry         with its newest result, where that is small
//!         | 1 entry                          of a result
//! bytes   = length:u64 byte*
//! entry   = an entry file with all outputs inside
//! ```
use std::io::Read;

use cachepot_engine::digest::Digest;
use cachepot_engine::entry::{Body, Entry, Outputs};
use cachepot_engine::envelope::{self, EntryError, Kind, ReadError};
use cachepot_engine::manifest::Manifest;

use super::unpack::Content;

/// The newest result travels with its job where outputs and messages have no more than this: one question instead of two.
pub const SMALL_BYTES: usize = 256 << 10;
/// The most that an object may hold, unpacked.
pub const MAX_CONTENT_BYTES: u64 = 256 << 20;
/// Level 1 takes a third less time beside the build that writes; but 92 crates are 81 MB then instead of 68, for which each
/// later build would wait.
const LEVEL: i32 = 3;

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
    /// The entry of the first of them, where it is small; all outputs inside.
    pub newest: Option<Entry>,
}

impl JobBundle {
    /// Writes the object. A newest result that is not small, or whose outputs are not inside, is left out.
    ///
    /// # Errors
    /// [`BundleError::TooLarge`], and [`BundleError::Zstd`] from the library.
    pub fn seal(&self, job: &Digest) -> Result<Vec<u8>, BundleError> {
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
        pack(job, &content)
    }

    /// Reads and verifies the object of a job.
    ///
    /// # Errors
    /// Whatever [`JobBundle::seal`] has not written for this very key.
    pub fn open(job: &Digest, object: impl Read) -> Result<Self, BundleError> {
        let mut unpacked = Content::open(job, object)?;
        let mut content = Vec::new();
        unpacked.read_to_end(&mut content)?;
        unpacked.finish()?;
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

/// Writes the object of a result.
///
/// # Errors
/// As [`JobBundle::seal`]; [`BundleError::Malformed`] where an output is not inside.
pub fn seal_result(result: &Digest, entry: &Entry) -> Result<Vec<u8>, BundleError> {
    if !is_inside(entry) {
        return Err(BundleError::Malformed("an output is not inside"));
    }
    pack(result, &[&[1], entry.encode(result).as_slice()].concat())
}

/// Reads and verifies the object of a result as it comes; `outputs` gets what must not be believed before this comes back.
///
/// # Errors
/// Whatever [`seal_result`] has not written for this very key.
pub fn read_result(
    result: &Digest,
    object: impl Read,
    outputs: &mut dyn Outputs,
) -> Result<Entry, BundleError> {
    let mut content = Content::open(result, object)?;
    let mut sort = [0];
    content.read_exact(&mut sort)?;
    if sort != [1] {
        return Err(BundleError::Malformed("no result"));
    }
    let entry = Entry::read(&mut content, result, outputs)?;
    content.finish()?;
    expect_success(&entry)?;
    Ok(entry)
}

/// Whether a result travels with its job; else it needs an object of its own.
pub fn travels_with_job(entry: &Entry) -> bool {
    let inside = entry.outputs.iter().map(|output| match &output.body {
        Body::Inline(content) => Some(content.len()),
        Body::Blob { .. } => None,
    });
    let bytes = inside.sum::<Option<usize>>().map(|bytes| bytes + entry.stdout.len() + entry.stderr.len());
    bytes.is_some_and(|bytes| bytes <= SMALL_BYTES)
}

fn is_inside(entry: &Entry) -> bool {
    entry.outputs.iter().all(|output| matches!(output.body, Body::Inline(_)))
}

fn entry_of(file: &[u8], result: &Digest) -> Result<Entry, BundleError> {
    let entry = Entry::decode(file, result)?;
    expect_success(&entry)?;
    // A blob would be one of this machine's store, which the writer cannot know.
    is_inside(&entry).then_some(entry).ok_or(BundleError::Malformed("an output is not inside"))
}

/// Nobody stores a failure: whoever writes one wants a build to fail.
fn expect_success(entry: &Entry) -> Result<(), BundleError> {
    if entry.status == 0 { Ok(()) } else { Err(BundleError::Malformed("a failure")) }
}

fn pack(key: &Digest, content: &[u8]) -> Result<Vec<u8>, BundleError> {
    let size = content.len() as u64;
    if size > MAX_CONTENT_BYTES {
        return Err(BundleError::TooLarge);
    }
    let packed = zstd::bulk::compress(content, LEVEL)?;
    Ok(envelope::seal(Kind::Bundle, key, &[&size.to_le_bytes(), packed.as_slice()].concat()))
}
