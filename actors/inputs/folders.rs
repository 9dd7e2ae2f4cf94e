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
    /// In no order, without `.` and `..`.
    pub entries: Vec<Entry>,
}

/// An entry of a folder.
#[derive(Debug)]
pub struct Entry {
    /// Of the name, see [`mark`].
    pub mark: u32,
    /// What it is.
    pub kind: Kind,
    /// Whether the name may be that of a precompiled header.
    pub may_be_precompiled: bool,
    /// Its name.
    pub name: Box<[u8]>,
}

impl Entry {
    /// An entry of this name.
    pub fn new(name: &[u8], kind: Kind) -> Self {
        let may_be_precompiled = name.ends_with(b".gch") || name.ends_with(b".pch");
        Entry { mark: mark(name), kind, may_be_precompiled, name: name.into() }
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
        if let Some(known) = known.filter(|known| known.settled && known.stamp == stamp) {
            return Some(known);
        }
        let listing = Arc::new(read(place, path)?);
        let mut memory = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if memory.len() >= MAX_LISTINGS {
            memory.clear();
        }
        memory.insert((listing.stamp.device, listing.stamp.inode), Arc::clone(&listing));
        Some(listing)
    }
}

fn read(place: &Place, path: &CStr) -> Option<Listing> {
    let path = if path.is_empty() { c"." } else { path };
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let mut folder = Dir::openat(place.folder(), path, flags, Mode::empty()).ok()?;
    // The stamp from before: a change while we read makes it differ from the folder's next one.
    let stamp = Stamp::of(&fstat(folder.as_fd()).ok()?);
    let settled = stamp.is_settled(now());
    let mut entries = Vec::new();
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
        entries.push(Entry::new(name, kind));
    }
    Some(Listing { stamp, settled, entries })
}
