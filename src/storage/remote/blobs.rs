//! The blobs of results: outputs that do not lie in an entry, in an object of their own. It is named by what it holds, so that
//! results with the same outputs share it, and need not be written twice; and all blobs of a result are in one, because a crate's
//! metadata is in two of its files, and what stands twice is packed once.
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use cachepot_engine::digest::{Digest, KeyBuilder};
use cachepot_engine::entry::{Body, Entry};

use super::bundle::{BundleError, MAX_CONTENT_BYTES, SMALL_BYTES};
use super::unpack::Content;
use crate::local::{INLINE_BYTES, Incoming};

/// Begins the content of such an object.
pub(super) const SORT: u8 = 2;

/// Where a blob is that is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Blob {
    /// Here.
    Bytes(Vec<u8>),
    /// In a file, with its size and digest.
    File(PathBuf, u64, Digest),
}

impl Blob {
    /// Bytes.
    pub fn size(&self) -> u64 {
        match self {
            Blob::Bytes(bytes) => bytes.len() as u64,
            Blob::File(_, size, _) => *size,
        }
    }
}

/// The key of the object with the blobs of an entry; `None` where it has none.
pub fn key(entry: &Entry) -> Option<Digest> {
    let digests: Vec<_> = entry.blobs().map(|(_, digest)| digest.0).collect();
    let key = || KeyBuilder::new("cachepot blobs 1").list("digests", digests.iter()).finish();
    (!digests.is_empty()).then(key)
}

/// Takes all that is large out of an entry that is not small; its blobs are in these `files`. The same outputs make the same blobs,
/// wherever they were. `None` where there are fewer files than blobs.
pub fn take_out(entry: &mut Entry, files: Vec<PathBuf>) -> Option<Vec<Blob>> {
    let (mut files, mut blobs) = (files.into_iter(), Vec::new());
    if entry.output_bytes() <= SMALL_BYTES as u64 && entry.blobs().next().is_none() {
        return Some(blobs);
    }
    for output in &mut entry.outputs {
        let blob = match &mut output.body {
            Body::Inline(content) if content.len() as u64 > INLINE_BYTES => {
                Blob::Bytes(std::mem::take(content))
            }
            Body::Inline(_) => continue,
            Body::Blob { size, digest } => Blob::File(files.next()?, *size, *digest),
        };
        if let Blob::Bytes(bytes) = &blob {
            output.body = Body::Blob { size: blob.size(), digest: Digest::of(bytes) };
        }
        blobs.push(blob);
    }
    Some(blobs)
}

/// Reads and verifies the object with the blobs of an entry as it comes, into `outputs`, which must not be believed before this comes
/// back. `grown` is told how much is there. The value is the entry with its blobs where they are now.
///
/// # Errors
/// Whatever is not the object with this key, and has not just these blobs.
pub fn read(
    entry: &Entry,
    (key, object): (&Digest, impl Read),
    outputs: &mut Incoming,
    grown: &mut dyn FnMut(u64),
) -> Result<Entry, BundleError> {
    let mut content = Content::open(key, object)?;
    let mut sort = [0];
    content.read_exact(&mut sort)?;
    if sort != [SORT] {
        return Err(BundleError::Malformed("no blobs"));
    }
    let mut entry = entry.clone();
    for output in &mut entry.outputs {
        if let Body::Blob { size, digest } = output.body {
            output.body = outputs.take((size, digest), &mut content, grown)?;
        }
    }
    content.finish()?;
    Ok(entry)
}

/// The content of the object before it is packed.
///
/// # Errors
/// [`BundleError::TooLarge`]; and when a file is not what was said of it.
pub(super) fn content(blobs: Vec<Blob>) -> Result<Vec<u8>, BundleError> {
    let bytes = blobs.iter().map(Blob::size).fold(1, u64::saturating_add);
    if bytes > MAX_CONTENT_BYTES {
        return Err(BundleError::TooLarge);
    }
    let mut content = Vec::with_capacity(usize::try_from(bytes).unwrap_or_default());
    content.push(SORT);
    for blob in blobs {
        match blob {
            Blob::Bytes(bytes) => content.extend_from_slice(&bytes),
            Blob::File(path, size, digest) => append_file(&mut content, &path, (size, digest))?,
        }
    }
    Ok(content)
}

fn append_file(to: &mut Vec<u8>, path: &Path, expected: (u64, Digest)) -> Result<(), BundleError> {
    // A pipe in its place must not be waited for.
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let file = File::options().read(true).custom_flags(flags).open(path)?;
    let start = to.len();
    let size = file.take(expected.0).read_to_end(to)?;
    let is_right = (size as u64, Digest::of(to.get(start..).unwrap_or_default())) == expected;
    is_right.then_some(()).ok_or(BundleError::Malformed("a blob is damaged"))
}
