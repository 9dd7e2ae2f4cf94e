//! The searched folders as they were at one moment: the kernel is asked once about each, however many want to know.
use super::files::{Stamp, is_folder, is_link, link_stat, stat};
use super::paths::{Place, below, parent};
use cachepot_engine::manifest::{NO_FOLDER, NOT_A_FOLDER, UNREACHABLE};
use foldhash::{HashMap, HashMapExt};
use nix::errno::Errno;
use nix::sys::stat::FileStat;
use std::ffi::{CStr, CString};

/// See the file's head.
pub(super) struct Survey {
    /// By path.
    folders: Vec<Folder>,
    /// In the order in which they were given, by their index above.
    given: Vec<usize>,
}

/// What is at a path; links are followed.
struct Folder {
    path: Vec<u8>,
    stat: nix::Result<FileStat>,
    /// The path without links; only of folders.
    canonical: Option<Vec<u8>>,
}

impl Survey {
    /// Looks at folders, whose paths are normal, each once.
    pub(super) fn of(folders: Vec<Vec<u8>>, place: &Place) -> Self {
        Survey::beside(folders, place, None)
    }

    /// The same; what an earlier survey has is taken from there.
    pub(super) fn beside(folders: Vec<Vec<u8>>, place: &Place, earlier: Option<&Survey>) -> Self {
        let n_folders = folders.len();
        let mut sorted: Vec<(usize, Vec<u8>)> = folders.into_iter().enumerate().collect();
        sorted.sort_by(|(_, one), (_, other)| one.cmp(other));
        let mut survey = Survey { folders: Vec::with_capacity(n_folders), given: vec![0; n_folders] };
        for (index, (given, path)) in sorted.into_iter().enumerate() {
            let known = earlier.and_then(|earlier| earlier.get(&path));
            let known = known.map(|folder| (folder.stat, folder.canonical.clone()));
            let (stat, canonical) = known.unwrap_or_else(|| survey.look(&path, place));
            survey.folders.push(Folder { path, stat, canonical });
            if let Some(at) = survey.given.get_mut(given) {
                *at = index;
            }
        }
        survey
    }

    fn look(&self, path: &[u8], place: &Place) -> (nix::Result<FileStat>, Option<Vec<u8>>) {
        let Ok(text) = CString::new(path) else { return (Err(Errno::ENOENT), None) };
        // Below a folder whose canonical path is known, what is no link adds its name and nothing else.
        if let Some(above) = self.above(path) {
            match link_stat(place, &text) {
                Ok(stat) if is_link(&stat) => {}
                Ok(stat) => return (Ok(stat), is_folder(&stat).then(|| below(above, name(path)))),
                Err(error) => return (Err(error), None),
            }
        }
        let stat = stat(place, if text.is_empty() { c"." } else { &text });
        let canonical = stat.as_ref().is_ok_and(is_folder).then(|| place.canonical(&text));
        (stat, canonical.flatten())
    }

    /// The canonical path of the folder above, if it was looked at.
    fn above(&self, path: &[u8]) -> Option<&[u8]> {
        // What `..` leads to bears another name.
        let has_name = !path.is_empty() && name(path) != b"..";
        let above = if has_name { self.get(parent(path)) } else { None };
        above?.canonical.as_deref()
    }

    fn get(&self, path: &[u8]) -> Option<&Folder> {
        let at = self.folders.binary_search_by(|folder| folder.path.as_slice().cmp(path)).ok()?;
        self.folders.get(at)
    }

    /// What the kernel said of a path; it is asked now where it was not before.
    pub(super) fn stat(&self, path: &CStr, place: &Place) -> nix::Result<FileStat> {
        match self.get(path.to_bytes()) {
            Some(folder) => folder.stat,
            None => stat(place, if path.is_empty() { c"." } else { path }),
        }
    }

    /// What the kernel said of a path, if it was looked at.
    pub(super) fn known(&self, path: &[u8]) -> Option<nix::Result<FileStat>> {
        self.get(path).map(|folder| folder.stat)
    }

    /// Those that are folders, with what the kernel said of them and their paths without links.
    pub(super) fn there(&self) -> impl Iterator<Item = (&[u8], &FileStat, Option<&[u8]>)> {
        let there = self.folders.iter().filter_map(|folder| Some((folder, folder.stat.as_ref().ok()?)));
        let there = there.filter(|(_, stat)| is_folder(stat));
        there.map(|(folder, stat)| (folder.path.as_slice(), stat, folder.canonical.as_deref()))
    }

    /// The paths, sorted.
    pub(super) fn paths(&self) -> impl Iterator<Item = &[u8]> {
        self.folders.iter().map(|folder| folder.path.as_slice())
    }

    /// The folders in both forms, for compilers may name a system header by its canonical path.
    pub(super) fn forms(&self) -> Vec<&[u8]> {
        let canonical = self.folders.iter().filter_map(|folder| folder.canonical.as_deref());
        let mut forms: Vec<&[u8]> = canonical.chain(self.paths()).collect();
        forms.sort_unstable();
        forms.dedup();
        forms
    }

    /// What each folder is, as in a manifest's record.
    pub(super) fn states(&self) -> Vec<u32> {
        let mut first = HashMap::with_capacity(self.folders.len());
        let state = |(index, folder): (u32, &Folder)| match &folder.stat {
            Ok(stat) if is_folder(stat) => *first.entry(Stamp::of(stat).identity()).or_insert(index),
            Ok(_) => NOT_A_FOLDER,
            Err(Errno::ENOENT) => NO_FOLDER,
            Err(_) => UNREACHABLE,
        };
        let given = self.given.iter().filter_map(|at| self.folders.get(*at));
        (0..).zip(given).map(state).collect()
    }
}

/// The last component of a normal path.
fn name(path: &[u8]) -> &[u8] {
    path.rsplit(|&byte| byte == b'/').next().unwrap_or_default()
}
