//! Names of files in the cache folder. Absent on purpose: any access to them.
use std::path::{Path, PathBuf};

use cachepot_engine::digest::Digest;
use cachepot_engine::envelope::Kind;

/// What eviction counts and removes as one: an entry with its blobs, or a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) kind: Kind,
    pub(crate) digest: Digest,
}

impl Key {
    pub(crate) fn result(digest: &Digest) -> Self {
        Key { kind: Kind::Result, digest: *digest }
    }
    pub(crate) fn manifest(digest: &Digest) -> Self {
        Key { kind: Kind::Manifest, digest: *digest }
    }
}

/// Which file of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Entry,
    Blob(u32),
    Manifest,
}

/// The cache folder and its parts.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) dir: PathBuf,
    pub(crate) tmp: PathBuf,
    pub(crate) index: PathBuf,
    pub(crate) lock: PathBuf,
    pub(crate) behind: PathBuf,
    pub(crate) tag: PathBuf,
}

impl Layout {
    pub(crate) fn new(dir: &Path) -> Self {
        Layout {
            dir: dir.to_path_buf(),
            tmp: dir.join("tmp"),
            index: dir.join("index"),
            lock: dir.join("index.lock"),
            behind: dir.join("index.behind"),
            tag: dir.join("CACHEDIR.TAG"),
        }
    }
    /// The file that makes a key exist.
    pub(crate) fn head(&self, key: &Key) -> PathBuf {
        match key.kind {
            Kind::Result => self.part(&key.digest, ""),
            Kind::Manifest => self.part(&key.digest, ".m"),
            // A name that no walk takes for one of ours: these never lie here.
            Kind::Bundle => self.part(&key.digest, ".remote"),
        }
    }
    pub(crate) fn blob(&self, digest: &Digest, number: u32) -> PathBuf {
        self.part(digest, &format!(".{number}"))
    }
    fn part(&self, digest: &Digest, suffix: &str) -> PathBuf {
        let name = format!("{digest}{suffix}");
        let (first, second) = (name.get(..1).unwrap_or_default(), name.get(1..2).unwrap_or_default());
        let mut path = PathBuf::with_capacity(self.dir.as_os_str().len() + name.len() + 6);
        path.push(&self.dir);
        path.push(first);
        path.push(second);
        path.push(&name);
        path
    }
    /// The 256 folders that hold entries, whether they exist or not.
    pub(crate) fn shards(&self) -> impl Iterator<Item = (PathBuf, String)> + '_ {
        (0..=u8::MAX).map(|byte| {
            let digits = format!("{byte:02x}");
            let (first, second) = digits.split_at(1);
            (self.dir.join(first).join(second), digits)
        })
    }
}

/// Reads a file name of a shard. Names that we do not write are nobody's business here.
pub(crate) fn parse_name(shard: &str, name: &str) -> Option<(Digest, Part)> {
    let (digits, rest) = name.split_at_checked(64)?;
    if !digits.starts_with(shard) {
        return None;
    }
    let part = match rest.strip_prefix('.') {
        None if rest.is_empty() => Part::Entry,
        None => return None,
        Some("m") => Part::Manifest,
        Some(number) => {
            let parsed = number.parse::<u32>().ok()?;
            // One spelling per number: `01` and `+1` are not ours.
            (parsed.to_string() == number).then_some(Part::Blob(parsed))?
        }
    };
    Some((Digest::parse(digits)?, part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_written() {
        let digest = Digest::of(b"x");
        let layout = Layout::new(Path::new("/c"));
        let shard = &digest.to_string()[..2];
        let name = |path: PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
        let entry = layout.head(&Key::result(&digest));
        assert_eq!(entry.parent().unwrap(), Path::new(&format!("/c/{}/{}", &shard[..1], &shard[1..])));
        assert_eq!(parse_name(shard, &name(entry)), Some((digest, Part::Entry)));
        assert_eq!(
            parse_name(shard, &name(layout.head(&Key::manifest(&digest)))),
            Some((digest, Part::Manifest))
        );
        assert_eq!(parse_name(shard, &name(layout.blob(&digest, 12))), Some((digest, Part::Blob(12))));
        for foreign in ["", ".", ".01", ".+1", ".x", ".nfs0001", "0", ".m.m"] {
            assert_eq!(
                parse_name(shard, &format!("{digest}{foreign}")).filter(|_| !foreign.is_empty()),
                None
            );
        }
        assert_eq!(parse_name("zz", &digest.to_string()), None);
        assert_eq!(parse_name(shard, "README"), None);
        assert_eq!(parse_name(shard, &digest.to_string().to_uppercase()), None);
    }
}
