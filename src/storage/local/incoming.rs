//! Outputs that come in pieces from elsewhere. Large ones go into files in `tmp/` as they come, so that memory does not grow with
//! them; where the store takes no files, they stay in memory.
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

use cachepot_engine::digest::{ContentHasher, Digest};
use cachepot_engine::entry::Body;
use cachepot_engine::envelope::{EntryError, ReadError};

use super::ingest::{Content, Ingested};
use super::place::fits;
use super::temp::TempFile;
use super::{INLINE_BYTES, LocalStore};

/// How much is read at a time.
const PIECE_BYTES: usize = 256 << 10;

/// See the file's head. Files that nobody takes are removed with it.
pub struct Incoming {
    /// For those that are still to come.
    places: VecDeque<Option<TempFile>>,
    files: Vec<Ingested>,
    bytes: u64,
}

impl LocalStore {
    /// Ready to take outputs of these sizes, in this order.
    pub fn incoming(&self, sizes: impl Iterator<Item = u64>) -> Incoming {
        let place = |size| {
            let is_for_a_file = size > INLINE_BYTES && fits(size, self.max_bytes).is_ok();
            is_for_a_file.then(|| self.new_temp()).and_then(Result::ok)
        };
        Incoming { places: sizes.map(place).collect(), files: Vec::new(), bytes: 0 }
    }
}

impl Incoming {
    /// The files that are going to grow, for whoever copies them meanwhile, one per output; `None` where one stays in memory.
    pub fn growing(&self) -> Option<Vec<File>> {
        self.places.iter().map(|place| File::open(place.as_ref()?.path()).ok()).collect()
    }

    /// Takes the next output: so many bytes of `content`, with this digest. `grown` is told how many of all outputs are there.
    ///
    /// # Errors
    /// Whatever `content` says, and that it is another one.
    pub fn take(
        &mut self,
        (size, digest): (u64, Digest),
        content: &mut dyn Read,
        grown: &mut dyn FnMut(u64),
    ) -> Result<Body, ReadError> {
        let mut content = content.take(size);
        let before = self.bytes;
        self.bytes = before.saturating_add(size);
        let Some(file) = self.places.pop_front().flatten() else {
            return in_memory(Vec::new(), &mut content, (size, digest));
        };
        match fill(&file.file, &mut content, &mut |bytes| grown(before + bytes))? {
            Filled::Whole(all) if all == (size, digest) => {
                self.files.push(Ingested(Content::File { file, size, digest: Some(digest) }));
                Ok(Body::Blob { size, digest })
            }
            Filled::Whole(_) => Err(EntryError::Checksum.into()),
            Filled::Never { written, rest } => {
                let mut bytes = vec![0; usize::try_from(written).map_err(io::Error::other)?];
                file.file.read_exact_at(&mut bytes, 0)?;
                // Its room may be what is missing.
                drop(file);
                bytes.extend_from_slice(&rest);
                in_memory(bytes, &mut content, (size, digest))
            }
        }
    }

    /// The files that were made: one per [`Body::Blob`], in the order of the outputs.
    pub fn into_files(self) -> Vec<Ingested> {
        self.files
    }
}

/// Memory grows with what comes, not with what is claimed.
fn in_memory(
    mut bytes: Vec<u8>,
    rest: &mut dyn Read,
    (size, digest): (u64, Digest),
) -> Result<Body, ReadError> {
    rest.read_to_end(&mut bytes)?;
    let is_whole = bytes.len() as u64 == size && Digest::of(&bytes) == digest;
    if is_whole { Ok(Body::Inline(bytes)) } else { Err(EntryError::Checksum.into()) }
}

enum Filled {
    /// So much, with this digest.
    Whole((u64, Digest)),
    /// The disk takes no more: what it has, and what it refused.
    Never { written: u64, rest: Vec<u8> },
}

/// Writes all that comes into a new file.
fn fill(file: &File, content: &mut dyn Read, grown: &mut dyn FnMut(u64)) -> io::Result<Filled> {
    let (mut size, mut hasher) = (0, ContentHasher::default());
    let mut buffer = vec![0; PIECE_BYTES];
    loop {
        let piece = match content.read(&mut buffer) {
            Ok(0) => return Ok(Filled::Whole((size, hasher.finish()))),
            Ok(read) => buffer.get(..read).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if file.write_all_at(piece, size).is_err() {
            return Ok(Filled::Never { written: size, rest: piece.to_vec() });
        }
        hasher.update(piece);
        size += piece.len() as u64;
        grown(size);
    }
}
