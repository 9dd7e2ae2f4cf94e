//! Files that are not there: a header that appears earlier in the search path must be noticed.
//!
//! Instead of asking for every searched name in every folder, the folders themselves are watched by stamp: a
//! name can only appear where the folder changes. Only what a changed folder now holds is compared.
use super::Memory;
use super::files::{Stamp, is_file, is_folder, stat};
use super::folders::{Entry, FolderMemory, Kind, Listing, mark};
use super::later::Later;
use super::names::{Leaf, Names};
use super::paths::{Place, below, put_below};
use super::survey::Survey;
use foldhash::{HashMap, HashSet};
use nix::errno::Errno;
use nix::sys::stat::FileStat;
use std::borrow::Cow;
use std::ffi::{CStr, CString};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::Arc;

type Leaves = HashMap<Box<[u8]>, Leaf>;

/// The state in which all searched folders were when nothing stood in the way of a result.
#[derive(Debug, Default)]
pub(super) struct Watch {
    folders: Vec<Watched>,
    /// Links, and places where no folder was: what each leads to must not change.
    fixed: Vec<(Arc<CStr>, Target)>,
}

#[derive(Debug)]
struct Watched {
    path: Arc<CStr>,
    stamp: Stamp,
    settled: bool,
    /// Index into the names' prefixes.
    prefix: usize,
    /// Stands for the entries that bear a searched name.
    view: u64,
}

/// What a path leads to, links followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Nothing,
    /// Nothing, because what should be a folder on the way is none: of a searched folder gcc tells that.
    BelowNoFolder,
    File,
    Folder,
    Other,
    /// It cannot be told (a loop of links, a folder closed to us): compilers end with an error.
    Unreachable,
}

impl Target {
    fn of(stat: nix::Result<FileStat>) -> Self {
        match stat {
            Ok(stat) if is_file(&stat) => Target::File,
            Ok(stat) if is_folder(&stat) => Target::Folder,
            Ok(_) => Target::Other,
            Err(Errno::ENOENT) => Target::Nothing,
            Err(Errno::ENOTDIR) => Target::BelowNoFolder,
            Err(_) => Target::Unreachable,
        }
    }
}

fn target(place: &Place, path: &CStr) -> Target {
    Target::of(stat(place, path))
}

/// What a walk through the searched folders found besides what is expected.
#[derive(Debug, Default)]
pub(super) struct Surprises {
    /// Files under a searched name.
    pub(super) files: Vec<Vec<u8>>,
    /// A precompiled header beside a searched name.
    pub(super) precompiled: bool,
    /// Something may have been otherwise at the end of the compile.
    pub(super) unsure: bool,
    /// What each folder is, as in a manifest's record.
    pub(super) states: Vec<u32>,
}

/// Which names may be among those with one prefix: wrong for a few, but never for one of them.
struct Filter([u64; 64]);

impl Filter {
    fn of(leaves: &Leaves) -> Self {
        let mut bits = [0; 64];
        for name in leaves.keys() {
            let (word, bit) = Self::place(mark(name));
            bits[word] |= bit;
        }
        Filter(bits)
    }

    fn may_hold(&self, mark: u32) -> bool {
        let (word, bit) = Self::place(mark);
        self.0[word] & bit != 0
    }

    fn place(mark: u32) -> (usize, u64) {
        // The low bits of FNV-1a are the best mixed ones.
        ((mark >> 6) as usize % 64, 1 << (mark % 64))
    }
}

/// How far a walk has come.
#[derive(Default)]
struct Seen {
    /// By prefix.
    filters: Vec<Filter>,
    /// Folders to look at, each for the names with one prefix.
    open: Vec<(Arc<CStr>, usize)>,
    watch: Watch,
    surprises: Surprises,
    /// Memory for one path after the other.
    path: Vec<u8>,
}

/// Walks through the searched folders.
pub(super) struct Walk<'a, 'l> {
    pub(super) place: &'a Place,
    pub(super) memory: &'a Memory,
    /// The folders to look at.
    pub(super) survey: &'a Survey,
    pub(super) names: &'a Names,
    /// Files that may lie there: the inputs, and what lay there when the result was made.
    pub(super) expected: &'a HashSet<Cow<'a, [u8]>>,
    /// What was there at the end of a compile, where that was long ago.
    pub(super) later: Option<&'a Later<'l>>,
}

