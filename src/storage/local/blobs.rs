//! The disk store: blobs are opened, never believed.
use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use cachepot_engine::digest::Digest;
use cachepot_engine::entry::{Body, Entry};

use super::layout::Key;
use super::store::{Content, LocalStore, hold};
use super::verify::{self, Stamp};
use crate::error::StoreError;

/// What one verified blob costs in memory, about.
const VERIFIED_BYTES: usize = 160;

impl LocalStore {
    /// The files of the blobs of an entry, as they lie there now.
    pub fn blob_paths(&self, digest: &Digest, entry: &Entry) -> Vec<PathBuf> {
        let blobs = entry.outputs.iter().filter(|output| matches!(output.body, Body::Blob { .. }));
        (0_u32..).zip(blobs).map(|(number, _)| self.layout.blob(digest, number)).collect()
    }

    /// Opens the blobs of an entry. The size is checked always, the content once per state of the file.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if a blob is not what the entry says: the entry is gone then. `Vanished` if the
    /// entry was removed or replaced since the look-up. `Io` if the disk cannot say.
    pub fn open_blobs(&self, digest: &Digest, entry: &Entry) -> Result<Vec<File>, StoreError> {
        match self.try_open_blobs(digest, entry)? {
            Some(files) => Ok(files),
            None => Err(self.judge_blobs(digest, entry)?),
        }
    }

    /// `None` if any blob is missing or wrong.
    fn try_open_blobs(&self, digest: &Digest, entry: &Entry) -> Result<Option<Vec<File>>, StoreError> {
        let blobs = entry.outputs.iter().filter_map(|output| match &output.body {
            Body::Blob { size, digest } => Some((*size, *digest)),
            Body::Inline(_) => None,
        });
        let mut files = Vec::new();
        for (number, (size, content)) in (0_u32..).zip(blobs) {
            let path = self.layout.blob(digest, number);
            let opened = verify::open_plain(&path).map_err(|error| StoreError::of_read(&path, error))?;
            let Some((file, metadata)) = opened.filter(|(_, metadata)| metadata.len() == size) else {
                return Ok(None);
            };
            let stamp = Stamp::of(&metadata);
            let known = hold(&self.verified).get(&stamp);
            if known != Some(content) {
                let found = verify::digest_of(&file).map_err(|error| StoreError::of_read(&path, error))?;
                if found != content {
                    return Ok(None);
                }
                if stamp.is_settled() {
                    hold(&self.verified).insert(stamp, found, VERIFIED_BYTES);
                }
            }
            files.push(file);
        }
        Ok(Some(files))
    }

    /// Says why blobs did not open, looking again under the lock of the key; removes what is damaged.
    fn judge_blobs(&self, digest: &Digest, entry: &Entry) -> Result<StoreError, StoreError> {
        let key = Key::result(digest);
        let _stripe = self.stripe(&key);
        hold(&self.entries).remove(digest);
        match self.load(&key, |file| Entry::decode(file, digest))? {
            Content::Whole(now, _) if now == *entry => {
                if self.try_open_blobs(digest, entry)?.is_some() {
                    return Ok(StoreError::Vanished(*digest));
                }
            }
            Content::Damaged => {}
            _ => return Ok(StoreError::Vanished(*digest)),
        }
        self.damaged.fetch_add(1, Ordering::Relaxed);
        let _ = self.delete(&key);
        Ok(StoreError::Damaged(*digest))
    }
}
