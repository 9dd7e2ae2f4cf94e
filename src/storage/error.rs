//! What can go wrong with a place that keeps entries.
use std::io;
use std::path::{Path, PathBuf};

use cachepot_engine::digest::Digest;

/// An error of the local store. None of them may fail a build.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The configured place cannot be a cache folder.
    #[error("`{path}` cannot be the cache folder: {reason}; set `CACHEPOT_DIR` to another folder")]
    Place {
        /// The place.
        path: PathBuf,
        /// Why not.
        reason: &'static str,
    },
    /// The entry alone is larger than the limit; with a limit of 0 every entry is.
    #[error(
        "an entry of {bytes} bytes is larger than the cache may grow ({limit} bytes); raise `CACHEPOT_CACHE_SIZE`"
    )]
    TooLarge {
        /// Size of the entry, as far as it is known.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// No space left, or the quota is used up.
    #[error("no space left to {operation} `{path}`; free some, or lower `CACHEPOT_CACHE_SIZE`: {source}")]
    Full {
        /// What was tried.
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// The folder cannot be written. Look-ups go on.
    #[error("not allowed to {operation} `{path}`; the cache is used read-only: {source}")]
    ReadOnly {
        /// What was tried.
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// Any other failure of the file system.
    #[error("cannot {operation} `{path}`: {source}")]
    Io {
        /// What was tried.
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// A blob was not what the entry says: the entry is gone now and the compile has to be done again.
    #[error("entry {0:?} was damaged; it was dropped and will be made again")]
    Damaged(Digest),
    /// The entry was removed or replaced between look-up and opening.
    #[error("entry {0:?} was removed or replaced meanwhile")]
    Vanished(Digest),
    /// A file changed, or was not a plain file, while our copy of it was taken.
    #[error("an output changed while it was copied; it is not stored")]
    SourceChanged,
}

impl StoreError {
    /// Whether the disk is to blame, and so what comes next will not fare better.
    pub fn is_of_disk(&self) -> bool {
        matches!(self, StoreError::Full { .. } | StoreError::ReadOnly { .. } | StoreError::Io { .. })
    }
    /// Sorts a failure of a writing call.
    pub(crate) fn of_write(operation: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_path_buf();
        match source.raw_os_error() {
            Some(libc::ENOSPC | libc::EDQUOT) => StoreError::Full { operation, path, source },
            Some(libc::EROFS | libc::EACCES | libc::EPERM) => {
                StoreError::ReadOnly { operation, path, source }
            }
            _ => StoreError::Io { operation, path, source },
        }
    }
    /// Sorts a failure of a reading call.
    pub(crate) fn of_read(path: &Path, source: io::Error) -> Self {
        StoreError::Io { operation: "read", path: path.to_path_buf(), source }
    }
}
