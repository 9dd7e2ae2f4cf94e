//! Takes private copies of a compile's outputs before the build may change them.
use memchr::memmem;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;

use cachepot_engine::digest::Digest;

use super::clone;
use super::place::fits;
use super::temp::TempFile;
use super::{INLINE_BYTES, LocalStore};
use crate::error::StoreError;

/// How much of a file is searched before more is read.
const SEARCHED_AT_ONCE: usize = 1 << 20;

/// An output that is ours now: small ones in memory, others in `tmp/` where the disk takes them, removed when dropped.
#[derive(Debug)]
pub struct Ingested(pub(crate) Content);

#[derive(Debug)]
pub(crate) enum Content {
    Inline(Vec<u8>),
    /// The digest is known where the content came by us.
    File {
        file: TempFile,
        size: u64,
        digest: Option<Digest>,
    },
}

impl Ingested {
    /// The content.
    ///
    /// # Errors
    /// As from reading a file.
    pub fn read(&self) -> io::Result<Vec<u8>> {
        match &self.0 {
            Content::Inline(bytes) => Ok(bytes.clone()),
            Content::File { file, size, .. } => {
                let mut bytes = vec![0; usize::try_from(*size).map_err(io::Error::other)?];
                file.file.read_exact_at(&mut bytes, 0)?;
                Ok(bytes)
            }
        }
    }

    /// Which of some texts stand in the content.
    ///
    /// # Errors
    /// As from reading a file.
    pub fn holds(&self, texts: &[&[u8]]) -> io::Result<Vec<bool>> {
        let finders: Vec<_> = texts.iter().map(memmem::Finder::new).collect();
        let mut found = vec![false; texts.len()];
        let mut look = |bytes: &[u8]| {
            for (found, finder) in found.iter_mut().zip(&finders) {
                *found = *found || finder.find(bytes).is_some();
            }
        };
        match &self.0 {
            Content::Inline(bytes) => look(bytes),
            Content::File { file, size, .. } => {
                let overlap = texts.iter().map(|text| text.len()).max().unwrap_or_default();
                let mut buffer = vec![0; SEARCHED_AT_ONCE + overlap];
                let mut offset = 0;
                while offset < *size {
                    let want = usize::try_from(*size - offset).unwrap_or(usize::MAX).min(buffer.len());
                    let chunk = buffer.get_mut(..want).unwrap_or_default();
                    file.file.read_exact_at(chunk, offset)?;
                    look(chunk);
                    offset += SEARCHED_AT_ONCE as u64;
                }
            }
        }
        Ok(found)
    }

    /// Whether it is in memory.
    pub fn is_in_memory(&self) -> bool {
        matches!(self.0, Content::Inline(_))
    }

    /// Opens the file for reading only; `None` where there is none.
    ///
    /// # Errors
    /// As from opening a file.
    pub fn open(&self) -> io::Result<Option<File>> {
        match &self.0 {
            Content::Inline(_) => Ok(None),
            Content::File { file, .. } => File::open(file.path()).map(Some),
        }
    }

    /// Bytes.
    pub fn size(&self) -> u64 {
        match &self.0 {
            Content::Inline(bytes) => bytes.len() as u64,
            Content::File { size, .. } => *size,
        }
    }
}

impl LocalStore {
    /// Takes a private copy of an output of `size` bytes: shared blocks, else a copy inside the kernel, else a
    /// plain copy. The position of `from` is neither used nor moved.
    ///
    /// # Errors
    /// [`StoreError::SourceChanged`] if it is no plain file of that size before and after; `TooLarge`, `Full`,
    /// `ReadOnly` and `Io` from writing. Nothing is left behind.
    pub fn ingest(&self, from: &File, size: u64) -> Result<Ingested, StoreError> {
        self.noted(self.copy_of(from, size, size <= INLINE_BYTES))
    }

    /// The same, in memory whatever its size is: where the disk takes no copy.
    ///
    /// # Errors
    /// `SourceChanged` and `TooLarge`.
    pub fn ingest_into_memory(&self, from: &File, size: u64) -> Result<Ingested, StoreError> {
        self.copy_of(from, size, true)
    }

