//! What a compile left behind: the difference of two listings of the model tree.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// A listing of everything below a folder, without contents.
#[derive(Default)]
pub(crate) struct Snapshot(BTreeMap<PathBuf, Stamp>);

#[derive(PartialEq)]
struct Stamp {
    kind: &'static str,
    mode: u32,
    inode: u64,
    /// Size, links, mtime and ctime; zero for folders, where they follow from the files.
    rest: [i64; 6],
}

/// One file that a compile made, changed or removed.
#[derive(Clone)]
pub(crate) struct Seen {
    /// "file", "folder", "link", "gone" or another type of file.
    pub(crate) kind: &'static str,
    /// Permission bits.
    pub(crate) mode: u32,
    /// Number of hard links of a file.
    pub(crate) links: u64,
    /// Content of a file, target of a link.
    pub(crate) bytes: Vec<u8>,
    /// Time of the last write.
    pub(crate) written: SystemTime,
}

impl PartialEq for Seen {
    fn eq(&self, other: &Self) -> bool {
        (self.kind, self.mode, self.links, &self.bytes) == (other.kind, other.mode, other.links, &other.bytes)
    }
}

impl Snapshot {
    /// Lists everything below `base`; links are not followed.
    pub(crate) fn take(base: &Path) -> Self {
        let mut snapshot = Self::default();
        snapshot.walk(base);
        snapshot
    }

    /// True where `path` was present.
    pub(crate) fn has(&self, path: &Path) -> bool {
        self.0.contains_key(path)
    }

    /// What differs in `after`, with contents as they are on disk now.
    pub(crate) fn difference(&self, after: &Self) -> BTreeMap<PathBuf, Seen> {
        let mut found = BTreeMap::new();
        for (path, stamp) in &after.0 {
            if self.0.get(path) != Some(stamp) {
                found.insert(path.clone(), look(path));
            }
        }
        for path in self.0.keys().filter(|path| !after.has(path)) {
            found.insert(path.clone(), look(path));
        }
        found
    }

    fn walk(&mut self, folder: &Path) {
        let Ok(entries) = fs::read_dir(folder) else { return };
        for entry in entries.flatten() {
            let path = entry.path();
            let Ok(meta) = fs::symlink_metadata(&path) else { continue };
            let kind = kind(&meta);
            let is_folder = kind == "folder";
            let rest = [
                meta.size().cast_signed(),
                meta.nlink().cast_signed(),
                meta.mtime(),
                meta.mtime_nsec(),
                meta.ctime(),
                meta.ctime_nsec(),
            ];
            let rest = if is_folder { [0; 6] } else { rest };
            self.0.insert(path.clone(), Stamp { kind, mode: meta.mode(), inode: meta.ino(), rest });
            if is_folder {
                self.walk(&path);
            }
        }
    }
}

fn look(path: &Path) -> Seen {
    let Ok(meta) = fs::symlink_metadata(path) else {
        return Seen { kind: "gone", mode: 0, links: 0, bytes: Vec::new(), written: SystemTime::UNIX_EPOCH };
    };
    let kind = kind(&meta);
    let bytes = match kind {
        "file" => fs::read(path).unwrap_or_default(),
        "link" => fs::read_link(path).unwrap_or_default().into_os_string().into_encoded_bytes(),
        _ => Vec::new(),
    };
    let links = if kind == "file" { meta.nlink() } else { 0 };
    let written = SystemTime::UNIX_EPOCH
        + Duration::new(meta.mtime().cast_unsigned(), u32::try_from(meta.mtime_nsec()).unwrap_or(0));
    Seen { kind, mode: meta.mode() & 0o7777, links, bytes, written }
}

fn kind(meta: &fs::Metadata) -> &'static str {
    let kind = meta.file_type();
    match () {
        () if kind.is_file() => "file",
        () if kind.is_dir() => "folder",
        () if kind.is_symlink() => "link",
        () if kind.is_fifo() => "fifo",
        () => "other",
    }
}
