//! Outputs of an entry that comes in pieces from elsewhere. Large ones go into files in `tmp/` as they come, so that memory does not
//! grow with them; where the store takes no files, they stay in memory.
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

use cachepot_engine::digest::{ContentHasher, Digest};
use cachepot_engine::entry::{Body, Outputs, read_bytes};
use cachepot_engine::envelope::{EntryError, ReadError};

use super::ingest::{Content, Ingested};
use super::place::fits;
use super::temp::TempFile;
use super::{INLINE_BYTES, LocalStore};
use crate::error::StoreError;

/// How much is read at a time.
const PIECE_BYTES: usize = 256 << 10;

/// See the file's head. Files that nobody takes are removed with it.
pub struct Incoming<'a> {
    store: &'a LocalStore,
    files: Vec<Ingested>,
}

impl LocalStore {
    /// Ready to take the outputs of one entry.
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming { store: self, files: Vec::new() }
    }
}

impl Incoming<'_> {
    /// The files that were made: one per [`Body::Blob`], in the order of the outputs.
    pub fn into_files(self) -> Vec<Ingested> {
        self.files
    }

    fn new_file(&self, size: u64) -> Result<TempFile, StoreError> {
        fits(size, self.store.max_bytes)?;
        self.store.new_temp()
    }
}

impl Outputs for Incoming<'_> {
    fn inside(&mut self, size: u64, content: &mut dyn Read) -> Result<Body, ReadError> {
        let file = (size > INLINE_BYTES).then(|| self.new_file(size)).and_then(Result::ok);
        let Some(file) = file else { return read_bytes(content, size).map(Body::Inline) };
        match fill(&file.file, content)? {
            Filled::Whole { size, digest } => {
                self.files.push(Ingested(Content::File { file, size, digest: Some(digest) }));
                Ok(Body::Blob { size, digest })
            }
            Filled::Never { written, rest } => {
                let mut bytes = vec![0; usize::try_from(written).map_err(io::Error::other)?];
                file.file.read_exact_at(&mut bytes, 0)?;
                // Its room may be what is missing.
                drop(file);
                bytes.extend_from_slice(&rest);
                content.read_to_end(&mut bytes)?;
                Ok(Body::Inline(bytes))
            }
        }
    }

    fn beside(&mut self, _: u64, _: Digest) -> Result<Body, EntryError> {
        // It would be a file of this store, which the writer cannot know.
        Err(EntryError::Malformed("an output is not inside"))
    }
}

enum Filled {
    Whole {
        size: u64,
        digest: Digest,
    },
    /// The disk takes no more: what it has, and what it refused.
    Never {
        written: u64,
        rest: Vec<u8>,
    },
}

/// Writes all that comes into a new file.
fn fill(file: &File, content: &mut dyn Read) -> io::Result<Filled> {
    let (mut size, mut hasher) = (0, ContentHasher::default());
    let mut buffer = vec![0; PIECE_BYTES];
    loop {
        let piece = match content.read(&mut buffer) {
            Ok(0) => return Ok(Filled::Whole { size, digest: hasher.finish() }),
            Ok(read) => buffer.get(..read).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if file.write_all_at(piece, size).is_err() {
            return Ok(Filled::Never { written: size, rest: piece.to_vec() });
        }
        hasher.update(piece);
        size += piece.len() as u64;
    }
}
