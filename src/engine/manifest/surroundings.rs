//! What an observer saw a compile depend on besides the content of files.
//!
//! ```text
//! surroundings = absent kinds links resolved listings variables
//! absent       = count bytes*
//! kinds        = count (bytes u8)*            see Kind::tag
//! links        = count (bytes bytes)*
//! resolved     = count (bytes bytes)*
//! listings     = count (bytes digest)*
//! variables    = count (bytes value)*         value = 0 | 1 bytes; the tag is a u8
//! ```
use super::{Reader, Writer};
use crate::digest::Digest;

/// What was at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Something.
    Something,
    /// A plain file, links followed.
    File,
    /// A folder, links followed.
    Folder,
    /// A symbolic link.
    Link,
    /// A device, a pipe, a socket, links followed.
    Other,
    /// Something that is no symbolic link.
    NoLink,
    /// A file that somebody may run, links followed.
    Executable,
    /// One that nobody may run, links followed.
    NotExecutable,
}

impl Kind {
    const ALL: [Kind; 8] = [
        Kind::Something,
        Kind::File,
        Kind::Folder,
        Kind::Link,
        Kind::Other,
        Kind::NoLink,
        Kind::Executable,
        Kind::NotExecutable,
    ];

    fn tag(self) -> u8 {
        self as u8
    }
    fn from_tag(tag: u8) -> Option<Self> {
        Kind::ALL.get(usize::from(tag)).copied()
    }
}

/// All lists are sorted, and paths are absolute.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// Paths at which nothing was; one that ends with a slash was to be a folder.
    pub absent: Vec<Vec<u8>>,
    /// What was there, whatever its content.
    pub kinds: Vec<(Vec<u8>, Kind)>,
    /// Links that were read, and their text.
    pub links: Vec<(Vec<u8>, Vec<u8>)>,
    /// Paths that were resolved, and the same without links.
    pub resolved: Vec<(Vec<u8>, Vec<u8>)>,
    /// Folders whose entries were asked for: see [`listing_digest`].
    pub listings: Vec<(Vec<u8>, Digest)>,
    /// Variables of the environment that were read; `None` for one that was not set.
    pub variables: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

/// Stands for the entries of a folder, given in any order: names, and a byte each for what it is.
pub fn listing_digest<'a>(entries: impl IntoIterator<Item = (&'a [u8], u8)>) -> Digest {
    let mut entries: Vec<_> = entries.into_iter().collect();
    entries.sort_unstable();
    let mut out = Writer(Vec::new());
    for (name, kind) in entries {
        out.bytes(name);
        out.0.push(kind);
    }
    Digest::of(&out.0)
}

impl Writer {
    pub(super) fn surroundings(&mut self, seen: &Surroundings) {
        self.list(&seen.absent);
        self.u32(seen.kinds.len());
        for (path, kind) in &seen.kinds {
            self.bytes(path);
            self.0.push(kind.tag());
        }
        for pairs in [&seen.links, &seen.resolved] {
            self.u32(pairs.len());
            for (path, text) in pairs {
                self.bytes(path);
                self.bytes(text);
            }
        }
        self.u32(seen.listings.len());
        for (path, digest) in &seen.listings {
            self.bytes(path);
            self.0.extend_from_slice(&digest.0);
        }
        self.u32(seen.variables.len());
        for (name, value) in &seen.variables {
            self.bytes(name);
            self.0.push(value.is_some().into());
            if let Some(value) = value {
                self.bytes(value);
            }
        }
    }
}

impl Reader<'_> {
    pub(super) fn surroundings(&mut self) -> Option<Surroundings> {
        let pair = |r: &mut Self| Some((r.bytes()?, r.bytes()?));
        Some(Surroundings {
            absent: self.list(Reader::bytes)?,
            kinds: self.list(|r| {
                let path = r.bytes()?;
                let [tag] = r.array()?;
                Some((path, Kind::from_tag(tag)?))
            })?,
            links: self.list(pair)?,
            resolved: self.list(pair)?,
            listings: self.list(|r| Some((r.bytes()?, Digest(r.array()?))))?,
            variables: self.list(|r| {
                let name = r.bytes()?;
                match r.array()? {
                    [0] => Some((name, None)),
                    [1] => Some((name, Some(r.bytes()?))),
                    _ => None,
                }
            })?,
        })
    }
}