impl Walk<'_, '_> {
    /// Looks at every folder and everything below it that a searched name leads to.
    pub(super) fn run(&self) -> (Watch, Surprises) {
        let mut seen = Seen::default();
        self.survey.paths().for_each(|path| self.open(path, 0, &mut seen));
        seen.filters = self.names.prefixes.iter().map(Filter::of).collect();
        seen.surprises.states = self.survey.states();
        let mut done: HashSet<(Arc<CStr>, usize)> = HashSet::default();
        while let Some((path, prefix)) = seen.open.pop() {
            if done.insert((Arc::clone(&path), prefix)) {
                self.folder(path, prefix, &mut seen);
            }
        }
        seen.watch.folders.sort_by(|one, other| one.path.cmp(&other.path));
        (seen.watch, seen.surprises)
    }

    fn open(&self, path: &[u8], prefix: usize, seen: &mut Seen) {
        seen.open.extend(self.memory.paths.intern(path).map(|path| (path, prefix)));
    }

    fn folder(&self, path: Arc<CStr>, prefix: usize, seen: &mut Seen) {
        let Some(leaves) = self.names.prefixes.get(prefix) else { return };
        let folder = path.to_bytes();
        let (stat, listing) = match self.later.and_then(|later| later.folder(folder)) {
            Some(then) => then,
            None => {
                seen.surprises.unsure |= self.later.is_some_and(|later| !later.is_same(folder));
                let stat = self.survey.stat(&path, self.place);
                (stat, stat.ok().and_then(|stat| self.memory.folders.list(self.place, &path, &stat)))
            }
        };
        let listed = listing.or_else(|| {
            let probed = self.probe(folder, &stat.ok()?, leaves);
            // Nobody knows what a name led to then.
            seen.surprises.unsure |= self.later.is_some() && probed.is_some();
            probed
        });
        let Some(listing) = listed else {
            seen.watch.fixed.push((Arc::clone(&path), Target::of(stat)));
            return;
        };
        if let Some(below_parent) = leaves.get(&b".."[..]).and_then(|leaf| leaf.folder) {
            self.open(&below(folder, b".."), below_parent, seen);
        }
        let mut view = 0;
        for entry in listing.entries() {
            let may_be_searched = seen.filters.get(prefix).is_some_and(|filter| filter.may_hold(entry.mark));
            let leaf = if may_be_searched { leaves.get(entry.name) } else { None };
            if let Some(leaf) = leaf {
                view ^= sight(&entry);
                let mut path = std::mem::take(&mut seen.path);
                put_below(&mut path, folder, entry.name);
                self.entry(&path, entry.kind, *leaf, seen);
                seen.path = path;
            } else if is_precompiled(&entry, leaves) {
                view ^= sight(&entry);
                seen.surprises.precompiled = true;
            }
        }
        let (stamp, settled) = (listing.stamp, listing.settled);
        seen.watch.folders.push(Watched { path, stamp, settled, prefix, view });
    }

    /// A folder that may not be read can be searched all the same: every name is asked for, each time anew.
    fn probe(&self, folder: &[u8], stat: &FileStat, leaves: &Leaves) -> Option<Arc<Listing>> {
        if !is_folder(stat) {
            return None;
        }
        let names = leaves.iter().flat_map(|(name, leaf)| {
            let precompiled = [&b".gch"[..], b".pch"].into_iter().filter(|_| leaf.file);
            std::iter::once(name.to_vec()).chain(precompiled.map(|suffix| [name, suffix].concat()))
        });
        let mut listing = Listing::new(Stamp::of(stat), false);
        for name in names {
            let Ok(path) = CString::new(below(folder, &name)) else { continue };
            let kind = match target(self.place, &path) {
                Target::Nothing | Target::BelowNoFolder => continue,
                Target::File => Kind::File,
                Target::Folder => Kind::Folder,
                Target::Other => Kind::Other,
                // Looked at once more as one.
                Target::Unreachable => Kind::Link,
            };
            listing.push(&name, kind);
        }
        Some(Arc::new(listing))
    }

