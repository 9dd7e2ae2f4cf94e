//! Digests from before a compile. cargo starts a compile in the very moment in which the last file that it needs is
//! there, so that its times do not tell whether it changed since.
use super::Memory;
use super::files::{Identity, Known, Stamp, is_file, is_folder, now, stat};
use super::folders::{Kind, Listing};
use super::paths::{Place, below};
use foldhash::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What was young just before a compile began, by path.
#[derive(Clone, Debug, Default)]
pub struct Early {
    /// Files.
    pub files: HashMap<Vec<u8>, Arc<Known>>,
    /// Folders that were listed.
    pub folders: HashMap<Vec<u8>, Arc<Listing>>,
}

/// Where files may be young.
#[derive(Clone, Debug, Default)]
pub struct Young {
    /// A file that is looked at however old it is, for it may get other names meanwhile.
    pub renamed: Option<PathBuf>,
    /// Files.
    pub files: Vec<PathBuf>,
    /// Folders whose files may be.
    pub folders: Vec<PathBuf>,
    /// Folders of which the same is true below.
    pub trees: Vec<PathBuf>,
}

/// More entries than this are not looked at: what is left out costs a result that is not kept.
const MAX_ENTRIES: usize = 1 << 13;

/// The files in folders of crates that were old when they were last looked at. Each compile of a build adds to such a
/// folder, and each would ask for the times of all that lies there. What is written anew under one of these names, and is
/// nobody's direct dependency, is not looked at: that costs a result as well.
#[derive(Default)]
pub struct Aged(Mutex<HashMap<Identity, Names>>);

type Names = HashSet<Box<[u8]>>;

/// Beyond this many folders the memory starts anew.
const MAX_FOLDERS: usize = 64;

impl Aged {
    fn folders(&self) -> MutexGuard<'_, HashMap<Identity, Names>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who looks at the same folder meanwhile looks at everything.
    fn take(&self, folder: Identity) -> Names {
        self.folders().remove(&folder).unwrap_or_default()
    }

    fn put(&self, folder: Identity, names: Names) {
        let mut folders = self.folders();
        if folders.len() >= MAX_FOLDERS {
            folders.clear();
        }
        folders.insert(folder, names);
    }
}

/// The young ones among the files; all paths are absolute.
pub fn early(memory: &Memory, place: &Place, young: &Young) -> Early {
    let mut look = Look { memory, place, left: MAX_ENTRIES, found: Early::default() };
    let bytes = |path: &PathBuf| path.as_os_str().as_encoded_bytes().to_vec();
    if let Some(path) = &young.renamed {
        look.file(bytes(path), |_| true);
    }
    for path in &young.files {
        look.file(bytes(path), is_young);
    }
    young.folders.iter().for_each(|path| look.crates(&bytes(path)));
    young.trees.iter().for_each(|path| look.tree(&bytes(path)));
    look.found
}

fn is_young(stamp: &Stamp) -> bool {
    !stamp.is_settled(now())
}

struct Look<'a> {
    memory: &'a Memory,
    place: &'a Place,
    left: usize,
    found: Early,
}

impl Look<'_> {
    /// Whether it is a plain file that does not count.
    fn file(&mut self, path: Vec<u8>, counts: impl FnOnce(&Stamp) -> bool) -> bool {
        let Some(interned) = self.memory.paths.intern(&path) else { return false };
        let Some(stat) = stat(self.place, &interned).ok().filter(is_file) else { return false };
        if !counts(&Stamp::of(&stat)) {
            return true;
        }
        let known = self.memory.plain.digest_of(self.place, &interned, &stat);
        self.found.files.extend(known.map(|known| (path, known)));
        false
    }

    /// A folder that others may change.
    fn listing(&mut self, path: &[u8]) -> Option<Arc<Listing>> {
        let interned = self.memory.paths.intern(path)?;
        let stat = stat(self.place, &interned).ok().filter(is_folder)?;
        let listing = self.memory.folders.list(self.place, &interned, &stat)?;
        if is_young(&listing.stamp) {
            self.found.folders.insert(path.to_vec(), Arc::clone(&listing));
        }
        Some(listing)
    }

    /// A folder of crates.
    fn crates(&mut self, path: &[u8]) {
        let Some(listing) = self.listing(path) else { return };
        let folder = listing.stamp.identity();
        let mut before = self.memory.aged.take(folder);
        // Only what still lies there: the next build may make everything anew.
        let mut aged = Names::default();
        for entry in listing.entries().take(self.left) {
            if let Some(name) = before.take(entry.name) {
                aged.insert(name);
            } else if matches!(entry.kind, Kind::File | Kind::Link)
                && self.file(below(path, entry.name), is_young)
            {
                aged.insert(entry.name.into());
            }
        }
        self.left = self.left.saturating_sub(listing.entries().count());
        self.memory.aged.put(folder, aged);
    }

    /// The times of a folder tell when something came into it, not when it was written to: so all are asked.
    fn tree(&mut self, path: &[u8]) {
        let Some(listing) = self.listing(path) else { return };
        for entry in listing.entries() {
            if self.left == 0 {
                return;
            }
            self.left -= 1;
            let path = below(path, entry.name);
            match entry.kind {
                Kind::Folder => self.tree(&path),
                Kind::File | Kind::Link => {
                    self.file(path, is_young);
                }
                Kind::Other => {}
            }
        }
    }
}
