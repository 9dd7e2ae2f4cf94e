//! Reads files of the cache without believing them.
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use cachepot_engine::digest::{ContentHasher, Digest};

/// Entry files and manifests above this size are not ours: they are neither written nor read.
pub(crate) const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024;

/// A file that changed less than this ago may change again without its stamp telling.
const SETTLED_NANOS: i128 = 20_000_000;

/// What tells that a file is still the one that was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Stamp {
    dev: u64,
    ino: u64,
    size: u64,
    mtime: (i64, i64),
    ctime: (i64, i64),
}

impl Stamp {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Stamp {
            dev: metadata.dev(),
            ino: metadata.ino(),
            size: metadata.size(),
            mtime: (metadata.mtime(), metadata.mtime_nsec()),
            ctime: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
    /// Whether a change from now on would give another stamp, as far as clocks can tell.
    pub(crate) fn is_settled(&self) -> bool {
        let nanos = |(seconds, nanos): (i64, i64)| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let now = i128::try_from(now).unwrap_or_default();
        now - nanos(self.mtime).max(nanos(self.ctime)) > SETTLED_NANOS
    }
}

/// Opens a plain file. `None` if there is none: nothing, a folder, a link, a pipe.
pub(crate) fn open_plain(path: &Path) -> io::Result<Option<(File, Metadata)>> {
    // Without NONBLOCK a pipe in place of the file would make us wait; a plain file does not care.
    let opened = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path);
    let file = match opened {
        Ok(file) => file,
        Err(error) if is_absence(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    let metadata = file.metadata()?;
    Ok(metadata.is_file().then_some((file, metadata)))
}

/// Whether the error says that there is no such file (also: a link, a socket, a file in place of a folder).
pub(crate) fn is_absence(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::ENOENT | libc::ENOTDIR | libc::ELOOP | libc::ENXIO | libc::ESTALE)
    )
}

/// Reads a whole small file; `None` if it is longer than it may be or shorter than it was.
pub(crate) fn read_whole(file: &mut File, size: u64) -> io::Result<Option<Vec<u8>>> {
    if size > MAX_FILE_BYTES {
        return Ok(None);
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default() + 1);
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 == size).then_some(bytes))
}

/// Digests a file from its beginning.
pub(crate) fn digest_of(file: &File) -> io::Result<Digest> {
    let mut hasher = ContentHasher::default();
    let mut buffer = vec![0; 128 * 1024];
    let mut offset = 0;
    loop {
        match file.read_at(&mut buffer, offset) {
            Ok(0) => return Ok(hasher.finish()),
            Ok(read) => {
                hasher.update(buffer.get(..read).unwrap_or_default());
                offset += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_a_plain_file_is_absent() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("file"), "x").unwrap();
        std::os::unix::fs::symlink(path("file"), path("link")).unwrap();
        std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
        std::process::Command::new("mkfifo").arg(path("pipe")).status().unwrap();
        for name in ["link", "socket", "pipe", ".", "missing", "file/below"] {
            assert!(open_plain(&path(name)).unwrap().is_none(), "{name}");
        }
        assert!(open_plain(&path("file")).unwrap().is_some());
    }
}