    fn entry(&self, path: &[u8], kind: Kind, leaf: Leaf, seen: &mut Seen) {
        let target = match kind {
            Kind::File => Target::File,
            Kind::Folder => Target::Folder,
            Kind::Other => Target::Other,
            Kind::Link => {
                let Some(link) = self.memory.paths.intern(path) else { return };
                let target = target(self.place, &link);
                // What is below a folder is looked at by itself.
                let is_told = (target == Target::Folder && leaf.folder.is_some())
                    || self.later.is_none_or(|later| later.is_input(&link) || later.is_same(path));
                seen.surprises.unsure |= !is_told;
                seen.watch.fixed.push((link, target));
                target
            }
        };
        if let (Target::Folder, Some(prefix)) = (target, leaf.folder) {
            self.open(path, prefix, seen);
        }
        let in_the_way = match target {
            Target::File | Target::Other => leaf.file,
            Target::Unreachable => true,
            Target::Nothing | Target::BelowNoFolder | Target::Folder => false,
        };
        if in_the_way && !self.expected.contains(path) {
            seen.surprises.files.push(path.to_vec());
        }
    }
}

/// Whether it is a precompiled header of a searched name.
fn is_precompiled(entry: &Entry<'_>, leaves: &Leaves) -> bool {
    let header = || entry.name.strip_suffix(b".gch").or_else(|| entry.name.strip_suffix(b".pch"));
    entry.may_be_precompiled
        && header().is_some_and(|header| leaves.get(header).is_some_and(|leaf| leaf.file))
}

/// Stands for the entries of a listing that bear a searched name; the order does not matter.
fn view(listing: &Listing, leaves: &Leaves) -> u64 {
    let relevant = |entry: &Entry<'_>| leaves.contains_key(entry.name) || is_precompiled(entry, leaves);
    listing.entries().filter(relevant).fold(0, |sum, entry| sum ^ sight(&entry))
}

/// Stands for one entry.
fn sight(entry: &Entry<'_>) -> u64 {
    let hasher: BuildHasherDefault<DefaultHasher> = BuildHasherDefault::default();
    hasher.hash_one((&entry.name, entry.kind as u8))
}

impl Watch {
    /// A rough size in memory; paths are shared.
    pub(super) fn weight(&self) -> usize {
        self.folders.len() * size_of::<Watched>() + self.fixed.len() * 24
    }

    /// Whether nothing has appeared since; stamps of folders that changed without effect are brought up to date.
    pub(super) fn holds(&mut self, place: &Place, memory: &FolderMemory, names: &Names) -> bool {
        self.fixed.iter().all(|(path, before)| target(place, path) == *before)
            && self.folders_hold(place, memory, names)
    }

    fn folders_hold(&mut self, place: &Place, memory: &FolderMemory, names: &Names) -> bool {
        // One folder may be watched for several prefixes: then these stand one after the other.
        let mut asked: Option<(Arc<CStr>, FileStat)> = None;
        self.folders.iter_mut().all(|folder| {
            let known = asked.take().filter(|(path, _)| *path == folder.path);
            let Some(known) = known.or_else(|| folder.ask(place)) else { return false };
            let holds = folder.holds(&known.1, (place, memory, names));
            asked = Some(known);
            holds
        })
    }
}

impl Watched {
    /// Where it is, for the kernel.
    fn path(&self) -> &CStr {
        if self.path.is_empty() { c"." } else { &self.path }
    }

    fn ask(&self, place: &Place) -> Option<(Arc<CStr>, FileStat)> {
        Some((Arc::clone(&self.path), stat(place, self.path()).ok()?))
    }

    fn holds(&mut self, now: &FileStat, (place, memory, names): (&Place, &FolderMemory, &Names)) -> bool {
        if self.settled && Stamp::of(now) == self.stamp {
            return true;
        }
        // Another folder in its place may be known under another name as well: that takes a walk to see.
        if Stamp::of(now).identity() != self.stamp.identity() {
            return false;
        }
        let (Some(listing), Some(leaves)) =
            (memory.list(place, self.path(), now), names.prefixes.get(self.prefix))
        else {
            return false;
        };
        if view(&listing, leaves) != self.view {
            return false;
        }
        self.stamp = listing.stamp;
        self.settled = listing.settled;
        true
    }
}
