//! Listings of folders, remembered by stamp.
use super::files::{Stamp, is_folder, now};
use super::paths::Place;
use foldhash::HashMap;
use nix::dir::{Dir, Type};
use nix::fcntl::OFlag;
use nix::sys::stat::{FileStat, Mode, fstat};
use std::ffi::CStr;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};

/// What an entry of a folder is, links not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A plain file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link, or something whose kind the file system does not tell.
    Link,
    /// A device, pipe or socket.
    Other,
}

/// The entries of a folder at one moment.
#[derive(Debug)]
pub struct Listing {
    /// The folder's stamp when it was read.
    pub stamp: Stamp,
    /// The stamp tells every later change.
    pub settled: bool,
    /// The names, one behind the other: where a build writes, a folder is listed for each compile, and a piece of memory
    /// for each name would take as long as to read it.
    names: Vec<u8>,
    marks: Vec<Marked>,
}

/// What is known of a name, in the order of the names.
#[derive(Debug)]
struct Marked {
    /// The place behind its last byte.
    end: usize,
    mark: u32,
    kind: Kind,
    may_be_precompiled: bool,
}

/// An entry of a folder.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Of the name, see [`mark`].
    pub mark: u32,
    /// What it is.
    pub kind: Kind,
    /// Whether the name may be that of a precompiled header.
    pub may_be_precompiled: bool,
    /// Its name.
    pub name: &'a [u8],
}

impl Listing {
    /// Without an entry.
    pub fn new(stamp: Stamp, settled: bool) -> Self {
        Listing { stamp, settled, names: Vec::new(), marks: Vec::new() }
    }

    /// Adds an entry.
    pub fn push(&mut self, name: &[u8], kind: Kind) {
        self.names.extend_from_slice(name);
        let may_be_precompiled = name.ends_with(b".gch") || name.ends_with(b".pch");
        self.marks.push(Marked { end: self.names.len(), mark: mark(name), kind, may_be_precompiled });
    }

    /// How many bytes the entries take.
    pub fn bytes(&self) -> usize {
        self.names.capacity() + self.marks.capacity() * size_of::<Marked>()
    }

    /// In no order, without `.` and `..`.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        let mut start = 0;
        self.marks.iter().map(move |&Marked { end, mark, kind, may_be_precompiled }| {
            let name = self.names.get(start..end).unwrap_or_default();
            start = end;
            Entry { mark, kind, may_be_precompiled, name }
        })
    }
}

/// A short hash of a name: most names that nobody searches are told by it, without a look at their text. FNV-1a, by
/// Fowler, Noll and Vo.
pub fn mark(name: &[u8]) -> u32 {
    name.iter().fold(0x811c_9dc5, |mark, byte| (mark ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

/// Listings, found again by device and inode.
#[derive(Default)]
pub struct FolderMemory(Mutex<HashMap<(u64, u64), Arc<Listing>>>);

/// The longest name that Linux's file systems take.
const MAX_NAME: usize = 255;

/// Beyond this many listings the memory starts anew.
const MAX_LISTINGS: usize = 4096;

impl FolderMemory {
    /// The entries of a folder, of which the kernel has just said this; `None` where it is none or cannot be read.
    pub fn list(&self, place: &Place, path: &CStr, stat: &FileStat) -> Option<Arc<Listing>> {
        if !is_folder(stat) {
            return None;
        }
        let stamp = Stamp::of(stat);
        let known =
            self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&(stamp.device, stamp.inode)).cloned();
        let is_so = |known: &&Arc<Listing>| known.settled && known.stamp == stamp;
        if let Some(known) = known.as_ref().filter(is_so) {
            return Some(Arc::clone(known));
        }
        let listing = Arc::new(read(place, path, known.as_deref())?);
        let mut memory = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if memory.len() >= MAX_LISTINGS {
            memory.clear();
        }
        memory.insert((listing.stamp.device, listing.stamp.inode), Arc::clone(&listing));
        Some(listing)
    }
}

/// Reads a folder's entries, most of which it had `before`.
fn read(place: &Place, path: &CStr, before: Option<&Listing>) -> Option<Listing> {
    let path = if path.is_empty() { c"." } else { path };
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let mut folder = Dir::openat(place.folder(), path, flags, Mode::empty()).ok()?;
    // The stamp from before: a change while we read makes it differ from the folder's next one.
    let stamp = Stamp::of(&fstat(folder.as_fd()).ok()?);
    let mut listing = Listing::new(stamp, stamp.is_settled(now()));
    if let Some(before) = before {
        listing.names.reserve_exact(before.names.len() + MAX_NAME);
        listing.marks.reserve_exact(before.marks.len() + 1);
    }
    for entry in folder.iter() {
        let entry = entry.ok()?;
        let name = entry.file_name().to_bytes();
        if name == b"." || name == b".." {
            continue;
        }
        let kind = match entry.file_type() {
            Some(Type::File) => Kind::File,
            Some(Type::Directory) => Kind::Folder,
            Some(Type::Symlink) | None => Kind::Link,
            Some(_) => Kind::Other,
        };
        listing.push(name, kind);
    }
    Some(listing)
}
