//! Digests from before a compile. cargo starts a compile in the very moment in which the last file that it needs is
//! there, so that its times do not tell whether it changed since.
use super::Memory;
use super::files::{Known, Stamp, is_file, is_folder, now, stat};
use super::folders::{Kind, Listing};
use super::paths::{Place, below};
use foldhash::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

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

/// The young ones among the files; all paths are absolute.
pub fn early(memory: &Memory, place: &Place, young: &Young) -> Early {
    let mut look = Look { memory, place, left: MAX_ENTRIES, found: Early::default() };
    let bytes = |path: &PathBuf| path.as_os_str().as_encoded_bytes().to_vec();
    young.renamed.iter().for_each(|path| look.file(bytes(path), |_| true));
    young.files.iter().for_each(|path| look.file(bytes(path), is_young));
    young.folders.iter().for_each(|path| look.folder(&bytes(path), false));
    young.trees.iter().for_each(|path| look.folder(&bytes(path), true));
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
    fn file(&mut self, path: Vec<u8>, counts: impl FnOnce(&Stamp) -> bool) {
        let Some(interned) = self.memory.paths.intern(&path) else { return };
        let Ok(stat) = stat(self.place, &interned) else { return };
        if is_file(&stat) && counts(&Stamp::of(&stat)) {
            let known = self.memory.plain.digest_of(self.place, &interned, &stat);
            self.found.files.extend(known.map(|known| (path, known)));
        }
    }

    /// The times of a folder tell when something came into it, not when it was written to: so all are asked.
    fn folder(&mut self, path: &[u8], is_tree: bool) {
        let Some(interned) = self.memory.paths.intern(path) else { return };
        let Ok(stat) = stat(self.place, &interned) else { return };
        if !is_folder(&stat) {
            return;
        }
        let Some(listing) = self.memory.folders.list(self.place, &interned, &stat) else { return };
        if !listing.settled {
            self.found.folders.insert(path.to_vec(), Arc::clone(&listing));
        }
        for entry in listing.entries() {
            if self.left == 0 {
                return;
            }
            self.left -= 1;
            let path = below(path, entry.name);
            match entry.kind {
                Kind::Folder if is_tree => self.folder(&path, true),
                Kind::File | Kind::Link => self.file(path, is_young),
                _ => {}
            }
        }
    }
}
