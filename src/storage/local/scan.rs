//! Walks over the cache folder: what is there, how large, how old. Absent on purpose: the account.
use std::collections::HashMap;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::evict::Record;
use super::layout::{Key, Part, parse_name};
use super::verify::is_absence;

/// What one of the 256 folders holds for one key.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) bytes: u64,
    /// Last change of the file that makes the key exist, in microseconds since 1970.
    pub(crate) modified: u64,
    /// Last change of any of its files, by content or by name.
    pub(crate) changed: u64,
    /// Whether there is the file that makes the key exist; blobs alone are leftovers.
    pub(crate) has_head: bool,
    pub(crate) files: Vec<PathBuf>,
}

impl Found {
    pub(crate) fn record(&self) -> Record {
        Record { bytes: self.bytes, used: self.modified }
    }
    fn add(&mut self, path: PathBuf, metadata: &Metadata, is_head: bool) {
        let micros = |seconds: i64, nanos: i64| {
            let whole = u64::try_from(seconds).unwrap_or_default().saturating_mul(1_000_000);
            whole.saturating_add(u64::try_from(nanos / 1000).unwrap_or_default())
        };
        let modified = micros(metadata.mtime(), metadata.mtime_nsec());
        self.bytes = self.bytes.saturating_add(metadata.len());
        self.changed = self.changed.max(modified).max(micros(metadata.ctime(), metadata.ctime_nsec()));
        if is_head || !self.has_head {
            self.modified = modified;
        }
        self.has_head |= is_head;
        self.files.push(path);
    }
}

/// Lists one folder. A folder that is not there is empty, a file that vanishes meanwhile is not there.
pub(crate) fn list(shard: &Path, digits: &str) -> io::Result<HashMap<Key, Found>> {
    let mut found: HashMap<Key, Found> = HashMap::new();
    let listing = match fs::read_dir(shard) {
        Err(error) if is_absence(&error) => return Ok(found),
        listing => listing?,
    };
    for file in listing {
        let file = file?;
        let name = file.file_name();
        let Some((digest, part)) = name.to_str().and_then(|name| parse_name(digits, name)) else { continue };
        let Ok(metadata) = file.metadata() else { continue };
        if !metadata.is_file() {
            continue;
        }
        let (key, is_head) = match part {
            Part::Entry => (Key::result(&digest), true),
            Part::Blob(_) => (Key::result(&digest), false),
            Part::Manifest => (Key::manifest(&digest), true),
        };
        found.entry(key).or_default().add(file.path(), &metadata, is_head);
    }
    Ok(found)
}