    fn copy_of(&self, from: &File, size: u64, is_inline: bool) -> Result<Ingested, StoreError> {
        fits(size, self.max_copy)?;
        expect_size(from, size)?;
        let content = if is_inline {
            let mut bytes = vec![0; usize::try_from(size).unwrap_or_default()];
            from.read_exact_at(&mut bytes, 0).map_err(|_| StoreError::SourceChanged)?;
            Content::Inline(bytes)
        } else {
            let file = self.new_temp()?;
            copy(from, &file.file, size).map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => StoreError::SourceChanged,
                _ => StoreError::of_write("copy into", file.path(), error),
            })?;
            expect_size(&file.file, size)?;
            Content::File { file, size, digest: None }
        };
        expect_size(from, size)?;
        Ok(Ingested(content))
    }

    /// The same for content that is in memory already, and stays there where the disk takes no file.
    ///
    /// # Errors
    /// `TooLarge`.
    pub fn ingest_bytes(&self, bytes: Vec<u8>) -> Result<Ingested, StoreError> {
        let size = bytes.len() as u64;
        fits(size, self.max_copy)?;
        if size <= INLINE_BYTES {
            return Ok(Ingested(Content::Inline(bytes)));
        }
        Ok(Ingested(match self.noted(self.write_temp(&bytes)) {
            Ok(file) => Content::File { file, size, digest: None },
            Err(_) => Content::Inline(bytes),
        }))
    }

    /// Writes a file in `tmp/`.
    pub(crate) fn write_temp(&self, bytes: &[u8]) -> Result<TempFile, StoreError> {
        let mut temp = self.new_temp()?;
        temp.file.write_all(bytes).map_err(|error| StoreError::of_write("write", temp.path(), error))?;
        Ok(temp)
    }
}

fn expect_size(file: &File, size: u64) -> Result<(), StoreError> {
    let metadata = file.metadata().map_err(|_| StoreError::SourceChanged)?;
    if metadata.is_file() && metadata.len() == size { Ok(()) } else { Err(StoreError::SourceChanged) }
}

/// `UnexpectedEof` means that the source is shorter than `size`.
fn copy(from: &File, to: &File, size: u64) -> io::Result<()> {
    if clone::reflink(from, to).is_ok() {
        return Ok(());
    }
    let mut offset = 0;
    while offset < size {
        match clone::copy_range(from, to, offset, size - offset) {
            // Some file systems say 0 instead of "cannot"; the plain copy finds out.
            Ok(0) => break,
            Ok(copied) => offset += copied,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOSPC | libc::EDQUOT)) => {
                return Err(error);
            }
            Err(_) => break,
        }
    }
    // Where all is copied already, its buffer would be made for nothing.
    if offset < size { copy_plainly(from, to, offset, size) } else { Ok(()) }
}

fn copy_plainly(from: &File, to: &File, mut offset: u64, size: u64) -> io::Result<()> {
    let mut buffer = vec![0; 128 * 1024];
    while offset < size {
        let want = usize::try_from(size - offset).unwrap_or(usize::MAX).min(buffer.len());
        let chunk = buffer.get_mut(..want).unwrap_or_default();
        match from.read_at(chunk, offset) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => {
                to.write_all_at(chunk.get(..read).unwrap_or_default(), offset)?;
                offset += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t262_the_plain_copy_equals_the_others() {
        let content: Vec<u8> = (0..300_001_u32).map(|n| n.to_le_bytes()[n as usize % 3]).collect();
        let size = content.len() as u64;
        let from = tempfile::tempfile().unwrap();
        from.write_all_at(&content, 0).unwrap();
        for start in [0, 1, 131_072, size] {
            let to = tempfile::tempfile().unwrap();
            to.write_all_at(&content[..usize::try_from(start).unwrap()], 0).unwrap();
            copy_plainly(&from, &to, start, size).unwrap();
            let mut copied = vec![0; content.len()];
            to.read_exact_at(&mut copied, 0).unwrap();
            assert!(copied == content && to.metadata().unwrap().len() == size);
        }
        let to = tempfile::tempfile().unwrap();
        assert_eq!(copy(&from, &to, size + 1).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
